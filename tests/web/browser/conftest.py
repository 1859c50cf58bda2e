"""A real browser and the server whose page it opens; without a browser these tests are skipped."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import convscope
from tests.web.browser.pages import watched_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="package")
def server(embedded):
    with convscope.live(embedded, browser=False) as running:
        yield running


@pytest.fixture(scope="package")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    fake = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *fake])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, server):
    """A page in which every error of a script, and everything the policy refuses, is a failure."""
    page, wrong = watched_page(chromium, server.address)
    yield page
    page.context.close()
    assert wrong == []


@pytest.fixture
def two_colors():
    """A photo whose left half is red and whose right is green."""
    photo = np.zeros((32, 32, 3), np.float32)
    photo[:, :16, 0] = photo[:, 16:, 1] = 1
    return photo
