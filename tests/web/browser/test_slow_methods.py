"""A slow method on the page: what is shown while it runs, when it is stopped, and after it."""

from __future__ import annotations

import pytest

from tests.web.browser.pages import go

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def slow(page):
    """The photo's page, where RISE runs."""
    go(page, "photo")
    page.wait_for_selector(".scale:visible")
    page.get_by_label("Method").select_option("rise")
    page.wait_for_selector(".working:visible")
    return page


def test_nothing_of_the_last_map_is_shown(slow):
    assert not slow.locator(".scale").is_visible()
    assert not slow.locator(".heat").is_visible()


def test_a_quick_method_afterwards_has_no_progress_bar(slow):
    slow.get_by_label("Method").select_option("saliency")
    slow.wait_for_selector(".map-title:has-text('· saliency')")
    assert not slow.locator(".working").is_visible()
    assert slow.locator(".scale").is_visible()


def test_stop_is_no_error(slow):
    slow.wait_for_function("() => document.querySelector('.working progress').value > 0")
    slow.locator(".working button").focus()
    slow.keyboard.press("Enter")
    slow.wait_for_selector(".map-title:has-text('Stopped after')")
    assert not slow.locator(".working").is_visible()
    assert not slow.get_by_role("alert").is_visible()
    assert slow.evaluate("document.activeElement.dataset.key") == "Method"


def test_a_refused_target_leaves_the_photo_and_the_answers(page):
    page.goto("/photo?photo=sample-chelsea&target=zzz")
    page.get_by_role("alert").wait_for()
    assert "zzz" in page.get_by_role("alert").inner_text()
    page.wait_for_selector(".stage-card")
    assert page.locator(".side .bar-row").count() == 6
    assert page.locator(".frame .photo").evaluate("image => image.naturalWidth") > 100
    assert not page.locator(".heat").is_visible()


def test_a_refused_unit_has_nothing_to_stop(page):
    page.goto("/unit?photo=sample-chelsea&unit=zzz")
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("button", name="Stop", exact=True).count() == 0
    page.wait_for_function("() => document.querySelector('.frame .photo').naturalWidth > 100")


def test_the_camera_offers_quick_methods_only(page):
    page.goto("/camera?method=rise")
    page.get_by_role("alert").wait_for()
    assert "too slow for a camera" in page.get_by_role("alert").inner_text()
    names = page.get_by_label("Method").locator("option").all_inner_texts()
    assert "grad cam" in names
    assert not [name for name in names if "slow" in name]
    page.get_by_role("button", name="Start camera").click()
    page.wait_for_selector(".rate[data-rate]")
    assert not page.get_by_role("alert").is_visible()
