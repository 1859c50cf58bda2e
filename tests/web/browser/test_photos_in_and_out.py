"""Photos that are brought in, and what a view is taken away as."""

from __future__ import annotations

import io
import shlex
from pathlib import Path

import numpy as np
import pytest

import convscope
from convscope.cli import main
from convscope.photos.samples import sample
from tests.questions.answering_networks import Segmenter
from tests.web.browser.pages import go, watched_page

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_a_photo_is_chosen_dropped_and_pasted(page):
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(sample("coffee")).resize((300, 200)).save(buffer, "PNG")
    evil = "<img src=x onerror=alert(1)>.png"
    go(page, "photo")
    page.set_input_files(
        "#add-photo", {"name": evil, "mimeType": "image/png", "buffer": buffer.getvalue()}
    )
    page.wait_for_selector("text=espresso")
    assert "photo=upload-" in page.url
    assert page.locator(f"[title='{evil}']").count() == 1
    send = """([name, bytes]) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], "sent.png", { type: "image/png" }));
      const event = name === "drop"
        ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
        : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
      document.body.dispatchEvent(event);
    }"""
    for name in ("drop", "paste"):
        go(page, "photo")
        page.evaluate(send, [name, list(buffer.getvalue())])
        page.wait_for_selector("text=espresso")


def test_command_and_python_are_copied_and_the_png_saved(page):
    go(page, "photo")
    page.get_by_role("button", name="Copy command").click()
    page.wait_for_selector("text=command copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "convscope explain sample:chelsea --out chelsea-explain.png"
    page.get_by_role("button", name="Copy Python").click()
    page.wait_for_selector("text=Python copied")
    assert "convscope.explain(model, 'sample:chelsea')" in page.evaluate(
        "navigator.clipboard.readText()"
    )
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save PNG").click()
    with open(saved.value.path(), "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"


TAKEN = {
    "photo": ("/photo?photo=sample-coffee&method=layer_cam&target=967", ".stage-card", "main"),
    "slow": (
        "/photo?photo=sample-coffee&method=rise&masks=8",
        ".map-title:has-text('· rise')",
        "main",
    ),
    "second map": (
        "/photo?photo=sample-coffee&compare=1&b.target=504",
        ".stage-card",
        ".pane >> nth=1",
    ),
    "network": ("/network?photo=sample-coffee&layer=blocks.5", ".tile-button", "main"),
    "unit's picture": (
        "/unit?photo=sample-coffee&unit=blocks.4:7&steps=6",
        "text=Done: 6 steps.",
        "[aria-label='What it looks for']",
    ),
    "unit silenced": (
        "/unit?photo=sample-coffee&unit=blocks.4:7&steps=6&scale=0",
        ".signed-bars",
        "[aria-label='What if']",
    ),
    "place": (
        "/place?photo=sample-coffee&row=180&column=290&layers=blocks.5",
        ".layer-card",
        "main",
    ),
}
"""What can be taken away: its address, what shows that it is whole, and where its buttons are."""


@pytest.mark.parametrize("name", TAKEN)
def test_the_saved_picture_is_what_the_copied_command_writes(page, tmp_path, name):
    """Byte for byte, in every view, as a user copies and saves."""
    address, ready, part = TAKEN[name]
    page.goto(address)
    page.wait_for_selector(ready)
    part = page.locator(part)
    part.get_by_role("button", name="Copy command").click()
    page.wait_for_selector("text=command copied")
    words = shlex.split(page.evaluate("navigator.clipboard.readText()"))
    with page.expect_download() as saved:
        part.get_by_role("button", name="Save PNG").click()
    out = tmp_path / "out.png"
    words[words.index("--out") + 1] = str(out)
    assert words[0] == "convscope"
    assert main([*words[1:], "--quiet"]) == 0
    assert out.read_bytes() == Path(saved.value.path()).read_bytes()


def test_what_others_wrote_is_only_shown(chromium):
    """A network's labels and its name may hold anything: it stands on the page as text."""
    evil = "<img src=x onerror=document.title='run'>"
    model = convscope.load_model(Segmenter(), size=32, mean=0.0, std=1.0, labels=[evil, "b", "c"])
    photo = np.zeros((32, 32, 3), np.float32)
    photo[..., 0] = 1
    with convscope.live(model, [photo], browser=False) as running:
        page, wrong = watched_page(chromium, running.address)
        page.goto("/photo")
        page.locator(".side .bar-row").first.wait_for()
        assert evil in page.locator(".side").inner_text()
        assert page.locator("main img[src='x']").count() == 0
        assert page.title() != "run"
        page.context.close()
    assert wrong == []
