"""Property: any bytes are a photo or one sentence, whatever was changed, cut out or put in."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from convscope.errors import ImageError, InputError
from convscope.photos.load_image import load_image
from convscope.results.png import PNG_KEY, read_provenance

RNG = np.random.default_rng(0)
PIXELS = Image.fromarray(RNG.integers(0, 256, (24, 17, 3), dtype=np.uint8))
FORMATS: dict[str, dict[str, Any]] = {
    "png": {},
    "png (interlaced, 16-bit gray)": {"mode": "I;16"},
    "png (palette)": {"mode": "P"},
    "jpeg": {"quality": 80},
    "jpeg (progressive)": {"progressive": True, "exif": True},
    "webp": {},
    "gif": {},
    "tiff": {"compression": "tiff_lzw"},
    "bmp": {},
}


def encoded(kind: str) -> bytes:
    """A small photo in one of the formats."""
    options = dict(FORMATS[kind])
    mode = options.pop("mode", None)
    picture = PIXELS
    if mode == "I;16":
        picture = Image.fromarray(RNG.integers(0, 65536, (24, 17), dtype=np.uint16))
    elif mode:
        picture = PIXELS.convert(mode)
    if options.get("exif"):
        exif = Image.Exif()
        exif[0x0112] = 6
        options["exif"] = exif
    buffer = io.BytesIO()
    picture.save(buffer, kind.split()[0], **options)
    return buffer.getvalue()


WHOLE = {kind: encoded(kind) for kind in FORMATS}

places = st.floats(0, 1, exclude_max=True)
"""Where, as a share of the length."""

changes = st.one_of(
    st.tuples(st.just("set"), places, st.integers(0, 255)),
    st.tuples(st.just("flip"), places, st.integers(0, 7)),
    st.tuples(st.just("cut"), places, st.integers(1, 40)),
    st.tuples(st.just("insert"), places, st.binary(min_size=1, max_size=12)),
    st.tuples(st.just("repeat"), places, st.integers(1, 64)),
    st.tuples(st.just("end"), places, st.none()),
)


def changed(data: bytes, edits: list[tuple[str, float, Any]]) -> bytes:
    """The bytes after some edits."""
    edited = bytearray(data)
    for what, share, value in edits:
        at = int(share * len(edited))
        if what == "set" and edited:
            edited[at] = value
        elif what == "flip" and edited:
            edited[at] ^= 1 << value
        elif what == "cut":
            del edited[at : at + value]
        elif what == "insert":
            edited[at:at] = value
        elif what == "repeat":
            edited[at:at] = edited[at : at + value]
        elif what == "end":
            del edited[at:]
    return bytes(edited)


def assert_photo_or_sentence(data: bytes) -> bool:
    """Whether it is a photo; anything else than one sentence fails."""
    try:
        photo = load_image(data)
    except ImageError as error:
        said = str(error)
        assert said.endswith(".")
        assert "\n" not in said
        assert len(said) < 500
        return False
    assert photo.shape[:2] == (1, 3)
    assert photo.dtype == torch.float32
    assert float(photo.min()) >= 0
    assert float(photo.max()) <= 1
    return True


@pytest.mark.parametrize("kind", FORMATS)
def test_an_unchanged_file_is_a_photo(kind):
    assert assert_photo_or_sentence(WHOLE[kind])


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=100, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
@given(edits=st.lists(changes, min_size=1, max_size=6))
def test_a_damaged_file_is_a_photo_or_a_sentence(kind, edits):
    assert_photo_or_sentence(changed(WHOLE[kind], edits))


@settings(max_examples=200, deadline=2000)
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"II*\0"]),
)
def test_bytes_behind_a_signature(data, start):
    assert_photo_or_sentence(start + data)


def provenance_png() -> bytes:
    info = PngInfo()
    info.add_itxt(PNG_KEY, '{"schema": 1, "verb": "predict"}')
    buffer = io.BytesIO()
    PIXELS.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


RECORD = provenance_png()


@settings(
    max_examples=90,
    deadline=2000,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(edits=st.lists(changes, max_size=6))
@example(edits=[])
def test_a_damaged_picture_has_a_record_or_a_sentence(edits, tmp_path):
    path = tmp_path / "p.png"
    path.write_bytes(changed(RECORD, edits))
    try:
        record = read_provenance(path)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert set(record) <= {"schema", "verb"}
