"""Requests that no page of ours sends: each is refused with a sentence, and the server goes on."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from convscope.web.application import create_app
from convscope.web.guard import Access
from convscope.web.limits import FRAME_BYTES, UPLOAD_BYTES

ADDRESS = "http://127.0.0.1:8000"
ORIGIN = {"origin": ADDRESS}
CAT = "photo=sample-chelsea"


def refused(response, *statuses):
    """A refusal is one sentence of JSON, under the headers of every answer, with no traceback."""
    assert response.status_code in statuses, (response.status_code, response.text[:300])
    said = response.json()["error"]
    assert said.endswith((".", "?"))
    assert "Traceback" not in said
    assert "\n" not in said
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"
    return said


@pytest.fixture(autouse=True)
def _goes_on(client):
    """After every one of these the server still answers its own page."""
    yield
    assert client.get("/photo").status_code == 200


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


@pytest.mark.parametrize("path", ["/api/photos", "/api/frame", "/api/job/stop"])
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


@pytest.mark.parametrize(
    "photo",
    [
        "/etc/passwd",
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "sample:chelsea",
        "file:///etc/passwd",
        "http://evil.example/cat.png",
        "\\\\evil\\share\\cat.png",
        "upload-",
        "photo-999999",
        "sample-chelsea\u0000.png",
        "",
        "__class__",
    ],
)
def test_a_photo_is_a_number_and_no_path(client, photo):
    refused(client.get("/api/look", params={"photo": photo}), 404)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../application.py",
        "/static/..%2fapplication.py",
        "/static/%2e%2e/application.py",
        "/static//etc/passwd",
        "/static/",
        "/api/photos/..%2f..%2fetc%2fpasswd",
        "/api/photos/sample-chelsea/../../state",
        "/docs",
        "/redoc",
        "/openapi.json",
    ],
)
def test_a_path_leads_nowhere_else(client, path):
    response = client.get(path, follow_redirects=False)
    if response.status_code == 200:  # the client itself made it an address of ours
        assert response.headers["content-type"] == "application/json"
        assert "model" in response.json()
    else:
        refused(response, 403, 404, 405)


@pytest.mark.parametrize(
    "query",
    [
        f"verb=explain&{CAT}&target=like:/etc/passwd",
        f"verb=explain&{CAT}&target=LIKE:photo2.jpg",
        f"verb=explain&{CAT}&target=tabby vs like:photo2.jpg",
        f"verb=explain&{CAT}&target=no such class",
        f"verb=explain&{CAT}&target=999999",
        f"verb=explain&{CAT}&target={','.join(map(str, range(50)))}",
        f"verb=explain&{CAT}&target={'9' * 399}",
        f"verb=explain&{CAT}&method=../../cli/main",
        f"verb=explain&{CAT}&method=os.system",
        f"verb=explain&{CAT}&method=__init__",
        f"verb=explain&{CAT}&method=grad_cam,saliency",
        f"verb=explain&{CAT}&layer=*",
        f"verb=explain&{CAT}&layer=__class__",
        f"verb=explain&{CAT}&layer=blocks.5,nowhere",
        f"verb=explain&{CAT}&seed=nan",
        f"verb=explain&{CAT}&half=true",
        f"verb=explain&{CAT}&device=cuda",
        f"verb=explain&{CAT}&model=file:/etc/passwd",
        f"verb=explain&{CAT}&out=/tmp/x.png",
        f"verb=explain&{CAT}&{CAT}",
        f"verb=report&{CAT}&out=/tmp/x.html",
        f"verb=rerun&path=/etc/passwd&{CAT}",
        f"verb=load_model&model=file:evil.pt&{CAT}",
        f"verb=live&{CAT}",
        f"verb=__import__&{CAT}",
        f"verb=&{CAT}",
        f"verb=activations&{CAT}&layers=*",
        f"verb=activations&{CAT}&layers=blocks.?",
        f"verb=predict&{CAT}&top=1000000",
        f"verb=predict&{CAT}&top=0",
        f"verb=predict&{CAT}&top=1e9",
        f"verb=intervene&{CAT}&unit=blocks.3:11&scale=inf",
        f"verb=intervene&{CAT}&unit=blocks.3:11&scale=1e30",
        f"verb=intervene&{CAT}&unit=blocks.3:999999",
        f"verb=intervene&{CAT}&unit=/etc/passwd:0",
        f"verb=intervene&{CAT}",
        f"verb=place&{CAT}&row=-5&column=3",
        f"verb=place&{CAT}&row=99999999&column=3",
        f"verb=place&{CAT}&row=1.5&column=x",
        f"verb=place&{CAT}&row=120",
        "verb=visualize&units=blocks.3:11",
        f"verb=explain&{CAT}&method=rise",
        f"verb=explain&{CAT}&target={'x' * 500}",
    ],
)
def test_an_argument_is_checked(client, query):
    refused(client.get(f"/api/png?{query}"), 400, 404)


@pytest.mark.parametrize(
    "query",
    [
        "verb=visualize",
        "verb=visualize&units=",
        "verb=visualize&units=*",
        "verb=visualize&units=blocks.3:*",
        "verb=visualize&units=logit(tabby)",
        "verb=visualize&units=" + ",".join(f"blocks.3:{index}" for index in range(17)),
        "verb=visualize&units=blocks.3:11&steps=100000",
        "verb=visualize&units=blocks.3:11&steps=0",
        "verb=visualize&units=blocks.3:11&size=5000",
        "verb=visualize&units=blocks.3:11&size=0",
        "verb=visualize&units=blocks.3:11&preset=../presets/quick",
        "verb=visualize&units=blocks.3:11&photo=/etc/passwd",
        "verb=visualize&units=blocks.3:11&parameterization=evil",
        f"verb=predict&{CAT}",
        f"verb=explain&{CAT}&method=rise&samples=100000000",
        f"verb=explain&{CAT}&method=rise&batch=100000",
    ],
)
def test_long_work_is_checked_before_it_begins(client, microscope, query):
    refused(client.get(f"/api/job?{query}"), 400, 404)
    assert microscope.long.running() == 0


def test_an_address_without_end(client):
    refused(client.get(f"/api/look?{CAT}&target={'x' * 5000}"), 414)
    refused(client.get(f"/{'x' * 5000}"), 414)


def png(width, height):
    """A PNG that says it is so large, with next to nothing in it."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 99))
        + chunk(b"IEND", b"")
    )


