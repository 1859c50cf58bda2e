"""CRAFT, ICE and the sparse autoencoder against their authors' code, planted factors and finite
differences."""

from __future__ import annotations

import sys
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from torch.nn.functional import unfold

import convscope
from convscope.concepts import registry
from convscope.concepts.crops import crops_of
from convscope.errors import OptionError
from convscope.probe import Probe


def test_crops_are_those_of_torch():
    """Rows of crops as `unfold` cuts them, 0.8 of a side apart."""
    image = torch.rand(2, 3, 40, 40)
    expected = unfold(image, 10, stride=8).transpose(1, 2).reshape(-1, 3, 10, 10)
    crops = crops_of(image, 0.25)
    assert crops.shape == (len(expected), 3, 40, 40)
    enlarged = torch.nn.functional.interpolate(expected, (40, 40), mode="bilinear")
    np.testing.assert_allclose(crops, enlarged, atol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_craft_is_its_authors(trunk, photos, monkeypatch):
    """Directions of the crops, and coefficients of the photos' places (craft-xai)."""
    # Its sampler imports TensorFlow, which the rest of it for torch does not need.
    monkeypatch.setitem(sys.modules, "tensorflow", MagicMock())
    craft_torch = pytest.importorskip("craft.craft_torch")
    image = trunk.preprocess(torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2))
    with Probe(trunk) as probe:

        def latent(batch):
            return probe.activations(batch, ["third"])["third"].clamp_min(0)

        oracle = craft_torch.Craft(latent, number_of_concepts=3, patch_size=16, device="cpu")
        oracle.fit(image)
        expected = oracle.transform(image)
    options = {"layer": "third", "method": "craft", "count": 3, "crop": 0.5, "steps": 200}
    result = convscope.concepts(trunk, photos, **options)
    lengths = np.linalg.norm(oracle.W, axis=1)
    cosines = result["directions"] @ (oracle.W / lengths[:, None]).T
    assert cosines.max(1).min() > 0.999
    order = cosines.argmax(1)
    coefficients = result["coefficients"].transpose(0, 2, 3, 1)
    scaled = (expected * lengths)[..., order]
    assert np.abs(coefficients - scaled).mean() < 0.02 * scaled.mean()


def test_craft_takes_directions_from_crops_and_fits_the_places(trunk, photos):
    """The pooled activations of all crops, factorized by scikit-learn, and the best non-negative
    fit of each place, by SciPy."""
    from scipy.optimize import nnls
    from sklearn.decomposition import NMF

    image = trunk.preprocess(torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2))
    with Probe(trunk) as probe:
        crops = torch.cat([crops_of(one[None], 0.5) for one in image])
        pooled = probe.activations(crops, ["third"])["third"].clamp_min(0).mean((2, 3)).numpy()
        maps = probe.activations(image, ["third"])["third"].clamp_min(0).numpy()
    oracle = NMF(3, init="nndsvda", max_iter=400).fit(pooled).components_
    result = convscope.concepts(trunk, photos, layer="third", method="craft", count=3, crop=0.5)
    directions = result["directions"]
    cosines = directions @ (oracle / np.linalg.norm(oracle, axis=1, keepdims=True)).T
    assert cosines.max(1).min() > 0.999
    for photo, row, column in [(0, 0, 0), (1, 3, 7), (3, 15, 2)]:
        expected, _ = nnls(directions.T.astype(np.float64), maps[photo, :, row, column])
        np.testing.assert_allclose(
            result["coefficients"][photo, :, row, column], expected, atol=2e-2
        )


def test_more_concepts_than_crops(trunk, photos):
    with pytest.raises(OptionError, match="cannot be told apart in 1 crop;"):
        convscope.concepts(trunk, photos[:1], layer="third", method="craft", count=2, crop=1.0)


