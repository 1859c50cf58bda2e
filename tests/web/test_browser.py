"""The page in a real browser: every view, by mouse and by keyboard, on the embedded network."""

from __future__ import annotations

import io
import re
import shutil
from importlib import resources

import numpy as np
import pytest

import convscope
from convscope.photos.samples import sample
from tests.questions.answering_networks import Detector, Segmenter
from tests.small_atlas import photo as photo_of_blobs

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytest.importorskip("fastapi", reason="the extra `live` is not installed")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

VIEWS = {
    "photo": "/photo?photo=sample-chelsea",
    "network": "/network?photo=sample-chelsea&layer=blocks.3",
    "unit": "/unit?photo=sample-chelsea&unit=blocks.2:7&steps=8",
    "place": "/place?photo=sample-chelsea&row=120&column=200",
    "camera": "/camera",
}
READY = {
    "photo": ".stage-card",
    "network": ".tile-button",
    "unit": ".signed-bars",
    "place": ".layer-card",
    "camera": "text=Start camera",
}
SECONDS = 60_000
"""Milliseconds that anything may take on a busy machine."""


@pytest.fixture(scope="module")
def server(embedded):
    with convscope.live(embedded, browser=False) as running:
        yield running


@pytest.fixture(scope="module")
def chromium():
    fake = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *fake])
        yield browser
        browser.close()


@pytest.fixture
def two_colors():
    """A photo whose left half is red and whose right is green."""
    photo = np.zeros((32, 32, 3), np.float32)
    photo[:, :16, 0] = photo[:, 16:, 1] = 1
    return photo


@pytest.fixture
def page(server, chromium):
    """A page in which every error of a script, and everything the policy refuses, is a failure."""
    context = chromium.new_context(
        base_url=server.address,
        permissions=["camera", "clipboard-read", "clipboard-write"],
        accept_downloads=True,
    )
    context.set_default_timeout(SECONDS)
    page = context.new_page()
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda said: (
            wrong.append(said.text)
            if said.type in ("error", "warning") and "Failed to load resource" not in said.text
            else None
        ),
    )
    yield page
    context.close()
    assert wrong == []


def go(page, view):
    page.goto(VIEWS[view])
    page.wait_for_selector(READY[view])


def wait_for_title(page, text):
    """Until the map's title holds a text."""
    page.wait_for_selector(f".map-title:has-text('{text}')")


def test_photo(page):
    go(page, "photo")
    bars = page.locator(".side .bar-row")
    assert bars.count() == 6
    assert "tiger cat" in bars.first.inner_text()
    assert "39.9" in bars.first.inner_text()
    bars.nth(1).click()
    page.wait_for_function(
        "() => document.querySelector('.map-title').textContent.includes('Egyptian')"
    )
    assert "target=285" in page.url
    page.get_by_label("Opacity").fill("0.2")
    assert page.locator(".heat").evaluate("image => image.style.opacity") == "0.2"
    assert "opacity=0.2" in page.url
    page.locator(".frame").hover()
    assert re.search(r"at row \d+, column \d+", page.locator(".readout").inner_text())


def test_a_method_with_options_and_one_that_is_slow(page):
    go(page, "photo")
    page.get_by_label("Method").select_option("saliency")
    page.wait_for_function(
        "() => document.querySelector('.map-title').textContent.includes('saliency')"
    )
    assert page.get_by_label("Layer").count() == 0
    page.get_by_label("Method").select_option("rise")
    page.locator("summary").click()
    page.get_by_label("masks", exact=True).fill("64")
    page.get_by_label("masks", exact=True).press("Enter")
    page.wait_for_function(
        "() => document.querySelector('.map-title').textContent.includes('· rise')", timeout=SECONDS
    )
    assert "masks=64" in page.url


def test_two_maps_side_by_side(page):
    go(page, "photo")
    page.get_by_role("button", name="Compare").click()
    page.wait_for_function("() => document.querySelectorAll('.heat:not([hidden])').length === 2")
    titles = page.locator(".map-title").all_inner_texts()
    assert "grad cam" in titles[0]
    assert "saliency" in titles[1]


