"""`size="auto"`: as large as the receptive field needs, and no larger."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import convscope
from convscope import atlas
from convscope.errors import InputError
from convscope.synthesis.auto_size import auto_size


def dilated(reach: int) -> nn.Sequential:
    """Two convolutions whose receptive fields are 3 and 3 + 2 * reach wide, and a head."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.Conv2d(4, 4, 3, padding=reach, dilation=reach),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    )


@pytest.fixture(scope="module")
def model():
    return convscope.load_model(dilated(30), size=96)


def test_the_field_and_a_margin_up_to_a_multiple_of_32(model):
    """3 + 32 fits the least size; 63 + 32 is 95, so 96; a head sees everything."""
    assert auto_size(model, ["0"], 224) == 64
    assert auto_size(model, ["1"], 224) == 96
    assert auto_size(model, ["0", "1"], 224) == 96
    assert auto_size(model, ["4"], 224) == 224
    assert auto_size(model, ["1"], 80) == 80
    assert auto_size(model, ["0"], 48) == 48


def test_visualize_chooses_by_what_the_objective_reads(model):
    def shape(units):
        result = convscope.visualize(model, units, size="auto", steps=1, preset="lucid")
        return result["image"].shape[-2:]

    assert shape("0:1") == (64, 64)
    assert shape(["0:1", "1:2"]) == (96, 96)
    assert shape("logit(1)") == (128, 128)  # the preset's own


def test_the_same_picture_as_at_that_size(model):
    auto = convscope.visualize(model, "1:2", size="auto", steps=3)
    assert (auto["image"] == convscope.visualize(model, "1:2", size=96, steps=3)["image"]).all()


def test_an_atlas_of_layers_of_their_own_sizes(model, tmp_path):
    atlas.build(model, "0,1", str(tmp_path / "a"), steps=1)
    opened = atlas.open(str(tmp_path / "a"))
    assert opened.unit("0", 1)[0].picture.size == (64, 64)
    assert opened.unit("1", 1)[0].picture.size == (96, 96)
    again = atlas.build(model, "0,1", str(tmp_path / "a"), steps=1)
    assert again["made"] == 0


def test_another_word_is_refused(model):
    with pytest.raises(InputError, match="size"):
        convscope.visualize(model, "0:1", size="large", steps=1)
