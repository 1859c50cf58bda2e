"""The picture of an audit's page for the gallery: a planted flaw, as Chromium shows it.

python -m benchmarks.audit_picture
    the top of the page, into docs/gallery/audit_page.jpg
python -m benchmarks.audit_picture --whole FOLDER
    the page and screenshots of all of it, to look at
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import tempfile
from pathlib import Path

import convscope
from benchmarks.audit import AUDITED, TAG_SHARE, TRAINING
from benchmarks.live_pictures import jpeg
from benchmarks.planted_heads import SIDE, Heads
from benchmarks.planted_photos import photos, write
from convscope.core.files import write_whole

PICTURE = Path(__file__).parent.parent / "docs" / "gallery" / "audit_page.jpg"
WIDTHS = (390, 1280)
SHOWN_HEIGHT = 1900
"""Pixels of the page that the gallery shows."""


def write_page(folder: Path) -> Path:
    """The audit of photos of which one class carries a tag."""
    model = Heads().train(photos(TRAINING, flaw="tag", side=SIDE, seed=1), 0)
    planted = photos(AUDITED, flaw="tag", share=TAG_SHARE, side=SIDE, seed=2)
    write(folder, planted, [photo.label for photo in planted])
    # The page names its folder as it was called.
    with contextlib.chdir(folder):
        convscope.audit(model, "photos", out="audit.html", masks="masks")
    return folder.resolve() / "audit.html"


def screenshots(page_path: Path, folder: Path | None) -> None:
    """The gallery's picture, or the whole page at two widths."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for width in WIDTHS if folder else WIDTHS[-1:]:
            page = browser.new_page(viewport={"width": width, "height": SHOWN_HEIGHT})
            page.goto(page_path.as_uri())
            if folder:
                write_whole(folder / f"audit_{width}.png", page.screenshot(full_page=True))
            else:
                write_whole(PICTURE, jpeg(page.screenshot()))
        browser.close()


def main() -> None:
    """Make the page and its pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--whole", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.whole or Path(scratch)
        screenshots(write_page(folder), arguments.whole)


if __name__ == "__main__":
    main()
