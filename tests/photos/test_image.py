"""Photos of every kind in; expected values from Pillow, torchvision and timm, or from paper."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import convscope
from convscope.errors import ImageError, OptionError
from convscope.photos.fingerprint import fingerprint
from convscope.photos.load_image import load_image, load_photos
from convscope.photos.pixels import array_to_image
from convscope.photos.resize import resize_shorter_and_crop
from tests.photos.expected import DATA, as_tensor


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp"])
def test_lossless_files_give_their_pixels(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"photo.{suffix}"
    Image.fromarray(DATA).save(path, **({"lossless": True} if suffix == "webp" else {}))
    for given in (path, str(path), path.read_bytes(), Image.open(path)):
        image = load_image(given)
        assert image.dtype == torch.float32
        assert torch.allclose(image, as_tensor(DATA), atol=1e-7)


def test_rgb_kept_when_gray_palette_bilevel(tmp_path: Path) -> None:
    gray = Image.fromarray(DATA[..., 0])
    assert torch.equal(load_image(gray), as_tensor(np.repeat(DATA[..., :1], 3, axis=2)))
    palette = Image.fromarray(DATA).quantize(8)
    assert torch.equal(load_image(palette), as_tensor(np.asarray(palette.convert("RGB"))))
    bilevel = gray.point(lambda value: 255 * (value > 127)).convert("1")
    assert set(load_image(bilevel).unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_shows_the_background(mode: str) -> None:
    if mode == "P":
        photo = Image.new("P", (2, 1))
        photo.putpalette([255, 0, 0, 0, 0, 255])
        photo.putpixel((1, 0), 1)
        photo.info["transparency"] = 0
        opaque = (0.0, 0.0, 1.0)
    else:
        photo = Image.fromarray(
            np.array([[[200] * (len(mode) - 1) + [0], [100] * (len(mode) - 1) + [255]]], np.uint8),
            mode,
        )
        opaque = (100 / 255,) * 3
    image = load_image(photo, background="#00ff00")
    assert image[0, :, 0, 0].tolist() == [0, 1, 0]
    assert image[0, :, 0, 1].tolist() == pytest.approx(opaque)
    assert load_image(photo)[0, :, 0, 0].tolist() == [1, 1, 1]


def test_half_transparent_black_on_white_is_gray() -> None:
    image = load_image(Image.new("RGBA", (1, 1), (0, 0, 0, 51)))
    assert image.flatten().tolist() == pytest.approx([0.8] * 3, abs=1 / 255)


def test_cmyk_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "ink.jpg"
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(path, quality=100)
    assert load_image(path)[0, :, 4, 4].tolist() == pytest.approx([1, 0, 0], abs=3 / 255)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bits_are_scaled_not_cut(tmp_path: Path, suffix: str) -> None:
    values = np.array([[0, 255, 32768, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / f"deep.{suffix}")
    image = load_image(tmp_path / f"deep.{suffix}")
    assert image.shape == (1, 3, 1, 4)
    assert torch.allclose(image[0, 1, 0], torch.tensor([0, 255 / 65535, 32768 / 65535, 1.0]))


def test_sixteen_bit_color_png(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head, row = (
        struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0),
        b"\0" + struct.pack(">HHH", 65535, 0, 32768),
    )
    png = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(row))
        + chunk(b"IEND", b"")
    )
    assert load_image(png).flatten().tolist() == pytest.approx([1, 0, 0.5], abs=1 / 255)


def test_modes_i_and_f() -> None:
    assert load_image(Image.fromarray(np.array([[0, 65535]], np.int32)))[0, 0, 0].tolist() == [0, 1]
    assert load_image(Image.fromarray(np.array([[0.25, 1]], np.float32)))[0, 0, 0].tolist() == [
        0.25,
        1,
    ]
    with pytest.raises(ImageError, match="65535"):
        load_image(Image.fromarray(np.array([[0, 70000]], np.int32)))
    with pytest.raises(ImageError, match=r"\[0, 1\]"):
        load_image(Image.fromarray(np.array([[0, 17]], np.float32)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int) -> None:
    # The stored array for which each tag value shows DATA upright, from the EXIF standard's table
    # of row 0 and column 0.
    transposed = DATA.transpose(1, 0, 2)
    stored = {
        1: DATA,
        2: DATA[:, ::-1],
        3: DATA[::-1, ::-1],
        4: DATA[::-1],
        5: transposed,
        6: transposed[::-1],
        7: transposed[::-1, ::-1],
        8: transposed[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "turned.png", exif=exif)
    assert torch.equal(load_image(tmp_path / "turned.png"), as_tensor(DATA))


def test_first_frame_and_first_page(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    for name in ("a.gif", "a.tiff"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        assert load_image(tmp_path / name)[0, :, 0, 0].tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((8, 9), (1, 1, 8, 9)),
        ((8, 9, 3), (1, 3, 8, 9)),
        ((8, 9, 4), (1, 4, 8, 9)),
        ((8, 9, 1), (1, 1, 8, 9)),
        ((64, 65, 6), (1, 6, 64, 65)),
        ((6, 64, 65), (1, 6, 64, 65)),
        ((3, 8, 9), (1, 3, 8, 9)),
        ((1, 8, 9), (1, 1, 8, 9)),
        ((1, 1, 3), (1, 3, 1, 1)),
        ((2, 8, 9, 3), (2, 3, 8, 9)),
        ((2, 3, 8, 9), (2, 3, 8, 9)),
    ],
)
def test_arrays_keep_their_channels(shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    assert load_image(np.zeros(shape, np.uint8)).shape == wanted


def test_channels_are_moved_not_reshaped() -> None:
    assert torch.equal(load_image(DATA), as_tensor(DATA))
    assert torch.equal(load_image(DATA.transpose(2, 0, 1)), as_tensor(DATA))


@pytest.mark.parametrize("shape", [(1797, 8, 8), (64, 64, 64), (5,), (1, 2, 3, 4, 5)])
def test_arrays_that_could_be_anything_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match=r"ax[ie]s"):
        load_image(np.zeros(shape, np.uint8))


def test_number_types() -> None:
    assert load_image(np.array([[True, False]])).flatten().tolist() == [1, 0]
    assert load_image(np.array([[65535, 0]], ">u2")).flatten().tolist() == [1, 0]
    assert load_image(np.array([[0.5]])).item() == 0.5
    assert load_image(
        torch.tensor([[[255, 51]]], dtype=torch.uint8)
    ).flatten().tolist() == pytest.approx([1, 0.2])
    assert load_image(torch.full((3, 2, 2), 0.5, dtype=torch.float16)).dtype == torch.float32


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.array([[0, 255.0]]), "divide by 255"),
        (np.array([[-1, 1.0]]), r"-1 to 1.*\[0, 1\]"),
        (np.array([[np.nan, 1.0]]), "NaN"),
        (np.array([[np.inf, 1.0]]), "inf"),
        (np.array([[1, 2]]), "int64.*uint8"),
        (np.array([["a"]]), "type"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
        (torch.zeros(224, 224, 3), "permute"),
        (torch.zeros(3, dtype=torch.float32), "axes"),
        (torch.zeros(1, 2, 2, dtype=torch.int32), "uint8"),
        (Image.new("RGB", (0, 3)), "no pixels"),
        (3.5, "float"),
        (None, "NoneType"),
        ([], "No photo"),
    ],
)
def test_what_is_no_photo_is_refused_in_one_sentence(given: object, words: str) -> None:
    with pytest.raises(ImageError, match=words) as caught:
        load_image(given)  # type: ignore[arg-type]
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_rounding_outside_the_range_is_clamped() -> None:
    assert load_image(np.array([[1.000001, -1e-7]])).flatten().tolist() == [1, 0]


def test_the_callers_memory_is_not_shared() -> None:
    actual = torch.full((1, 3, 4, 4), 0.5)
    load_image(actual).zero_()
    assert actual.min() == 0.5


def test_tensors_from_inference_mode_can_be_differentiated() -> None:
    with torch.inference_mode():
        image = load_image(torch.rand(3, 4, 4))
    assert not image.is_inference()


def test_batches() -> None:
    a, b = DATA, 255 - DATA
    assert load_image(a, b).shape == (2, 3, 6, 9)
    assert load_image([a, [b, np.stack([a, b])]]).shape == (4, 3, 6, 9)
    with pytest.raises(ImageError, match=r"6 x 9, 8 x 8.*size="):
        load_image(a, np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ImageError, match="1 and 3 channels"):
        load_image(a, a[..., 0])
    assert load_image(a, np.zeros((8, 8, 3), np.uint8), size=5).shape == (2, 3, 5, 5)
    assert [tuple(photo.shape) for photo in load_photos([a, np.zeros((8, 8), bool)])] == [
        (1, 3, 6, 9),
        (1, 1, 8, 8),
    ]


def test_wrong_options() -> None:
    with pytest.raises(OptionError, match="color"):
        load_image(DATA, background="whyte")
    with pytest.raises(OptionError, match="from 1 to"):
        load_image(DATA, size=0)
    with pytest.raises(OptionError, match="crop_fraction"):
        resize_shorter_and_crop(load_image(DATA), (4, 4), crop_fraction=0)
    with pytest.raises(ImageError, match="narrow"):
        resize_shorter_and_crop(torch.zeros(1, 3, 1, 100_000), (224, 224))


def test_fingerprints() -> None:
    image = load_image(DATA)
    assert fingerprint(image) == fingerprint(load_image(DATA.copy()))
    assert len(fingerprint(image)) == 64
    assert fingerprint(image) != fingerprint(image.flip(-1))
    assert fingerprint(torch.zeros(1, 1, 2, 3)) != fingerprint(torch.zeros(1, 1, 3, 2))


def test_fingerprints_tell_float_photos_apart() -> None:
    photo = load_image(DATA)
    assert fingerprint(photo) != fingerprint((photo + 1e-4).clamp(0, 1))
    pixels = DATA.transpose(2, 0, 1)[None]
    expected = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    assert fingerprint(photo) == expected, "of 8-bit photos as before"


def test_a_photo_from_memory_is_read_once(monkeypatch):
    """Reading a photo of a phone takes as long as the network does."""
    reads = []

    def read(array):
        reads.append(array)
        return array_to_image(array)

    monkeypatch.setattr("convscope.photos.load_image.array_to_image", read)
    photo = np.zeros((64, 64, 3), np.uint8)
    result = convscope.predict(convscope.load_model(), [photo, photo])
    assert len(reads) == 2
    assert [record["path"] for record in result.provenance["photos"]] == [None, None]
