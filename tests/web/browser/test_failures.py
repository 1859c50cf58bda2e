"""What goes wrong is a sentence, and a lost connection comes back."""

from __future__ import annotations

import pytest

from tests.web.browser.pages import go

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


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
