"""The pictures of the live microscope for the README and docs/live.md: every view in Chromium.

python -m benchmarks.live_pictures                 all views at 1280 pixels, into docs/
python -m benchmarks.live_pictures --view place    one of them
python -m benchmarks.live_pictures --check out     every view at three widths, dark and light
"""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

import convscope
from convscope.core.files import write_whole

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DOCS = Path(__file__).parent.parent / "docs"
MOST_BYTES = 200_000
CAT = "photo=sample-chelsea"
VIEWS = {
    "photo": (f"photo?{CAT}&target=282", ".stage-card"),
    "compare": (f"photo?{CAT}&compare=1&b.method=saliency", ".pane:nth-child(2) .heat[src]"),
    "network": (f"network?{CAT}&layer=blocks.3", ".stage-card >> nth=6"),
    "unit": (f"unit?{CAT}&unit=blocks.5:17&scale=0", "text=/Done: \\d+ steps/"),
    "place": (f"place?{CAT}&row=112&column=150", "text=The strongest units here"),
    "camera": ("camera", ".rate[data-rate]"),
}
"""The address of each view, and what is there when it is whole."""

WIDTHS = (390, 1280, 2560)
SETTLE_SECONDS = 6
"""For the last steps of a place's pictures, and some frames of the camera."""

ALL_DRAWN = """() => [...document.querySelectorAll(".unit-picture")].every(
  (one) => one.style.backgroundImage || one.querySelector("img:not([hidden])"))"""
"""Whether every small picture of a place is there."""


def shot(page: Page, address: str, name: str) -> bytes:
    """One view, whole, as PNG."""
    path, ready = VIEWS[name]
    page.goto(address + path)
    if name == "camera":
        page.get_by_role("button", name="Start camera").click()
    page.wait_for_selector(ready, timeout=120_000)
    if name == "place":
        page.wait_for_function(ALL_DRAWN, timeout=120_000)
    if name in ("place", "camera"):
        page.wait_for_timeout(1000 * SETTLE_SECONDS)
    page.evaluate("document.fonts.ready")
    return page.screenshot(full_page=True)


def jpeg(png: bytes) -> bytes:
    """A JPEG of at most `MOST_BYTES`."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    for quality in range(86, 30, -8):
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= MOST_BYTES:
            break
    return buffer.getvalue()


def pictures(browser: Browser, address: str, views: list[str]) -> None:
    """Views at one width, into docs/."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, permissions=["camera"], reduced_motion="reduce"
    )
    page = context.new_page()
    for name in views:
        data = jpeg(shot(page, address, name))
        write_whole(DOCS / f"live_{name}.jpg", data)
        print(f"live_{name}.jpg", len(data) // 1000, "kB", flush=True)


def check(browser: Browser, address: str, out: Path) -> None:
    """All views at all widths in both schemes, to be looked at."""
    out.mkdir(parents=True, exist_ok=True)
    for width in WIDTHS:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, permissions=["camera"]
        )
        page = context.new_page()
        for name in VIEWS:
            data = shot(page, address, name)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                data = page.screenshot(full_page=True)
                (out / f"{name}_{width}_{scheme}.png").write_bytes(data)
            page.emulate_media(color_scheme="light")
            print(name, width, flush=True)
        context.close()


def main() -> None:
    """Start a server and a browser, and take the pictures."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--check", type=Path, metavar="FOLDER")
    parser.add_argument("--view", choices=VIEWS, action="append", help="all by default")
    options = parser.parse_args()
    flags = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with convscope.live(browser=False) as server, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        if options.check:
            check(browser, server.address, options.check)
        else:
            pictures(browser, server.address, options.view or list(VIEWS))
        browser.close()


if __name__ == "__main__":
    main()