def test_network_to_unit(page):
    go(page, "network")
    assert page.locator(".stage-card").count() in (0, 7)
    assert page.locator(".tile-button").count() == 80
    page.get_by_label("Order").select_option("strongest")
    page.wait_for_selector(".tile-button")
    page.get_by_role("link", name="Unit blocks.3:11", exact=True).click()
    page.wait_for_selector("h1:text-is('blocks.3:11')")
    assert "/unit?" in page.url


def test_unit_silenced(page):
    go(page, "unit")
    before = page.locator(".bars .bar-value").first.inner_text()
    page.get_by_role("button", name="Silence").click()
    page.wait_for_function(
        "said => document.querySelector('.bars .bar-value').textContent !== said", arg=before
    )
    assert "scale=0" in page.url
    assert page.locator(".scale-value").inner_text().endswith(" 0")
    page.wait_for_selector("text=Done: 8 steps.")
    assert page.locator("img.made").evaluate("image => image.naturalWidth") == 128


def test_an_optimization_is_watched_and_stopped(page, server):
    page.goto("/unit?photo=sample-chelsea&unit=blocks.4:21&steps=1000")
    page.wait_for_selector("img.made:not([hidden])")
    first = page.locator("img.made").get_attribute("src")
    page.wait_for_function("first => document.querySelector('img.made').src !== first", arg=first)
    page.get_by_role("button", name="Stop", exact=True).click()
    page.wait_for_selector("text=/interrupted after \\d+ of 1000 steps/")
    with page.expect_download() as saved:
        page.locator("[aria-label='What it looks for'] >> text=Save PNG").click()
    assert saved.value.suggested_filename == "visualize.png"


def test_closing_the_page_ends_its_work(page, server):
    page.goto("/unit?photo=sample-chelsea&unit=blocks.4:22&steps=1000")
    page.wait_for_selector("img.made:not([hidden])")
    assert server.microscope.long.running() == 1
    page.goto("about:blank")
    for _ in range(300):
        if not server.microscope.long.running():
            break
        page.wait_for_timeout(100)
    assert server.microscope.long.running() == 0


def test_place(page):
    go(page, "place")
    assert page.locator(".layer-card").count() == 7
    page.locator(".frame").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".side h2:not(:has-text('column 200'))")
    assert "row=120" in page.url
    page.locator(".frame").click(position={"x": 300, "y": 150})
    page.wait_for_selector(".side h2:not(:has-text('Row 120,'))")


def test_camera(page):
    go(page, "camera")
    page.get_by_role("button", name="Start camera").click()
    page.wait_for_selector(".rate[data-rate]")
    assert page.locator(".side .bar-row").count() == 6
    assert page.locator(".tile-sheet").get_attribute("data-tiles") == "48"
    page.get_by_role("button", name="Freeze as photo").click()
    page.wait_for_selector(".stage-card")
    assert "photo=upload-" in page.url
    assert "/photo?" in page.url


def test_a_link_comes_back_to_the_same_state(page, chromium, server):
    page.goto(
        "/photo?photo=sample-cat-and-coffee&target=967&method=layer_cam&layer=blocks.5&opacity=0.8"
    )
    page.wait_for_selector(".stage-card")
    address, picture = page.url, page.locator(".heat").get_attribute("src")
    context = chromium.new_context()
    again = context.new_page()
    again.goto(address)
    again.wait_for_selector(".stage-card")
    assert again.locator(".heat").get_attribute("src") == picture
    assert again.get_by_label("Method").input_value() == "layer_cam"
    assert again.get_by_label("Layer").input_value() == "blocks.5"
    assert again.get_by_label("Target").input_value() == "967"
    assert again.get_by_label("Opacity").input_value() == "0.8"
    assert again.locator(".heat").evaluate("image => image.style.opacity") == "0.8"
    context.close()


def test_back_and_forward(page):
    go(page, "photo")
    page.get_by_role("link", name="Network").click()
    page.wait_for_selector(".tile-button")
    page.go_back()
    page.wait_for_selector(".map-title")
    assert "/photo" in page.url
    page.go_forward()
    page.wait_for_selector(".tile-button")


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


def test_an_error_is_a_sentence(page):
    go(page, "photo")
    page.get_by_label("Target").fill("no such thing")
    page.get_by_label("Target").press("Enter")
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert alert.inner_text().startswith("The network has no class 'no such thing'")
    page.get_by_label("Target").fill("tabby")
    page.get_by_label("Target").press("Enter")
    page.wait_for_function(
        "() => document.querySelector('.map-title').textContent.includes('tabby')"
    )
    assert alert.is_hidden()
    page.goto("/photo?photo=upload-gone")
    page.get_by_role("alert").wait_for()
    assert "not held here any more" in page.get_by_role("alert").inner_text()


