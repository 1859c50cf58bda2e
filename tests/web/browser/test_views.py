"""Every view of the page, by mouse."""

from __future__ import annotations

import re

import numpy as np
import pytest

import convscope
from tests.questions.answering_networks import Detector, Segmenter
from tests.small_atlas import photo as photo_of_blobs
from tests.web.browser.pages import SECONDS, go

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


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


def test_place(page):
    go(page, "place")
    assert page.locator(".layer-card").count() == 7
    page.locator(".frame").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".side h2:not(:has-text('column 200'))")
    assert "row=120" in page.url
    page.locator(".frame").click(position={"x": 300, "y": 150})
    page.wait_for_selector(".side h2:not(:has-text('Row 120,'))")


def test_the_photo_as_a_layer_sees_it(page):
    """It comes on request, and stays while the place moves."""
    go(page, "place")
    card = page.locator(".layer-card", has_text="blocks.2")
    card.get_by_role("button", name="See the photo as this layer does").click()
    page.wait_for_selector(".grid-picture:visible", timeout=60_000)
    assert card.locator(".grid-picture").evaluate("image => image.naturalWidth") > 300
    assert card.get_by_role("button", name="Save PNG").is_visible()
    page.locator(".frame").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".side h2:not(:has-text('column 200'))")
    assert card.locator(".grid-picture").is_visible()


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
