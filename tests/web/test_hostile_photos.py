"""Photos that are none, too large, or called like a script."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from convscope.web.limits import FRAME_BYTES, UPLOAD_BYTES
from tests.web.conftest import ORIGIN
from tests.web.hostile import CAT, refused

pytestmark = pytest.mark.usefixtures("still_answers")


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
