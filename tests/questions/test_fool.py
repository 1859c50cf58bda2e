"""Photos changed until a box or a mask is gone, a pixel has another class, a value has moved."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import convscope
from convscope.errors import TargetError
from tests.questions.answering_networks import Detector, Embedder, Regressor, Segmenter

SIDE = 16


@pytest.fixture
def photo():
    """Left half red, right half green, the lowest rows blue."""
    image = torch.full((1, 3, SIDE, SIDE), 0.2)
    image[:, 0, :, : SIDE // 2] = 0.6
    image[:, 1, :, SIDE // 2 :] = 0.5
    image[:, :, 12:] = torch.tensor([0.1, 0.1, 0.4])[:, None, None]
    return image


class Bright(Detector):
    """Its boxes' scores are the sigmoid of 16 times the mean color less 4: they can vanish."""

    def __init__(self) -> None:
        super().__init__()
        with torch.no_grad():
            self.conv.weight.mul_(4)
        self.conv.bias = torch.nn.Parameter(torch.full((3,), -4.0))


@pytest.fixture
def detector():
    return convscope.load_model(Bright(), size=SIDE, labels=["none", "cat", "dog"])


@pytest.fixture
def segmenter():
    return convscope.load_model(Segmenter(), size=SIDE, labels=["cat", "road", "sky"])


def changed(result) -> np.ndarray:
    """Which pixels of which channels were changed (3 h w)."""
    return np.abs(result["image"][0] - result["original"][0]) > 1e-6


@pytest.mark.parametrize(("target", "label", "half"), [("box:dog", "dog", 1), (None, "cat", 0)])
def test_a_box_vanishes(detector, photo, target, label, half, tmp_path):
    result = convscope.fool(detector, photo, target=target, steps=200)
    row = result.table[0]
    assert row["fooled"]
    assert row["before_probability"] > 0.5
    assert row["after_probability"] < 0.1
    assert row["after"].startswith("no ")
    rows = convscope.predict(detector, result["image"]).table
    assert max(entry["probability"] for entry in rows if entry["label"] == label) < 0.1
    moved = changed(result)
    assert not moved[1 - half].any(), "the other box's color stays"
    assert not moved[2].any()
    assert result.save(tmp_path / "fooled.png").stat().st_size > 500


def test_a_mask_vanishes_and_a_pixel_becomes_another(segmenter, photo):
    result = convscope.fool(segmenter, photo, target="mask:road", steps=300)
    assert result.table[0]["fooled"]
    seen = convscope.predict(segmenter, result["image"])["segmentation"][0]
    assert (seen[:6, 4:] == 1).mean() <= 0.1
    result = convscope.fool(segmenter, photo, target="pixel:3,5@sky", steps=100)
    row = result.table[0]
    assert (row["before"], row["after"]) == ("cat", "sky")
    assert convscope.predict(segmenter, result["image"])["segmentation"][0][2, 1] == 2
    expected = np.zeros((3, SIDE, SIDE), bool)
    expected[2, 4:6, 2:4] = True
    np.testing.assert_array_equal(changed(result), expected)


@pytest.mark.parametrize("number", [0.5, -0.2])
def test_a_value_moves(photo, number):
    model = convscope.load_model(Regressor(), size=SIDE, task="regression")
    result = convscope.fool(model, photo, target=f"value:0={number}", steps=300)
    before = convscope.predict(model, result["original"]).table[0]["value"]
    assert result.table[0]["fooled"]
    after = convscope.predict(model, result["image"]).table[0]["value"]
    assert (after >= number) if number > before else (after <= number)
    assert result.table[0]["before"] == f"value 0 {before:.4g}"
    assert result.table[0]["after_probability"] is None
    assert not changed(result)[2].any(), "blue has no part in it"


@pytest.mark.parametrize("number", [0.9, 0.3])
def test_a_likeness_moves(photo, number, tmp_path):
    from PIL import Image

    model = convscope.load_model(Embedder(), size=SIDE)
    Image.new("RGB", (SIDE, SIDE), "red").save(tmp_path / "red.png")

    def cosine(image):
        mean = image[0].mean((1, 2))
        return mean[0] / np.linalg.norm(mean)

    for target in (f"like:{tmp_path / 'red.png'}", "text:a red thing"):
        result = convscope.fool(model, photo, target=f"{target}={number}", steps=300)
        row, before = result.table[0], cosine(result["original"])
        assert row["fooled"]
        assert row["before"] == f"{target} {before:.4g}"
        after = cosine(result["image"])
        assert (after >= number) if number > before else (after <= number)


def test_several_photos_with_goals_of_their_own(detector, photo):
    both = torch.cat([photo, photo])
    result = convscope.fool(detector, both, target=["box:cat", "box:dog"], steps=200)
    assert [row["fooled"] for row in result.table] == [True, True]
    assert [row["target"] for row in result.table] == ["no box:cat cat", "no box:dog dog"]
    single = convscope.fool(detector, photo, target="box:dog", steps=200)
    np.testing.assert_array_equal(result["image"][1], single["image"][0])


@pytest.mark.parametrize(
    ("network", "task", "target", "sentence"),
    [
        (Bright, None, "box:7", r"found 2 box\(es\)"),
        (Segmenter, None, "pixel:3,5", "needs a class to reach"),
        (Regressor, "regression", "value:0", "as in value:0=12"),
        (Regressor, "regression", "value:0=high", "as in value:0=12"),
        (Regressor, "regression", "value:0=nan", "as in value:0=12"),
        (Regressor, "regression", "value:0=-inf", "as in value:0=12"),
        (Regressor, "regression", None, "say which number"),
        (Regressor, "regression", "value:7=1", r"gives 2 value\(s\)"),
        (Embedder, None, "text:a red thing", "cannot tell when text:a red thing is reached"),
        (Embedder, None, "text:a red thing=high", "cannot tell when text:a red thing=high is"),
    ],
)
def test_goals_without_an_end_get_a_sentence(network, task, target, sentence, photo):
    model = convscope.load_model(network(), size=SIDE, task=task)
    with pytest.raises(TargetError, match=sentence):
        convscope.fool(model, photo, target=target, steps=2)


def test_what_is_so_already_is_said(segmenter, photo):
    result = convscope.fool(segmenter, photo, target="pixel:3,5@cat", steps=3)
    assert not result.table[0]["fooled"]
    assert "already" in result.table[0]["note"]
