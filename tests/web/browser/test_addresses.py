"""A view is an address: sent, opened anew, back and forward."""

from __future__ import annotations

import pytest

from tests.web.browser.pages import go

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


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
