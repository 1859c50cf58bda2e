"""Colors, tiles, heat and text; expected values worked out on paper or read from matplotlib."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import colormaps
from PIL import Image

from convscope.errors import NumericError, OptionError
from convscope.results.pictures import (
    Panel,
    activation_tile,
    color,
    color_bar,
    is_blank,
    overlay_heat,
    scale_heat,
    sheet,
    to_rgb,
    to_uint8,
)
from convscope.results.pictures._bar import format_number
from convscope.results.pictures._layout import choose_columns, resize_to_fit
from convscope.results.pictures._text import SMALLEST, draw_text, font, text_size, wrap_text

INFERNO_HOT, INFERNO_COLD = (252, 255, 164), (0, 0, 4)
JET_HOT = (128, 0, 0)
"""The ends of the color maps, from their published tables."""


def test_uint8_rounds_and_never_wraps() -> None:
    assert to_uint8(np.array([0, 0.5, 1, 1.7, -0.3, 1.004, 254.6 / 255])).tolist() == [
        0,
        128,
        255,
        255,
        0,
        255,
        255,
    ]
    with pytest.raises(NumericError):
        to_uint8(np.array([np.nan]))


def test_eight_bits_survive_a_round_trip() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_uint8(levels.astype(np.float32) / np.float32(255)), levels)


def test_the_hottest_number_has_the_hottest_color() -> None:
    values = np.array([[-5, 0, 1, 300.0]])
    assert color(values).tolist() == [
        [list(INFERNO_COLD), list(INFERNO_COLD), list(INFERNO_HOT), list(INFERNO_HOT)]
    ]
    assert tuple(color(values, "jet")[0, 3]) == JET_HOT
    assert np.array_equal(
        color(np.array([[128.0]]), "viridis", 0, 255)[0, 0],
        np.rint(np.array(colormaps["viridis"](128)[:3]) * 255),
    )


def test_a_signed_map_is_centered_on_zero() -> None:
    left, middle, right = color(np.array([[-2.0, 0, 2]]), "RdBu_r", -2, 2)[0].astype(int)
    assert left[2] > left[0]
    assert right[0] > right[2]
    assert middle.min() >= 245


def test_colors_without_a_scale_and_unknown_colors() -> None:
    assert set(
        map(tuple, color(np.full((2, 2), 3.0), "inferno", 3, 3).reshape(-1, 3).tolist())
    ) == {INFERNO_COLD}
    with pytest.raises(OptionError, match="viridis"):
        color(np.zeros((1, 1)), "viridiss")


@pytest.mark.parametrize(
    ("channels", "wanted"), [(1, [7, 7, 7]), (2, [7, 7, 7]), (3, [7, 8, 9]), (6, [7, 8, 9])]
)
def test_any_number_of_channels_can_be_shown(channels: int, wanted: list[int]) -> None:
    assert (
        to_rgb(np.arange(7, 7 + channels, dtype=np.uint8).reshape(1, 1, channels))[0, 0].tolist()
        == wanted
    )
    assert to_rgb(np.full((2, 2), 7, np.uint8)).shape == (2, 2, 3)


def test_an_activation_tile_by_hand() -> None:
    # mean 2, standard deviation 2: 0 is one below (64 levels), 4 one above; 128 +- 64.
    assert activation_tile(np.array([[0, 4], [0, 4.0]])).tolist() == [[64, 192], [64, 192]]
    assert activation_tile(np.array([[0, 4], [0, 4.0]]), gain=128).tolist() == [[0, 255], [0, 255]]
    # One of 100 at 1: mean 0.01, standard deviation 0.0995, (1 - 0.01) / 0.0995 * 64 + 128 = 765,
    # clipped and not wrapped.
    spike = np.zeros((10, 10), np.float32)
    spike[3, 4] = 1
    tile = activation_tile(spike)
    assert tile[3, 4] == 255
    assert tile[0, 0] == round(128 - 64 * 0.01 / 0.0099**0.5)


@pytest.mark.parametrize("value", [0.0, 0.1, -3e8])
def test_a_constant_channel_is_blank(value: float) -> None:
    values = np.full((5, 7), value, np.float32)
    assert is_blank(values)
    assert activation_tile(values).max() == 0
    assert not is_blank(np.array([[1.0, 1.001]]))


def test_the_heat_of_a_cam_drops_the_negative_and_divides_by_the_maximum() -> None:
    heat = scale_heat(np.array([[-4, 1], [0.5, 2.0]]), "layer")
    assert heat.share.tolist() == [[0, 0.5], [0.25, 1]]
    assert (heat.low, heat.high, heat.is_blank) == (0, 2, False)
    for nothing in (np.zeros((3, 3)), -np.ones((3, 3))):
        heat = scale_heat(nothing, "layer")
        assert heat.is_blank
        assert heat.share.tolist() == np.zeros((3, 3)).tolist()
        assert heat.high == 0


def test_heat_at_the_input_is_cut_off_at_the_percentile() -> None:
    values = np.arange(101.0).reshape(1, 101)
    assert scale_heat(values, "input", percentile=50).high == 50
    assert scale_heat(values, "input", percentile=50).share[0, [0, 25, 50, 100]].tolist() == [
        0,
        0.5,
        1,
        1,
    ]
    signed = scale_heat(values - 50, "input", signed=True, percentile=100)
    assert signed.share[0, [0, 50, 75, 100]].tolist() == [0, 0.5, 0.75, 1]
    assert (signed.low, signed.high) == (-50, 50)
    sparse = np.zeros((20, 20))
    sparse[0, 0] = 3
    assert scale_heat(sparse, "input", percentile=99).high == 3
    assert scale_heat(np.zeros((2, 2)), "input", signed=True).share.tolist() == [
        [0.5, 0.5],
        [0.5, 0.5],
    ]


def test_an_overlay_by_hand() -> None:
    # Each cell of the map is 11 pixels; the middle of the middle one is pixel 16, that of the right
    # one 27.
    photo = np.full((33, 33, 3), 100, np.uint8)
    heat = np.zeros((3, 3))
    heat[1, 2] = 1
    drawn = overlay_heat(photo, heat, alpha=0.4)
    hot, cold = (
        tuple(round(0.6 * 100 + 0.4 * value) for value in ends)
        for ends in (INFERNO_HOT, INFERNO_COLD)
    )
    assert tuple(drawn[16, 27]) == hot
    assert tuple(drawn[16, 5]) == cold
    assert drawn.sum(axis=2).argmax() // 33 == 16
    assert np.array_equal(overlay_heat(photo, heat, alpha=0), photo)
    assert tuple(overlay_heat(photo, heat, alpha=1)[16, 27]) == INFERNO_HOT


def test_an_overlay_stays_inside_its_box() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    drawn = overlay_heat(photo, np.zeros((7, 7)), (10.2, 20.0, 19.9, 20.4), alpha=0)
    assert drawn.shape == photo.shape
    assert np.array_equal(drawn[10:30, 20:40], photo[10:30, 20:40])
    outside = np.ones((40, 60), bool)
    outside[10:30, 20:40] = False
    assert (np.ptp(drawn, axis=2)[outside] == 0).all()


@pytest.mark.parametrize(
    "box", [(-3.0, -3.0, 90.0, 90.0), (39.9, 59.9, 0.2, 0.2), (0.0, 0.0, 0.1, 0.1)]
)
def test_boxes_at_the_edge(box: tuple[float, float, float, float]) -> None:
    assert overlay_heat(np.zeros((40, 60, 1), np.uint8), np.ones((2, 2)), box).shape == (40, 60, 3)


@given(words=st.text("abcde fgh-", min_size=1, max_size=80), width=st.integers(20, 300))
def test_text_is_wrapped_and_nothing_is_lost(words: str, width: int) -> None:
    face = font(SMALLEST)
    lines = wrap_text(words, face, width)
    assert "".join("".join(lines).split()) == "".join(words.split())
    assert all(face.getlength(line) <= width for line in lines)


def test_text_has_paper_around_it() -> None:
    pixels = np.asarray(draw_text("Appenzeller Sennenhund (gjpq)", 120, 15)).min(axis=2)
    assert pixels.shape[1] == 120
    assert pixels.min() < 80
    assert (pixels[0] == 255).all()
    assert (pixels[-1] == 255).all()
    assert (pixels[:, -1] == 255).all()


def test_text_grows_with_the_sheet() -> None:
    assert text_size(300) == 15
    assert text_size(1600) == 24
    assert text_size(9000) == 30


@pytest.mark.parametrize(
    ("value", "scale", "wanted"),
    [
        (0.008, 0.016, "0.008"),
        (0.0152, 0.0152, "0.015"),
        (-1.5, 2, "\N{MINUS SIGN}1.5"),
        (0, 5, "0"),
        (1234.5, 2000, "1234"),
        (1e-9, 2e-9, "1.0e\N{MINUS SIGN}09"),
    ],
)
def test_numbers_on_scales(value: float, scale: float, wanted: str) -> None:
    assert format_number(value, scale) == wanted


def test_the_color_bar_has_its_high_end_on_top() -> None:
    bar = np.asarray(color_bar(200, "inferno", 0, 2.5)).astype(int)
    assert tuple(bar[1, 5]) == pytest.approx(INFERNO_HOT, abs=6)
    assert tuple(bar[-2, 5]) == pytest.approx(INFERNO_COLD, abs=6)
    assert color_bar(200, "inferno", 0, 0).height == 200


def test_small_pictures_are_enlarged_by_whole_factors() -> None:
    assert resize_to_fit(np.zeros((28, 28), np.uint8), 240).size == (224, 224)
    assert resize_to_fit(np.zeros((300, 600, 3), np.uint8), 200).size == (200, 100)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 16, 50, 64])
def test_sheets_hold_every_panel(count: int) -> None:
    red = Image.new("RGB", (50, 40), "red")
    drawn = sheet(
        [Panel(red, f"title {index}", "caption") for index in range(count)],
        heading="heading",
        notes="notes " * 30,
    )
    assert (np.asarray(drawn) == (255, 0, 0)).all(axis=2).sum() == count * 50 * 40
    assert 0.4 < drawn.width / drawn.height < 3
    assert choose_columns(64, 10, 10, shape=1.0) == 8