def encoded(kind, size=(40, 30), **options):
    buffer = io.BytesIO()
    Image.new("RGB", size, "red").save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<html><script>alert(1)</script></html>",
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"\x80\x04\x95pickle",
        b"PK\x03\x04 a zip",
        b"GIF89a",
        b"\xff\xd8\xff\xe0 cut short",
        encoded("PNG")[:-40],
        encoded("JPEG")[:200],
        encoded("PPM"),
        encoded("ICO"),
        png(100_000, 100_000),
        png(20_000, 20_000),
        png(8_000, 7_000),
        png(0, 10),
        png(2**31 - 1, 2**31 - 1),
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_sent_must_be_a_photo(client, body):
    refused(client.post("/api/photos", content=body, headers=ORIGIN), 400)
    refused(client.post("/api/frame", content=body, headers=ORIGIN), 400)


@pytest.mark.parametrize(
    ("path", "most"), [("/api/photos", UPLOAD_BYTES), ("/api/frame", FRAME_BYTES)]
)
def test_too_many_bytes(client, path, most):
    refused(client.post(path, content=b"x" * (most + 1), headers=ORIGIN), 413)


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "\u0661", str(10**18)])
def test_a_length_that_is_none(client, length):
    headers = ORIGIN | {"content-length": length.encode()}
    refused(client.post("/api/photos", content=b"x", headers=headers), 413)


