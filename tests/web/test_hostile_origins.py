"""Who may ask: another host's name, another site's page, and nobody without the token."""

from __future__ import annotations

import html
import re

import pytest
from starlette.testclient import TestClient

from convscope.web.application import create_app
from convscope.web.guard import Access
from tests.web.conftest import ORIGIN
from tests.web.hostile import refused

pytestmark = pytest.mark.usefixtures("still_answers")


def next_address(response):
    """Where a page goes on to by itself."""
    refresh = re.search(r'<meta http-equiv="refresh" content="0; url=([^"]*)">', response.text)
    return refresh and html.unescape(refresh[1])


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1",
        "127.0.0.1:8001",
        "127.0.0.1:8000@evil.example",
        "evil.example@127.0.0.1:8000",
        "127.0.0.1.evil.example:8000",
        "localhost.evil.example:8000",
        "127.0.0.1:8000/evil",
        "127.0.0.1:99999",
        "0.0.0.0:8000",
        "[::ffff:127.0.0.1]:8000",
        "",
    ],
)
def test_another_name_is_refused(client, host):
    """DNS rebinding: a name of somebody else's that leads here."""
    refused(client.get("/api/state", headers={"host": host}), 403)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "LOCALHOST:8000"]
)
def test_our_names_are_not(client, host):
    assert client.get("/photo", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "https://127.0.0.1:8000"},
        {"origin": "http://127.0.0.1:8001"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1:8000.evil.example"},
        {"origin": "file://"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
        {"sec-fetch-site": "nonsense"},
    ],
)
def test_another_site_may_not_ask(client, headers):
    refused(client.get("/api/state", headers=headers), 403)


@pytest.mark.parametrize("path", ["/api/photos", "/api/frame", "/api/job/stop", "/api/job/leave"])
@pytest.mark.parametrize("headers", [{}, {"origin": "http://evil.example"}, {"origin": "null"}])
def test_another_site_may_not_send(client, path, headers):
    refused(client.post(path, content=b"x", headers=headers), 403)


def test_a_link_from_another_site_opens_the_page(client):
    """Only the page: nothing is computed for it."""
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/photo", headers=link).status_code == 200


@pytest.mark.parametrize(
    "method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "X" * 99]
)
def test_other_ways_to_ask(client, method):
    refused(client.request(method, "/api/state", headers=ORIGIN), 405)


class TestAnotherHost:
    """Bound to more than this machine: nobody gets in without the token."""

    @pytest.fixture
    def access(self):
        return Access.on("192.0.2.7", 8000)

    @pytest.fixture
    def outside(self, microscope, access):
        return TestClient(create_app(microscope, access), base_url="http://192.0.2.7:8000")

    def test_the_address_holds_the_token(self, access):
        assert len(access.token) >= 32
        assert access.address == f"http://192.0.2.7:8000/?token={access.token}"
        assert Access.on("127.0.0.1", 8000).address == "http://127.0.0.1:8000/"
        assert Access.on("192.0.2.7", 8000).token != access.token

    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/photo",
            "/api/state",
            "/static/app.js",
            "/?token=",
            "/?token=x",
            "/api/state?token={token}",
        ],
    )
    def test_nothing_without_it(self, outside, access, path):
        refused(outside.get(path.format(token=access.token)), 401)

    @pytest.mark.parametrize("cookie", ["", "x", "{token}x", "convscope-8000", "a=\x7f; ;;"])
    def test_another_cookie(self, outside, access, cookie):
        headers = {"cookie": f"convscope-8000={cookie.format(token=access.token)}"}
        refused(outside.get("/api/state", headers=headers), 401)

    def test_the_token_opens_and_leaves_the_address(self, outside, access):
        response = outside.get(f"/unit?unit=a:1&token={access.token}", follow_redirects=False)
        assert response.status_code == 200
        assert next_address(response) == "/unit?unit=a%3A1"
        assert access.token not in response.text
        cookie = response.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert outside.get("/photo").status_code == 200

    @pytest.mark.parametrize(
        "path", ["/a'b\"c<script>", "/photo?photo='\"><script>alert(1)</script>", "/;url=x"]
    )
    def test_nothing_of_the_address_is_written_into_the_page(self, outside, access, path):
        mark = "&" if "?" in path else "?"
        page = outside.get(f"{path}{mark}token={access.token}").text
        assert "<script" not in page
        addresses = re.findall(r'(?:url|href)="?(/[^"<>\']*)"', page)
        assert len(addresses) == 2
        assert re.sub(r"<[^<>]*>", "", page) == "Convscope liveOpen the microscope"

    def test_a_browser_without_the_token_is_answered_with_a_page(self, outside):
        """Where a browser has the cookie, the link there is followed as this server's own."""
        response = outside.get("/photo?photo=<b>", headers={"accept": "text/html,*/*;q=0.8"})
        assert response.status_code == 401
        assert response.headers["content-type"].startswith("text/html")
        assert "Open the whole address that was printed" in response.text
        assert "<b>" not in response.text
        refused(outside.get("/api/state", headers={"accept": "text/html"}), 401)

    def test_a_token_leads_to_no_other_host(self, outside, access):
        response = outside.get(
            f"http://192.0.2.7:8000//evil.example/?token={access.token}", follow_redirects=False
        )
        assert next_address(response) == "/evil.example/"
        assert "location" not in response.headers

    def test_the_host_is_checked_all_the_same(self, outside, access):
        headers = {"host": "evil.example:8000"}
        refused(outside.get(f"/?token={access.token}", headers=headers), 403)

    def test_all_addresses_of_a_machine(self, microscope):
        access = Access.on("0.0.0.0", 8000)
        anywhere = TestClient(create_app(microscope, access), base_url="http://box.local:8000")
        refused(anywhere.get("/photo"), 401)
        assert anywhere.get(f"/photo?token={access.token}").status_code == 200


def test_websockets_are_closed(client):
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/api/state"):
        pass
