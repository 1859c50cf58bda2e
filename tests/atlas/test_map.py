"""The activation atlas: cells that hold what they should, resumed, named, exported."""

from __future__ import annotations

import json
from importlib import import_module

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope import atlas
from convscope.errors import NumericError, OptionError

SMALL = {"grid": 3, "minimum": 2, "steps": 3, "size": 16, "batch": 4}
map_cells = import_module("convscope.atlas.render.map_cells")
map_module = import_module("convscope.atlas.map")


@pytest.fixture
def flat(monkeypatch):
    """Two channels instead of UMAP, whose compilation takes seconds; one test below has the real
    one."""

    def plane(vectors, seed):
        low, high = vectors.min(0), vectors.max(0)
        return ((vectors - low) / np.maximum(high - low, 1e-9))[:, :2]

    monkeypatch.setattr(map_module, "umap_plane", plane)


def rows_of(out):
    actual = []
    for path in sorted(out.rglob("maps/**/*.parquet")):
        actual += import_module("pyarrow.parquet").read_table(path).to_pylist()
    return actual


def test_every_cell_holds_the_mean_of_its_activations(flat, model, photos, tmp_path):
    report = atlas.map(model, "third", str(photos), str(tmp_path), **SMALL)
    rows = rows_of(tmp_path)
    assert len(rows) == report["cells"] > 1
    assert report["skipped"] == ["cats/05-broken.jpg"]
    assert sum(row["count"] for row in rows) <= rows[0]["sampled"] == 48
    assert all(row["count"] >= 2 and row["image"]["bytes"].startswith(b"\x89PNG") for row in rows)
    assert len({row["image"]["bytes"] for row in rows if not row["dead"]}) > 1
    means = np.array([row["vector"] for row in rows])
    columns = np.array([row["column"] for row in rows])
    assert means[columns == columns.max(), 0].min() > means[columns == columns.min(), 0].max()


def test_labels_are_what_the_rest_of_the_network_says(flat, model, photos, tmp_path):
    """After the third layer only ReLU, the mean over places and a matrix come: the scores can be
    worked out."""
    atlas.map(model, "third", str(photos), str(tmp_path), **SMALL)
    rows = rows_of(tmp_path)
    head = model.network.head
    for row in rows:
        vector = torch.tensor(row["vector"])
        scores = (head(vector.relu()) - head(torch.zeros_like(vector).relu())).detach()
        named = dict(json.loads(row["labels"]))
        assert set(named) == set(model.labels)
        actual = torch.tensor([named[label] for label in model.labels])
        difference = scores - actual  # the mean's score, the same for all cells
        row["rest"] = difference
    for row in rows[1:]:
        torch.testing.assert_close(row["rest"], rows[0]["rest"], atol=2e-3, rtol=0)


def test_order_and_interruption_change_nothing(flat, model, photos, tmp_path, monkeypatch):
    atlas.map(model, "third", str(photos), str(tmp_path / "whole"), **SMALL)
    parts = sorted((tmp_path / "whole").rglob("*.parquet"))
    atlas.map(model, "third", str(photos), str(tmp_path / "again"), **SMALL)
    others = sorted((tmp_path / "again").rglob("*.parquet"))
    others[-1].unlink()
    monkeypatch.setattr(map_cells, "optimize", counting := Counting(map_cells.optimize))
    atlas.map(model, "third", str(photos), str(tmp_path / "again"), **SMALL)
    assert counting.calls == 1
    assert [path.read_bytes() for path in parts] == [path.read_bytes() for path in others]
    assert not list(tmp_path.rglob("*.npz"))


class Counting:
    def __init__(self, inner):
        self.inner, self.calls = inner, 0

    def __call__(self, *given, **named):
        self.calls += 1
        return self.inner(*given, **named)


def test_the_site_shows_it(flat, model, photos, tmp_path):
    atlas.map(model, "third", str(photos), str(tmp_path / "atlas"), **SMALL)
    atlas.export(str(tmp_path / "atlas"), str(tmp_path / "site"))
    page = next((tmp_path / "site").rglob("map-*.html")).read_text(encoding="utf-8")
    assert "Activation atlas of third" in page
    assert next((tmp_path / "site").rglob("map-*.png")).stat().st_size > 100


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"grid": 0}, "grid"),
        ({"minimum": 100}, "smaller grid="),
        ({"layer": "first,third"}, "one layer"),
        ({"most": 3}, "most"),
    ],
)
def test_what_cannot_be_is_one_sentence(flat, model, photos, tmp_path, options, words):
    layer = options.pop("layer", "third")
    with pytest.raises(convscope.ConvscopeError, match=words):
        atlas.map(model, layer, str(photos), str(tmp_path), **{**SMALL, **options})


def test_umap_puts_like_beside_like():
    """Two bundles of directions, whatever their lengths, come to lie apart."""
    generator = np.random.default_rng(0)
    bundles = np.repeat(np.eye(8, dtype=np.float32)[:2], 20, 0) + generator.normal(
        0, 0.05, (40, 8)
    ).astype(np.float32)
    points = map_module.umap_plane(bundles * generator.uniform(1, 9, (40, 1)).astype(np.float32), 0)
    assert points.min() >= 0
    assert points.max() <= 1
    near = np.linalg.norm(points[:20] - points[:20].mean(0), axis=1).mean()
    assert np.linalg.norm(points[:20].mean(0) - points[20:].mean(0)) > 2 * near


def small_network(units):
    return nn.Sequential(nn.Conv2d(3, units, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()


def test_a_layer_of_one_unit_has_no_directions(photos, tmp_path):
    model = convscope.load_model(small_network(1), size=24)
    with pytest.raises(OptionError, match="'0' has one unit"):
        atlas.map(model, "0", str(photos), str(tmp_path / "atlas"), **SMALL)
    assert not (tmp_path / "atlas").exists()


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_activations_that_are_no_numbers_are_one_sentence(photos, tmp_path, value):
    network = small_network(4)
    with torch.no_grad():
        network[0].bias.fill_(value)
    model = convscope.load_model(network, size=24)
    with pytest.raises(NumericError, match=r"of 0 are NaN or infinite on cats/01\.png"):
        atlas.map(model, "0", str(photos), str(tmp_path), **SMALL)
