"""A picture is watched while it is made, stopped, left, and found again."""

from __future__ import annotations

import socket

import pytest

from convscope.web.guard import Access
from convscope.web.live import Live
from convscope.web.microscope import Microscope
from tests.web.browser.pages import watched_page
from tests.web.browser.wire import Wire

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


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


def test_leaving_the_view_ends_its_work(page, server):
    page.goto("/unit?photo=sample-chelsea&unit=blocks.4:23&steps=1000")
    page.wait_for_selector("img.made:not([hidden])")
    page.get_by_role("link", name="Network").click()
    page.wait_for_selector(".tile-button")
    page.wait_for_timeout(500)
    assert server.microscope.long.running() == 0


def test_a_lost_connection_finds_the_optimization_still_running(chromium, embedded):
    """The page on the far end of a wire that is cut and mended: the picture goes on sharpening,
    from the step it is at, and is not begun anew."""
    wire = Wire()
    microscope = Microscope(embedded)
    bound = socket.create_server(("127.0.0.1", 0))
    wire.target = bound.getsockname()[1]
    running = Live(microscope, Access("127.0.0.1", wire.port), bound)
    page, wrong = watched_page(chromium, running.address)
    try:
        page.goto("/unit?photo=sample-chelsea&unit=blocks.4:24&steps=1000")
        state = page.locator("[aria-label='What it looks for'] [role=status]")
        page.wait_for_selector("text=/Step (8|9|[1-9][0-9]+) of 1000/")
        before = int(state.inner_text().split()[1])
        work = next(iter(microscope.long._work.values()))
        wire.cut()
        page.get_by_text("Connection lost").wait_for()
        page.wait_for_timeout(1500)
        assert not work.stopped.is_set()
        wire.mend()
        page.get_by_text("Connection lost").wait_for(state="hidden")
        page.wait_for_function(
            """([panel, before]) => {
              const state = document.querySelector(`${panel} [role=status]`);
              return Number(state.textContent.split(" ")[1]) > before;
            }""",
            arg=["[aria-label='What it looks for']", before],
        )
        assert list(microscope.long._work.values()) == [work]
        page.get_by_role("button", name="Stop", exact=True).click()
        page.wait_for_selector("text=/interrupted after \\d+ of 1000 steps/")
    finally:
        page.context.close()
        wire.close()
        running.stop()
    assert [text for text in wrong if "ERR_" not in text] == []