def test_a_lost_connection_comes_back(page):
    go(page, "photo")
    page.context.set_offline(True)
    page.locator(".bar-row").nth(2).click()
    page.get_by_text("Connection lost").wait_for()
    page.context.set_offline(False)
    page.wait_for_function(
        "() => document.querySelector('.map-title').textContent.includes('tabby')"
    )
    assert page.get_by_text("Connection lost").is_hidden()


def test_boxes_and_masks(chromium, two_colors):
    """Each network's own page: boxes and classes lie over the half of the photo they belong to."""
    for network, labels, selector in (
        (Detector(), ["background", "red", "green"], ".detection"),
        (Segmenter(), ["red", "green", "blue"], ".masks"),
    ):
        model = convscope.load_model(network, size=32, mean=0.0, std=1.0, labels=labels)
        with convscope.live(model, [two_colors], browser=False) as running:
            page = chromium.new_page(base_url=running.address)
            page.goto("/photo")
            page.wait_for_selector(selector)
            frame = page.locator(".frame").bounding_box()
            first = page.locator(selector).last.bounding_box()
            share = 0.5 if selector == ".detection" else 1.0
            assert first["width"] / frame["width"] == pytest.approx(share, abs=0.02)
            page.locator(".side .bar-row").nth(1).click()
            page.wait_for_selector(".map-title:has-text('grad cam')")
            assert re.search(r"target=(box%3A1|mask%3A\d)", page.url)
            page.close()


def test_an_atlas_in_the_views(chromium, atlas_of_two_layers, tmp_path):
    model, opened = atlas_of_two_layers
    pixels = photo_of_blobs(np.random.default_rng(1), 24, 24)
    with convscope.live(model, [pixels], atlas=opened.store.url, browser=False) as running:
        page = chromium.new_page(base_url=running.address)
        page.goto("/unit?unit=third:2")
        page.wait_for_selector("text=From the atlas.")
        assert page.locator("[aria-label='Best photos'] img").count() == 3
        similar = page.locator("[aria-label='Similar units'] a")
        assert similar.count() > 0
        name = similar.first.locator("span").first.inner_text()
        similar.first.click()
        page.wait_for_selector(f"h1:text-is('{name}')")
        page.goto("/place")
        page.wait_for_selector(".unit-card img:not([hidden])")
        page.close()


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_sticks_out(page, view):
    go(page, view)
    for width in (390, 768, 1280, 2560):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious(page, view):
    axe = resources.files(pytest.importorskip("axe_core_python")).joinpath("axe.min.js")
    page.emulate_media(reduced_motion="reduce")
    go(page, view)
    page.evaluate(axe.read_text())
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        report = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        serious = [
            (violation["id"], [node["html"][:160] for node in violation["nodes"]][:3])
            for violation in report["violations"]
            if violation["impact"] in ("serious", "critical")
        ]
        assert serious == [], scheme


def test_by_keyboard_alone(page):
    """From the address bar to another answer's heat, and focus can be seen at every stop."""
    go(page, "photo")
    page.evaluate("document.activeElement.blur()")
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """() => {
              const element = document.activeElement;
              const style = getComputedStyle(element);
              const label = element.matches("#add-photo")
                ? getComputedStyle(document.querySelector(".add")).outlineStyle
                : style.outlineStyle;
              return { name: element.getAttribute("aria-label") || element.textContent.trim(),
                       class: element.className, outline: label };
            }"""
        )
        assert stop["outline"] not in ("none", ""), stop
        seen.append(stop["name"])
        if stop["class"] == "bar-row" and "tabby" in stop["name"]:
            page.keyboard.press("Enter")
            break
    assert seen[0] == "Skip to the view"
    page.wait_for_function(
        "() => document.querySelector('.map-title').textContent.includes('tabby')"
    )


def test_reduced_motion(page):
    page.emulate_media(reduced_motion="reduce")
    go(page, "photo")
    moving = page.evaluate(
        "[...document.querySelectorAll('*')].filter(e => parseFloat("
        "getComputedStyle(e).transitionDuration) > 0).length"
    )
    assert moving == 0
