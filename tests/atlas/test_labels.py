"""A network whose labels have changed: the atlas says the last ones, everywhere."""

from __future__ import annotations

import json
from importlib import import_module

import pytest
import torch
from torch import nn

import convscope
from convscope import atlas
from convscope.atlas.unit_cards.card_rows import read_changes
from tests.small_atlas import SMALL, state

OLD, NEW = ["w", "x", "y", "z"], ["W", "X", "Y", "Z"]


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4)
        ).eval()


def labeled(network, labels):
    return convscope.load_model(network, size=24, labels=labels)


def labels_of(out):
    return [row["label"] for row in atlas.open(str(out)).rows("3")]


@pytest.mark.parametrize("is_compact", [False, True])
def test_pictures(network, tmp_path, is_compact):
    options = {**SMALL, "batch": 2}
    atlas.build(labeled(network, OLD), "0,3", str(tmp_path), **options)
    first = state(tmp_path)
    if is_compact:
        atlas.compact(str(tmp_path))
    hidden = state(tmp_path / "units")
    for labels in (NEW, OLD, NEW):
        assert atlas.build(labeled(network, labels), "3", str(tmp_path), **options)["made"] == 4
        assert labels_of(tmp_path) == labels
        assert len(atlas.open(str(tmp_path)).unit("3", 0)) == 1
        assert atlas.verify(str(tmp_path)).ok
    assert atlas.build(labeled(network, NEW), "0,3", str(tmp_path), **options)["made"] == 0
    kept = state(tmp_path / "units")
    assert {name: kept[name] for name in kept if "/0/" in name} == {
        name: hidden[name] for name in hidden if "/0/" in name
    }
    if not is_compact:
        atlas.build(labeled(network, OLD), "3", str(tmp_path), **options)
        assert state(tmp_path) == first


def test_pictures_of_both_labels_that_a_killed_build_left(network, tmp_path):
    atlas.build(labeled(network, OLD), "3", str(tmp_path), **SMALL)
    old = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    atlas.build(labeled(network, NEW), "3", str(tmp_path), **SMALL)
    for path, data in old.items():
        path.write_bytes(data)
    atlas.compact(str(tmp_path))
    for labels, made in ((NEW, 0), (OLD, 4)):
        assert atlas.build(labeled(network, labels), "3", str(tmp_path), **SMALL)["made"] == made
        assert labels_of(tmp_path) == labels
        assert len(list(tmp_path.rglob("*.parquet"))) == 1


def test_pictures_of_another_batch_stay(network, tmp_path):
    for batch in (2, 4, 2):
        atlas.build(labeled(network, OLD), "3", str(tmp_path), **{**SMALL, "batch": batch})
    assert len(list(tmp_path.rglob("*.parquet"))) == 3


def test_maps(network, photos, tmp_path, monkeypatch):
    map_module = import_module("convscope.atlas.map")
    monkeypatch.setattr(map_module, "umap_plane", lambda vectors, seed: (vectors[:, :2] * 5) % 1)
    options = {"grid": 2, "minimum": 1, "steps": 2, "size": 16, "batch": 2}
    for labels in (OLD, NEW, OLD):
        atlas.map(labeled(network, labels), "0", str(photos), str(tmp_path), **options)
        rows = [row for path in tmp_path.rglob("*.parquet") for row in atlas_rows(path)]
        assert {label for row in rows for label, _ in json.loads(row["labels"])} == set(labels)
        assert len({(row["row"], row["column"]) for row in rows}) == len(rows)


def atlas_rows(path):
    import pyarrow.parquet as pq

    return pq.read_table(path).to_pylist()


def test_cards(network, photos, tmp_path):
    options = {"layers": "0", "judge": "none", "batch": 8}
    for labels in (OLD, NEW):
        atlas.cards(labeled(network, labels), str(photos), str(tmp_path), **options)
        rows = [row for path in tmp_path.rglob("*.parquet") for row in atlas_rows(path)]
        assert len(rows) == 4
        named = [change.label for row in rows for change in read_changes(row["raises"])]
        assert named
        assert set(named) <= set(labels)