def test_a_body_that_does_not_say_how_long_it_is(client):
    """Counted as it comes in."""

    def parts():
        for _ in range(UPLOAD_BYTES // 2**20 + 2):
            yield b"x" * 2**20

    refused(client.post("/api/photos", content=parts(), headers=ORIGIN), 413)


def test_exif_is_dropped_and_its_orientation_applied(client):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise by 90 degrees
    exif[0x010F] = "a camera's maker"
    exif.get_ifd(0x8825)[1] = "N"  # GPS
    body = encoded("JPEG", (40, 30), exif=exif)
    photo = client.post("/api/photos?name=cat.jpg", content=body, headers=ORIGIN).json()
    assert (photo["height"], photo["width"]) == (40, 30)
    shown = client.get(f"/api/photos/{photo['id']}").content
    assert b"camera" not in shown
    assert not Image.open(io.BytesIO(shown)).getexif()
    saved = client.get(f"/api/png?verb=explain&photo={photo['id']}").content
    assert b"camera's maker" not in saved


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>.png",
        "../../etc/passwd",
        "C:\\windows\\cat.png",
        "x" * 3000,
        "a\r\nset-cookie: b=c",
        "\u202egnp.tac",
        "$(rm -rf ~).png",
    ],
)
def test_a_name_is_only_shown(client, name):
    """It is data in JSON; the page writes it as text, and no command line holds it."""
    response = client.post(
        "/api/photos", params={"name": name}, content=encoded("PNG"), headers=ORIGIN
    )
    photo = response.json()
    assert response.headers["content-type"] == "application/json"
    assert "set-cookie" not in response.headers
    assert len(photo["name"]) <= 80
    assert photo["name"].isprintable()
    assert "/" not in photo["name"].replace("</script>", "")
    assert photo["source"] is None
    recipe = client.get(f"/api/recipe?verb=predict&photo={photo['id']}").json()
    assert recipe["command"] == "convscope predict PHOTO --out predict.png"


def test_a_command_is_quoted(client):
    query = f"verb=explain&{CAT}&target=$(rm -rf ~); `x` 'y'"
    assert (
        "--target '$(rm -rf ~); `x` '\"'\"'y'\"'\"''"
        in client.get(f"/api/recipe?{query}").json()["command"]
    )


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
        assert response.status_code == 303
        assert response.headers["location"] == "/unit?unit=a%3A1"
        cookie = response.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert outside.get("/photo").status_code == 200

    def test_a_token_leads_to_no_other_host(self, outside, access):
        response = outside.get(
            f"http://192.0.2.7:8000//evil.example/?token={access.token}", follow_redirects=False
        )
        assert not response.headers.get("location", "/").startswith("//")

    def test_the_host_is_checked_all_the_same(self, outside, access):
        headers = {"host": "evil.example:8000"}
        refused(outside.get(f"/?token={access.token}", headers=headers), 403)

    def test_all_addresses_of_a_machine(self, microscope):
        access = Access.on("0.0.0.0", 8000)
        anywhere = TestClient(create_app(microscope, access), base_url="http://box.local:8000")
        refused(anywhere.get("/photo"), 401)
        assert anywhere.get(f"/photo?token={access.token}").status_code == 200


def test_the_page_runs_only_its_own_scripts(client):
    page = client.get("/photo")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    for forbidden in ("<style", "onclick=", "style=", "http://", "https://", "javascript:"):
        assert forbidden not in page.text
    assert page.text.count("<script") == page.text.count('src="/static/app.js"></script>') == 1


def test_no_other_host_is_named_in_the_scripts(client):
    import re

    from convscope.web.application import STATIC

    for path in STATIC.glob("*.js"):
        text = path.read_text()
        assert not re.search(r"https?://", text), path.name
        for word in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
        ):
            assert word not in text, (path.name, word)


def test_websockets_are_closed(client):
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/api/state"):
        pass


def test_numbers_that_json_has_not(client):
    """A photo of one color and a unit that is zero give answers that a browser can read."""
    white = Image.fromarray(np.full((30, 30, 3), 255, np.uint8))
    buffer = io.BytesIO()
    white.save(buffer, "PNG")
    photo = client.post("/api/photos", content=buffer.getvalue(), headers=ORIGIN).json()
    text = client.get(f"/api/look?photo={photo['id']}").text
    assert "NaN" not in text
    assert "Infinity" not in text
