"""Colors of features against scikit-learn, and what they promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

import convscope
from convscope.errors import LayerError, NumericError
from convscope.results.details import FeaturesDetails
from convscope.results.result import Result
from tests.small_networks import Trunk, assert_unchanged, snapshot


@pytest.fixture
def model():
    torch.manual_seed(0)
    return convscope.load_model(Trunk(), size=16)


@pytest.fixture
def photos():
    rng = np.random.default_rng(0)
    return [rng.random((16, 16, 3)).astype(np.float32) for _ in range(3)]


def rows_of(model, photos) -> np.ndarray:
    maps = convscope.activations(model, photos, layers=["second"])["second"]
    return maps.transpose(0, 2, 3, 1).reshape(-1, maps.shape[1])


def test_components_as_scikit_learn_says(model, photos):
    before = snapshot(model.network)
    result = convscope.features(model, photos, layer="second")
    assert_unchanged(before, model.network)
    rows = rows_of(model, photos)
    oracle = PCA(3, svd_solver="full").fit(rows.astype(np.float64))
    np.testing.assert_allclose(result["direction"], oracle.components_, atol=1e-5)
    projected = result["component"].transpose(0, 2, 3, 1).reshape(-1, 3)
    np.testing.assert_allclose(projected, oracle.transform(rows), atol=1e-5)
    shares = [row["share"] for row in result.table]
    np.testing.assert_allclose(shares, oracle.explained_variance_ratio_, atol=1e-4)


def test_percentiles_are_black_and_white(model, photos):
    result = convscope.features(model, photos, layer="second")
    low, high = np.percentile(result["component"], (2, 98), axis=(0, 2, 3))
    expected = (result["component"] - low[:, None, None]) / (high - low)[:, None, None]
    np.testing.assert_allclose(result["color"], expected.clip(0, 1), atol=1e-5)


def test_a_picture_of_very_many_photos():
    details = FeaturesDetails(layer="second", boxes=[(0.0, 0.0, 1.0, 8.0)] * 1001)
    many = Result(
        "features",
        details,
        {"color": np.full((1001, 3, 1, 1), 0.5, np.float32)},
        [{"share": 1.0}],
        [np.zeros((1, 8, 3), np.uint8)] * 1001,
    )
    assert many.picture().height > 1000


def test_the_same_features_have_the_same_color_in_all_photos(model, photos):
    result = convscope.features(model, [photos[0], photos[1], photos[0]], layer="second")
    np.testing.assert_array_equal(result["color"][0], result["color"][2])


def test_the_foreground_is_what_the_borders_are_not(tmp_path):
    """A bright square on dark noise: it alone is colored, by components of its own places."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 1, bias=False), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    model = convscope.load_model(network, size=16)
    rng = np.random.default_rng(0)
    photo = rng.random((16, 16, 3)).astype(np.float32) * 0.1
    photo[5:10, 4:12] += 0.8
    result = convscope.features(model, photo, layer="0", foreground=True)
    expected = np.zeros((16, 16))
    expected[5:10, 4:12] = 1
    np.testing.assert_array_equal(result["foreground"][0], expected)
    assert (result["color"][0][:, expected == 0] == 0).all()
    maps = convscope.activations(model, photo, layers=["0"])["0"][0]
    inside = maps[:, expected == 1].T
    oracle = PCA(3, svd_solver="full").fit(inside.astype(np.float64))
    np.testing.assert_allclose(
        result["component"][0][:, expected == 1].T, oracle.transform(inside), atol=1e-5
    )
    assert result.save(tmp_path / "features.png").stat().st_size > 500


def test_the_picture_made_again(model, photos, tmp_path):
    from PIL import Image

    Image.fromarray((photos[0] * 255).astype(np.uint8)).save(tmp_path / "photo.png")
    path = convscope.features("embedded", tmp_path / "photo.png", layer="blocks.2").save(
        tmp_path / "features.png"
    )
    again = convscope.rerun(path, trust=True)
    np.testing.assert_array_equal(np.asarray(again.picture()), np.asarray(Image.open(path)))


def test_what_has_no_colors_is_said(model, photos):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1), torch.nn.AdaptiveAvgPool2d(1))
    narrow = convscope.load_model(network, size=16)
    with pytest.raises(LayerError, match="need three channels; '0' has 2"):
        convscope.features(narrow, photos, layer="0")
    with pytest.raises(LayerError, match="need a layer with places; '1' has none"):
        convscope.features(narrow, photos, layer="1")
    flat = torch.nn.Conv2d(3, 4, 1)
    with pytest.raises(NumericError, match="places that differ"):
        convscope.features(
            convscope.load_model(torch.nn.Sequential(flat), size=16),
            np.zeros((16, 16, 3), np.float32),
            layer="0",
        )
