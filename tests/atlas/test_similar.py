"""Units that are alike: by their photos, where several passes left some, and by their weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convscope
from convscope import atlas
from convscope.atlas.scan.incoming_weights import incoming_weights

COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "gray": (128, 128, 128), "dark": (40, 40, 40)}


@pytest.mark.parametrize(("inputs", "outputs", "groups"), [(5, 5, 1), (3, 6, 1), (6, 6, 2)])
def test_the_weights_of_a_transposed_convolution_are_those_of_its_outputs(inputs, outputs, groups):
    """An impulse in an input channel comes out as the kernel between it and each output."""
    up = nn.ConvTranspose2d(inputs, outputs, 2, stride=2, groups=groups, bias=False)
    network = nn.Sequential(
        nn.Conv2d(3, inputs, 3), up, nn.LayerNorm([outputs, 12, 12]), nn.AvgPool2d(12), nn.Flatten()
    )
    model = convscope.load_model(network.eval(), size=8)
    impulses = torch.eye(inputs)[:, :, None, None]
    kernels = up(impulses).detach().transpose(0, 1)  # output x input x 2 x 2
    each = inputs // groups
    for layer in ("1", "2"):
        weights = incoming_weights(model, layer)
        assert weights.shape == (outputs, each * 4)
        for unit in range(outputs):
            first = unit // (outputs // groups) * each
            assert torch.equal(weights[unit], kernels[unit, first : first + each].flatten())


@pytest.fixture
def colors():
    """Units that see the colors red, green, blue, and the gray of all three."""
    network = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.no_grad():
        rows = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.1, 0.1, 0.1]]
        for parameter in network.parameters():
            parameter.copy_(torch.tensor(rows, dtype=torch.float32)[:, :, None, None])
    return convscope.load_model(network.eval(), size=4, mean=(0, 0, 0), std=(1, 1, 1))


def folder(place, **photos):
    """Photos of one color each: name=label_color, in a folder for each label."""
    for name, label_color in photos.items():
        label, color = label_color.split("_")
        (place / label).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), COLORS[color]).save(place / label / f"{name}.png")
    return str(place)


@pytest.fixture
def two_passes(colors, tmp_path):
    """The same names in two folders: in the second, the photo called a/0.png is dark."""
    out = str(tmp_path / "atlas")
    first = folder(tmp_path / "one", x0="a_red", x1="a_green", x2="b_gray")
    second = folder(tmp_path / "two", x0="a_dark", x1="a_green")
    for place, k in ((first, 3), (second, 2)):
        atlas.examples(colors, place, out, layers="0", k=k, samples=1, batch=4)
    return out


def test_values_over_different_photos_are_not_compared(two_passes):
    """Over the first folder, which has more photos: red sees (1, 0, .5), green (0, 1, .5)."""
    red, green, gray = np.array([1, 0, 0.502]), np.array([0, 1, 0.502]), np.full(3, 0.1)
    gray[2] *= 3 * 0.502
    cosines = {row["unit"]: row["cosine"] for row in atlas.open(two_passes).similar("0:0")}
    for unit, values in ((1, green), (3, gray)):
        expected = red @ values / np.linalg.norm(red) / np.linalg.norm(values)
        assert cosines[unit] == pytest.approx(expected, abs=1e-3)


def test_the_examples_of_two_passes_are_best_first_and_the_sample_lowest_first(two_passes):
    opened = atlas.open(two_passes)
    values = [row["value"] for row in opened.examples("0:0", kind="top")]
    assert values == sorted(values, reverse=True)
    assert len(values) == 5
    sample = [row["value"] for row in opened.examples("0:0", kind="sample")]
    assert sample == sorted(sample)
    assert [row["kind"] for row in opened.examples("0:0")] == ["top"] * 5 + ["sample"] * 2


def test_a_label_is_counted_once_a_photo(two_passes, colors, tmp_path):
    atlas.examples(colors, str(tmp_path / "one"), two_passes, layers="0", k=2, samples=1, batch=4)
    (b,) = {row["share"] for row in atlas.open(two_passes).search("b")}
    assert b == pytest.approx(1 / 3)
    (a,) = {row["share"] for row in atlas.open(two_passes).search("a")}
    assert a == 1  # of the second folder
    atlas.export(two_passes, tmp_path / "site")
    script = next((tmp_path / "site").glob("*/labels.js")).read_text()
    assert '["b",[[0,0,1],[0,1,1],[0,2,1],[0,3,1]]]' in script
    assert '["a",[[0,0,4],[0,1,4],[0,2,4],[0,3,4]]]' in script


def test_every_picture_of_two_passes_has_a_file(two_passes, tmp_path):
    report = atlas.show(two_passes, "0:0", out=tmp_path / "pictures")
    files = report["files"]
    assert isinstance(files, list)
    written = {str(path) for path in (tmp_path / "pictures").iterdir()}
    assert len(files) == len(written) == 7
    assert set(files) == written
