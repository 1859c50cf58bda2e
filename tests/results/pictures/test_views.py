"""Every view draws what it is given; contract over the registry, and what is particular to each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convscope.errors import ConvscopeError, NumericError, OptionError
from convscope.results.details import (
    ActivationsDetails,
    AttributionDetails,
    FoolingDetails,
    ImagesDetails,
    PredictionsDetails,
    TableDetails,
)
from convscope.results.pictures import registry
from convscope.results.pictures.colors import color_table
from convscope.results.result import Result

RANDOM = np.random.default_rng(0)
PHOTO = RANDOM.integers(0, 256, (60, 90, 3), dtype=np.uint8)
BLANK_GRAY = (214, 214, 214)


def attribution(maps: np.ndarray, photo: np.ndarray = PHOTO, **details: Any) -> Result:
    known = {
        "titles": [f"class {i}" for i in range(len(maps))],
        "boxes": [[0, 15, 60, 60]] * len(maps),
        "photo_of": [0] * len(maps),
    }
    details = known | {"space": "layer", "signed": False} | details
    return Result(
        "explain",
        AttributionDetails(**details),
        {"heatmap": maps.astype(np.float32), "attribution": maps[:, None]},
        photos=[photo],
    )


def images(count: int, channels: int = 3, side: int = 64, **details: Any) -> Result:
    arrays = {
        "image": RANDOM.random((count, channels, side, side), np.float32),
        "score": RANDOM.random((count, 9), np.float32),
    }
    return Result("visualize", ImagesDetails(**details), arrays)


def activations() -> Result:
    maps = RANDOM.random((1, 20, 8, 8), np.float32)
    maps[0, 3] = 2
    return Result(
        "activations",
        ActivationsDetails(),
        {"blocks.1": maps, "head": RANDOM.random((1, 1000, 1, 1), np.float32)},
    )


def fooling(fooled: bool, side: int = 16, **details: Any) -> Result:
    row = {
        "photo": 0,
        "fooled": fooled,
        "steps": 3,
        "target": "stingray",
        "before": "cat",
        "before_probability": 0.9,
        "after": "stingray" if fooled else "cat",
        "after_probability": 0.5,
        "l2": 1.5,
        "linf": 0.25,
    }
    image = RANDOM.random((1, 3, side, side), np.float32)
    arrays = {"image": image, "original": image, "score": RANDOM.random((1, 3), np.float32)}
    if "snapshots" in details:
        arrays["snapshot"] = np.stack([image] * len(details["snapshots"]))
    return Result("fool", FoolingDetails(titles=["cat"], **details), arrays, [row])


PREDICTIONS = [
    {
        "photo": 0,
        "rank": rank,
        "label": "x" * 90 if rank == 2 else "cat",
        "index": 1,
        "probability": 0.5 / rank,
    }
    for rank in (1, 2, 3)
]
LAYERS = [
    {
        "name": "a.b",
        "kind": "Conv2d",
        "shape": [3, 4, 5],
        "units": 3,
        "parameters": 12345,
        "shared": True,
        "note": None,
        "share": 0.25,
    }
] * 5

SAMPLES: dict[str, list[Result]] = {
    "attribution": [
        attribution(RANDOM.random((3, 7, 7)) - 0.2),
        attribution(RANDOM.random((1, 60, 60)), space="input"),
        attribution(RANDOM.random((2, 60, 60)) - 0.5, space="input", signed=True),
        attribution(RANDOM.random((64, 4, 4))),
        attribution(RANDOM.random((1, 4, 4)), PHOTO[..., :1], boxes=[], titles=[]),
        attribution(RANDOM.random((1, 4, 4)), np.repeat(PHOTO, 2, axis=2)),
    ],
    "activations": [
        activations(),
        replace(activations(), details=ActivationsDetails(channels=[7])),
        replace(activations(), details=ActivationsDetails(channels=[0, 3, 5, 7])),
    ],
    "fooling": [fooling(True), fooling(False), fooling(False, snapshots=[1, 5])],
    "images": [
        images(1),
        images(64, titles=[f"blocks.3:{i}" for i in range(64)]),
        images(3, 1, 28),
        images(2, 6),
        images(5, 3, 12, titles=["word" * 9] * 5),
    ],
    "predictions": [
        Result("predict", PredictionsDetails(), table=PREDICTIONS, photos=[PHOTO]),
        Result("predict", PredictionsDetails()),
    ],
    "table": [Result("layers", TableDetails(), table=LAYERS), Result("layers", TableDetails())],
}


@pytest.mark.parametrize("view", registry.names())
def test_every_view_is_documented_and_draws(view: str) -> None:
    schema = registry.schema(view)
    assert schema.summary
    assert all(option.help for option in schema.options), view
    if view in SAMPLES:
        for result in SAMPLES[view]:
            before = {name: array.copy() for name, array in result.arrays.items()}
            drawn = result.picture(view)
            assert isinstance(drawn, Image.Image)
            assert drawn.mode == "RGB"
            assert min(drawn.size) > 20
            assert np.asarray(drawn).tobytes() == np.asarray(result.picture(view)).tobytes()
            assert all(np.array_equal(before[name], result[name]) for name in before)
            border = np.asarray(drawn)[[0, -1]]
            assert (border == 255).all(), "nothing may touch the edge"


@pytest.mark.parametrize("view", registry.names())
def test_every_view_has_a_light_background(view: str) -> None:
    for result in SAMPLES.get(view, []):
        assert np.asarray(result.picture(view))[0, 0].min() >= 240


def test_an_overlay_has_the_photos_size() -> None:
    result = attribution(RANDOM.random((1, 7, 7)))
    assert result.picture(style="overlay").size == (90, 60)
    assert result.picture(style="heatmap").size == (90, 60)
    assert np.array_equal(
        np.asarray(result.picture(style="overlay", alpha=0))[:, 15:75], PHOTO[:, 15:75]
    )


def test_the_hottest_place_of_a_map_is_the_hottest_of_the_picture() -> None:
    maps = np.zeros((1, 3, 3))
    maps[0, 2, 0] = 7
    drawn = np.asarray(attribution(maps).picture(style="heatmap", colors="jet"))
    assert tuple(drawn[59, 15]) == tuple(color_table("jet")[255])
    assert tuple(drawn[5, 65]) == tuple(color_table("jet")[0])


@pytest.mark.parametrize("space", ["layer", "input"])
def test_a_map_with_nothing_in_it_leaves_the_photo_alone(space: str) -> None:
    result = attribution(np.zeros((1, 7, 7)), space=space)
    assert np.array_equal(np.asarray(result.picture(style="overlay"))[:, 15:75], PHOTO[:, 15:75])
    assert result.picture().width > 100


def test_only_the_sign_has_color_in_a_signed_overlay() -> None:
    maps = np.zeros((1, 60, 60))
    maps[0, 0, 0], maps[0, 59, 59] = 1, -1
    drawn = np.asarray(
        attribution(maps, space="input", signed=True).picture(style="overlay")
    ).astype(int)
    assert drawn[0, 15, 0] > drawn[0, 15, 2] + 20
    assert drawn[59, 74, 2] > drawn[59, 74, 0] + 20
    assert np.ptp(drawn[5:50, 20:70], axis=2).max() <= 2


def test_nan_is_refused() -> None:
    with pytest.raises(NumericError):
        attribution(np.full((1, 3, 3), np.nan)).picture()
    with pytest.raises(NumericError):
        attribution(np.full((1, 3, 3), np.nan), space="input").picture()


@pytest.mark.parametrize(
    ("view", "options"),
    [
        ("attribution", {"alpha": 1.5}),
        ("attribution", {"percentile": 0}),
        ("attribution", {"colors": "no such"}),
        ("images", {"columns": 0}),
        ("images", {"margin": -1}),
        ("activations", {"first": 0}),
        ("table", {"first": 0}),
    ],
)
def test_options_out_of_range(view: str, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        SAMPLES[view][0].picture(**options)


def test_activation_tiles_lie_where_their_channels_are() -> None:
    maps = np.zeros((1, 10, 4, 4), np.float32)
    maps[0, 9, 0, 0] = 1
    drawn = np.asarray(Result("activations", ActivationsDetails(), {"layer": maps}).picture())
    lit = np.argwhere((drawn == color_table("viridis")[255]).all(axis=2))
    blank = (drawn == BLANK_GRAY).all(axis=2)
    # 8 a row, tiles of 128 pixels, a cell is 32: channel 9 is the second tile of the second row;
    # nine tiles are blank.
    top, left = (np.flatnonzero(blank.sum(axis=axis) >= 128)[0] for axis in (1, 0))
    assert blank[top:].sum() >= 9 * 128 * 128
    assert len(lit) == 32 * 32
    assert (lit.min(axis=0) - (top, left)).tolist() == [129, 129]


def test_sixteen_tiles_a_row_and_the_first_channels_only() -> None:
    maps = RANDOM.random((1, 300, 4, 4), np.float32)
    result = Result("activations", ActivationsDetails(), {"layer": maps})
    assert result.picture().width == 16 * 64 + 15 + 28
    assert result.picture(first=16).height < 400 < result.picture(first=None).height
    assert result.picture(columns=4, first=4).width < 600


def test_a_plain_image_keeps_its_pixels() -> None:
    levels = RANDOM.integers(0, 256, (1, 3, 40, 30), dtype=np.uint8)
    image = (levels / 255).astype(np.float32)
    result = Result("fool", ImagesDetails(titles=["goose"]), {"image": image})
    assert np.array_equal(np.asarray(result.picture(plain=True)), levels[0].transpose(1, 2, 0))
    assert images(4).picture(plain=True, columns=2).size == (64 * 2 + 5, 64 * 2 + 5)


def test_wide_images_stand_below_each_other() -> None:
    """Four of 80 x 20 are a square in one column, and 16 times as wide as high in one row."""
    wide = Result("visualize", ImagesDetails(), {"image": np.zeros((4, 3, 20, 80), np.float32)})
    assert wide.picture(plain=True).size == (80, 4 * 20 + 3 * 5)
    tall = Result("visualize", ImagesDetails(), {"image": np.zeros((4, 3, 80, 20), np.float32)})
    assert tall.picture(plain=True).size == (4 * 20 + 3 * 5, 80)


def test_titles_become_numbers_where_they_do_not_fit() -> None:
    from convscope.results.pictures.images import _labels

    assert _labels(["blocks.3:1", "blocks.3:22"], 64, 15) == ("blocks.3", ["1", "22"], "")
    assert _labels(["tarantula", "goose"], 128, 15) == ("", ["tarantula", "goose"], "")
    heading, labels, legend = _labels(["Appenzellersennenhund", "goose"], 64, 15)
    assert (heading, labels, legend) == ("", ["1", "2"], "1: Appenzellersennenhund\n2: goose")
    assert _labels(["Appenzellersennenhund"] * 2, 64, 15) == (
        "Appenzellersennenhund",
        ["1", "2"],
        "",
    )
    assert _labels(["0.5*a:1+b:2", "0.5*a:1+b:3"], 300, 15)[0] == ""


def test_curves() -> None:
    assert images(2).picture(curve=True).height > images(2).picture().height + 100
    with pytest.raises(ConvscopeError, match="score"):
        Result("x", ImagesDetails(), {"image": RANDOM.random((1, 3, 8, 8), np.float32)}).picture(
            curve=True
        )


def test_long_tables_say_what_they_leave_out() -> None:
    long = Result("layers", TableDetails(), table=LAYERS * 100)
    assert long.picture().height < long.picture(first=None).height


def test_a_dead_unit_does_not_turn_a_grid_into_numbers_and_a_legend() -> None:
    from convscope.results.pictures.images import _labels

    titles = [f"blocks.3:{index}" for index in range(64)]
    titles[5] += " (dead)"
    heading, labels, legend = _labels(titles, 64, 15)
    assert heading == "blocks.3"
    assert labels[4:7] == ["4", "5 \N{DAGGER}", "6"]
    assert legend.count("\n") == 0
    assert "dead" in legend


def test_small_tiles_are_enlarged() -> None:
    assert images(64, 3, 64).picture().width > 1000
    assert fooling(True, side=64).picture().width > 4 * 192


@pytest.mark.parametrize("fooled", [True, False])
def test_a_picture_of_fooling_says_only_what_is_so(fooled: bool, monkeypatch: Any) -> None:
    from convscope.results.pictures import fooling as view
    from convscope.results.pictures._layout import sheet

    written: list[str] = []

    def noted(*parts: Any, notes: str, **options: Any) -> Any:
        written.append(notes)
        return sheet(*parts, notes=notes, **options)

    monkeypatch.setattr(view, "sheet", noted)
    view.fooling(fooling(fooled))
    assert ("still fools" in written[0]) is fooled
    assert ("none fools" in written[0]) is not fooled


def test_heat_on_a_dark_photo_is_readable() -> None:
    """Cold and hot differ in brightness as they would over a photo of medium gray."""
    maps = np.zeros((1, 2, 2))
    maps[0, 0, 0] = 1
    contrasts = []
    for photo in (PHOTO // 16, np.full_like(PHOTO, 90)):
        drawn = np.asarray(attribution(maps, photo).picture(style="overlay")).astype(int)
        contrasts.append(drawn[:8, 16:24].mean() - drawn[-8:, 66:74].mean())
    dark, medium = contrasts
    assert dark > 0.8 * medium
    lit = np.asarray(attribution(maps, PHOTO // 16).picture(style="overlay"))[-8:, 66:74]
    assert lit.mean() > 3 * (PHOTO // 16).mean(), "the photo can be seen under cold heat"


def test_a_panel_of_heat_alone_stands_beside_the_photo() -> None:
    drawn = attribution(RANDOM.random((1, 7, 7))).picture()
    assert drawn.width > 3 * 450


def test_snapshots_stand_below_as_a_strip() -> None:
    plain = images(2, titles=["a:1", "a:2"])
    arrays: dict[str, Any] = plain.arrays | {"snapshot": np.stack([plain["image"]] * 40)}
    details = ImagesDetails(titles=["a:1", "a:2"], snapshots=list(range(1, 41)))
    strip = replace(plain, arrays=arrays, details=details).picture()
    assert strip.height > plain.picture().height + 2 * 128
    assert strip.width < 1700, "of many snapshots ten are drawn"


def test_an_unknown_option_of_a_picture_is_refused() -> None:
    with pytest.raises(OptionError, match="style"):
        attribution(RANDOM.random((1, 4, 4))).picture(style="bogus")
    with pytest.raises(OptionError, match="did you mean 'columns'"):
        images(1).picture(colums=2)


@pytest.mark.parametrize("view", ["detections", "segmentation", "values"])
@pytest.mark.parametrize("longest", [0, -5, 100_000])
def test_a_side_that_no_picture_has_is_refused(view, longest):
    with pytest.raises(OptionError, match="longest must be"):
        attribution(np.zeros((1, 4, 4))).picture(view, longest=longest)
