"""The address that is printed for another host, opened as people open it: by a link."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from convscope.web.guard import Access
from convscope.web.live import Live
from convscope.web.microscope import Microscope
from tests.web.browser.pages import watched_page

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def guarded(embedded):
    """A server that wants its token, at 127.0.0.1, and its port."""
    bound = socket.create_server(("127.0.0.1", 0))
    access = Access("0.0.0.0", bound.getsockname()[1], "a-token-of-24-letters-xx")
    with Live(Microscope(embedded), access, bound) as running:
        yield running.address.replace("0.0.0.0", "127.0.0.1")


@pytest.fixture
def elsewhere(guarded):
    """Another site (localhost is one to a browser), whose page links to the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            page = f"""<!doctype html><title>mail</title><a id="whole" href="{guarded}">see</a>
                <a id="short" href="{guarded.partition("?")[0]}network">see</a>"""
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_a_link_on_another_site_opens_the_microscope(chromium, guarded, elsewhere):
    page, wrong = watched_page(chromium, elsewhere)
    try:
        page.goto("/")
        page.click("#short")
        page.get_by_text("Open the whole address that was printed").wait_for()
        page.goto("/")
        page.click("#whole")
        page.wait_for_selector(".bars li")
        assert "token" not in page.url
        (cookie,) = page.context.cookies(page.url)
        assert (cookie["sameSite"], cookie["httpOnly"]) == ("Strict", True)
        page.reload()
        page.wait_for_selector(".bars li")
        page.go_back()
        assert page.url.startswith("http://localhost")
        # Where a colleague's link without the token leads, once this browser has it.
        page.click("#short")
        page.get_by_role("link", name="go on").click()
        page.wait_for_selector(".tile-button")
    finally:
        page.context.close()
    assert wrong == []
