"""A view is an address: sent, opened anew, back and forward."""

from __future__ import annotations

import re

import pytest

from tests.web.browser.pages import READY, go, watched_page

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


STATES = {
    "photo": "/photo?photo=sample-coffee&compare=1&target=967&b.method=grad_cam&b.target=504",
    "network": "/network?photo=sample-coffee&layer=blocks.5&order=strongest",
    "unit": "/unit?photo=sample-coffee&unit=blocks.5:17&steps=8&scale=2.5",
    "place": "/place?photo=sample-coffee&row=180&column=290&target=967&layers=blocks.4",
    "camera": "/camera?method=saliency&target=504&tiles=blocks.1",
}
DONE = {**READY, "photo": ".stage-card", "unit": "text=Done: 8 steps."}


def state_of(page, view):
    """What a person sees of a view: its text and what its fields are set to."""
    page.wait_for_selector(DONE[view])
    page.wait_for_load_state("networkidle")
    return page.evaluate(
        """() => {
          const main = document.querySelector("main");
          const fields = [...main.querySelectorAll("input:not([type=file]), select")];
          const pictures = [...main.querySelectorAll("img.heat, img.made, .tile")];
          return {
            text: main.innerText,
            fields: fields.map((field) => field.value),
            pictures: pictures.map((one) => one.src ?? one.className),
          };
        }"""
    )


@pytest.mark.parametrize("view", STATES)
def test_every_view_is_an_address_that_comes_back(page, chromium, server, view):
    page.goto(STATES[view])
    state = state_of(page, view)
    for value in re.findall(r"(?:method|layers?|tiles|scale|order)=([\w.]+)", STATES[view]):
        assert value in state["fields"], value
    other, wrong = watched_page(chromium, server.address)
    other.goto(page.url)
    assert state_of(other, view) == state
    other.context.close()
    assert wrong == []
