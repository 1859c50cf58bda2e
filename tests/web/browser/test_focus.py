"""By keyboard: a change leaves the focus where it was, and another view begins with it."""

from __future__ import annotations

import pytest

from tests.web.browser.pages import go

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def focused(page):
    """What has the focus: its key, or its label, or its tag."""
    return page.evaluate(
        """() => {
          const element = document.activeElement;
          return element.dataset.key ?? element.getAttribute("aria-label") ?? element.tagName;
        }"""
    )


def test_the_fields_of_a_method_keep_the_focus(page):
    go(page, "photo")
    page.get_by_label("Method").focus()
    values = []
    for _ in range(3):
        page.keyboard.press("ArrowDown")
        assert focused(page) == "Method"
        values.append(page.get_by_label("Method").input_value())
    assert len(set(values)) == 3
    page.get_by_label("Method").select_option("smoothgrad")
    page.locator("summary").click()
    first = page.locator(".options input").first
    first.fill("4")
    first.press("Enter")
    assert page.locator("details.options").evaluate("details => details.open")
    page.keyboard.press("Tab")
    assert focused(page) == page.locator(".options [data-key]").nth(1).get_attribute("data-key")
    page.get_by_label("Method").select_option("grad_cam")
    page.get_by_label("Layer").focus()
    for _ in range(2):
        page.keyboard.press("ArrowDown")
        assert focused(page) == "Layer"


def test_an_answer_keeps_the_focus(page):
    go(page, "photo")
    page.locator("button.bar-row").nth(1).focus()
    key = focused(page)
    page.keyboard.press("Enter")
    page.wait_for_selector("button.bar-row[aria-pressed=true] >> text=Egyptian cat")
    assert focused(page) == key
    assert page.get_by_label("Target").input_value() == "285"


def test_a_view_that_is_drawn_anew_keeps_the_focus(page):
    go(page, "network")
    for label in ("Layer", "Order"):
        page.get_by_label(label).focus()
        page.keyboard.press("ArrowDown")
        page.wait_for_selector(".tile-button")
        assert focused(page) == label
    thumbnail = page.locator(".thumbnail").nth(2)
    thumbnail.focus()
    key = focused(page)
    page.keyboard.press("Enter")
    page.wait_for_selector(".tile-button")
    assert focused(page) == key == thumbnail.get_attribute("data-key")
    page.goto("/unit?photo=sample-chelsea&unit=blocks.2:7&steps=2")
    page.wait_for_selector(".signed-bars")
    page.get_by_role("link", name="Unit after").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:text-is('blocks.2:8')")
    page.wait_for_selector(".signed-bars")
    assert focused(page) == "Unit after"


def test_another_view_begins_with_the_focus(page):
    go(page, "network")
    page.get_by_role("link", name="Photo", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".stage-card")
    assert focused(page) == "MAIN"
    page.keyboard.press("Tab")
    assert focused(page) == "add photo"
    page.get_by_role("link", name="Camera").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Start camera")
    page.go_back()
    page.wait_for_selector(".stage-card")
    assert focused(page) == "MAIN"
