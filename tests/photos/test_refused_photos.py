"""Files that are no photo, or more than fits: one sentence, and no program started."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convscope.errors import ImageError
from convscope.photos.load_image import load_image
from tests.photos.expected import DATA


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("none.png", None, "no file"),
        ("empty.png", b"", "empty"),
        ("text.png", b"not a picture at all", "not a photo"),
        (".", None, "folder"),
        ("bad\0name.png", None, "no file|cannot be read"),
        ("x" * 5000, None, "cannot be read"),
    ],
)
def test_files_that_cannot_be_read(
    tmp_path: Path, name: str, data: bytes | None, words: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(ImageError, match=words) as caught:
        load_image(tmp_path / name)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "webp", "tiff"])
def test_truncated_files_at_every_length(tmp_path: Path, suffix: str) -> None:
    whole = tmp_path / f"whole.{suffix}"
    Image.fromarray(np.repeat(np.repeat(DATA, 9, 0), 9, 1)).save(whole)
    data = whole.read_bytes()
    refused = 0
    for length in range(1, len(data), max(1, len(data) // 40)):
        try:
            load_image(data[:length])
        except ImageError:
            refused += 1
    assert refused >= 20
    with pytest.raises(ImageError):
        load_image(data[: len(data) // 2])


def bomb(width: int, height: int) -> bytes:
    """A PNG of 60 bytes that says it is very large."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + head
        + struct.pack(">I", zlib.crc32(head))
        + b"\0\0\0\0IDAT5\xaf\x06\x1e"
    )


@pytest.mark.parametrize("side", [12_000, 30_000])
def test_decompression_bombs_are_refused(side: int) -> None:
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    with pytest.raises(ImageError, match="bomb"):
        load_image(bomb(side, side))
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before


def test_a_hundred_megapixels_are_no_bomb() -> None:
    with pytest.raises(
        ImageError
    ) as caught:  # there is no pixel data in it, but its size is not the complaint
        load_image(bomb(11_600, 8_700))
    assert "bomb" not in str(caught.value)


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.eps"])
def test_only_the_promised_formats_are_decoded(tmp_path: Path, monkeypatch, name: str) -> None:
    """PostScript under any name: Pillow would start Ghostscript for it."""
    path = tmp_path / name
    Image.fromarray(DATA).save(path, format="EPS")
    monkeypatch.setattr("subprocess.Popen", lambda *args, **options: pytest.fail("a program ran"))
    monkeypatch.setattr("subprocess.check_call", lambda *args, **options: pytest.fail("it ran"))
    with pytest.raises(ImageError, match="JPEG, PNG, WebP, GIF, TIFF or BMP"):
        load_image(path)


@pytest.mark.parametrize("kind", ["PPM", "ICO", "TGA", "PCX", "ICNS", "SGI"])
def test_other_formats_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(DATA).resize((16, 16)).save(path, format=kind)
    with pytest.raises(ImageError, match="is not a photo that can be read"):
        load_image(path)


def test_a_photo_that_memory_has_no_room_for(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "large.png"
    Image.new("RGB", (400, 300)).save(path)
    monkeypatch.setattr("convscope.photos.limits.available_memory", lambda: 400 * 300 * 47)
    with pytest.raises(ImageError, match="memory that is free"):
        load_image(path)
    monkeypatch.setattr("convscope.photos.limits.available_memory", lambda: 400 * 300 * 48)
    assert load_image(path).shape == (1, 3, 300, 400)
