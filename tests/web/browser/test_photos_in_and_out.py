"""Photos that are brought in, and what a view is taken away as."""

from __future__ import annotations

import io

import pytest

from convscope.photos.samples import sample
from tests.web.browser.pages import go

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