def test_ice_weighs_by_the_derivative_along_the_direction(trunk, photos):
    """A central difference of the score, with the direction added everywhere, as in the authors'
    code."""
    options = {"layer": "third", "method": "ice", "count": 3, "target": 2, "importance": True}
    result = convscope.concepts(trunk, photos, **options)
    step = 1e-2
    for at in range(len(photos)):
        with Probe(trunk) as probe:
            image = trunk.preprocess(torch.from_numpy(photos[at]).permute(2, 0, 1)[None])
            partial = probe.partial_forward(image, "third")
            for index, direction in enumerate(torch.from_numpy(result["directions"])):
                added = step * direction[:, None, None]
                above, below = (
                    partial.scores(partial.maps + sign * added)[0, 2] for sign in (1, -1)
                )
                expected = float(above - below) / (2 * step)
                assert result["importance"][at, index] == pytest.approx(
                    expected, rel=2e-2, abs=1e-4
                )
    for index, row in enumerate(result.table):
        assert row["importance"] == pytest.approx(result["importance"][:, index].mean())
        assert row["low"] <= row["importance"] <= row["high"]


def planted_sparse(generator, count, channels=16, rows=1000, active=2):
    """Rows that are sums of `active` of `count` random directions."""
    directions = generator.normal(size=(count, channels))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    coefficients = np.zeros((rows, count))
    for row in coefficients:
        row[generator.choice(count, active, replace=False)] = generator.uniform(0.5, 1.5, active)
    return np.asarray(coefficients @ directions, np.float32), directions


def test_sparse_autoencoder_finds_more_directions_than_channels():
    data, directions = planted_sparse(np.random.default_rng(0), count=24)
    factors = registry.get("sparse_autoencoder")(data, 24, seed=0, active=2, steps=400, rate=1e-2)
    assert (factors.coefficients >= 0).all()
    assert (factors.coefficients > 0).sum(1).max() <= 2
    np.testing.assert_allclose(np.linalg.norm(factors.directions, axis=1), 1, atol=1e-5)
    cosines = factors.directions @ directions.T
    assert np.median(cosines.max(0)) > 0.95
    energy = (factors.coefficients**2).sum(0)
    assert (np.diff(energy) <= 0).all()


def test_sparse_autoencoder_is_no_worse_than_overcomplete(monkeypatch):
    """The same data, size, active codes, rate and steps (Overcomplete's TopKSAE)."""
    import matplotlib as mpl

    # Overcomplete calls what matplotlib has removed.
    monkeypatch.setattr("matplotlib.cm.get_cmap", mpl.colormaps.get_cmap, raising=False)
    sae = pytest.importorskip("overcomplete.sae")
    data, _ = planted_sparse(np.random.default_rng(0), count=24)
    centered = torch.from_numpy(data - data.mean(0))
    scaled = centered / centered.square().sum(1).mean().sqrt()
    torch.manual_seed(0)
    oracle = sae.TopKSAE(16, 24, top_k=2)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(scaled), batch_size=1000, shuffle=True
    )

    def loss(rows, rebuilt, *_):
        return (rows - rebuilt).square().sum(1).mean()

    optimizer = torch.optim.Adam(oracle.parameters(), lr=1e-2)
    sae.train_sae(oracle, loader, loss, optimizer, nb_epochs=200, monitoring=0)
    oracle.eval()
    with torch.no_grad():
        _, _, rebuilt = oracle(scaled)
    expected = float((scaled - rebuilt).square().sum() / scaled.square().sum())
    factors = registry.get("sparse_autoencoder")(data, 24, seed=0, active=2, steps=200, rate=1e-2)
    error = ((data - factors.reconstruction) ** 2).sum() / centered.square().sum()
    assert error < 1.1 * expected
    assert "overcomplete" in sys.modules


def test_a_dictionary_may_be_larger_than_the_layer(trunk, photos):
    options = {"layer": "third", "method": "sparse_autoencoder", "steps": 30}
    result = convscope.concepts(trunk, photos, count=80, **options)
    assert result["directions"].shape == (80, 12)
    assert len(result["heatmap"]) == 64
    assert "first 64" in result.note
    silent = (result["coefficients"].max((0, 2, 3)) <= 0).sum()
    assert ("never fire" in result.note) == bool(silent)
    with pytest.raises(OptionError, match="12 channels"):
        convscope.concepts(trunk, photos, layer="third", method="nmf", count=80)
    with pytest.raises(OptionError, match="active"):
        convscope.concepts(trunk, photos, layer="third", method="nmf", active=2)
