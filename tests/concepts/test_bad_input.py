"""What cannot be a concept is one sentence that says what to do, and leaves nothing behind."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save

import convscope
from convscope.cli import main
from convscope.errors import DeadUnitError, InputError, NumericError, OptionError
from convscope.networks.concept_file import KIND, read_concepts
from tests.small_networks import color_network

DIRECTIONS = np.ones((2, 12), np.float32)


def facts(**facts):
    return {"kind": KIND, "facts": json.dumps({"layer": "third", "provenance": {}} | facts)}


HOSTILE = {
    "no safetensors": b"hello",
    "empty": b"",
    "no concepts": save({"directions": np.zeros((0, 12), np.float32)}, facts()),
    "no channels": save({"directions": np.zeros((2, 0), np.float32)}, facts()),
    "a vector": save({"directions": DIRECTIONS[0]}, facts()),
    "three axes": save({"directions": DIRECTIONS[None]}, facts()),
    "half": save({"directions": DIRECTIONS.astype(np.float16)}, facts()),
    "other tensors": save({"weights": DIRECTIONS}, facts()),
    "other kind": save({"directions": DIRECTIONS}, facts() | {"kind": "a network"}),
    "no metadata": save({"directions": DIRECTIONS}),
    "no facts": save({"directions": DIRECTIONS}, {"kind": KIND}),
    "facts are a list": save({"directions": DIRECTIONS}, {"kind": KIND, "facts": "[1]"}),
    "facts are no JSON": save({"directions": DIRECTIONS}, {"kind": KIND, "facts": "{"}),
    "facts are too deep": save({"directions": DIRECTIONS}, {"kind": KIND, "facts": "[" * 100_000}),
    "layer is no name": save({"directions": DIRECTIONS}, facts(layer=None)),
    "provenance is no table": save({"directions": DIRECTIONS}, facts(provenance=3)),
    "no provenance": save(
        {"directions": DIRECTIONS}, {"kind": KIND, "facts": json.dumps({"layer": "third"})}
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_holds_no_concepts(tmp_path, name):
    path = tmp_path / "some.safetensors"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(InputError, match=r"some\.safetensors holds no concepts; give a"):
        read_concepts(path)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_directions_that_are_not_finite(tmp_path, number):
    path = tmp_path / "some.safetensors"
    path.write_bytes(save({"directions": DIRECTIONS * np.float32(number)}, facts()))
    with pytest.raises(InputError, match="are not finite"):
        read_concepts(path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["concepts", "sample:chelsea", "--count", "0"], "--count must be an integer of 1 or more"),
        (["concepts", "sample:chelsea", "--count", "-1"], "--count must be an integer of 1"),
        (
            ["concepts", "sample:chelsea", "--layer", "blocks.1", "--count", "1000000"],
            "1,000,000 concepts cannot be told apart in 24 channels at 3,136 places",
        ),
        (
            ["concepts", "sample:chelsea", "--layer", "classifier"],
            "10 concepts cannot be told apart in 1,000 channels at 1 place of the photos",
        ),
        (["concepts", "sample:chelsea", "--method", "nmff"], "'nmff' was given"),
        (["concepts", "sample:chelsea", "--method", "pca", "--steps", "3"], "pca has no option"),
        (["concepts", "sample:chelsea", "--method", "craft", "--crop", "2"], "at most 1"),
        (["concepts", "sample:chelsea", "--target", "tabby"], "pass --importance too"),
        (["concepts", "nothing.png"], "There is no file nothing.png"),
        (["visualize", "concept:some/0"], "some.safetensors holds no concepts"),
        (["explain", "sample:chelsea", "--target", "concept:some/0"], "holds no concepts"),
        (["explain", "sample:chelsea", "--layer", "concept:some"], "holds no concepts"),
        (["caricature", "sample:chelsea", "--layer", "concept:some/0"], "holds no concepts"),
        (["intervene", "sample:chelsea", "concept:a/b/0"], "There is no file a/b.safetensors"),
        (["intervene", "sample:chelsea", "concept:wide/0"], "of another network"),
        (["explain", "sample:chelsea", "--target", "concept:wide/0"], "of another network"),
        (["visualize", "concept:wide/0"], "has 192 numbers, one per channel; 5 were given"),
        (["activation_grid", "sample:chelsea", "--cells", "0"], "--cells must be"),
        (["activation_grid", "sample:chelsea", "--layer", "classifier"], "a layer with places"),
        (["semantic_dictionary", "sample:chelsea", "--top", "0"], "--top must be"),
        (["semantic_dictionary", "sample:chelsea", "--layer", "classifier"], "with places"),
    ],
)
def test_one_sentence_and_nothing_left(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.safetensors").write_bytes(b"hello")
    wide = save({"directions": np.ones((1, 5), np.float32)}, facts(layer="blocks.5"))
    (tmp_path / "wide.safetensors").write_bytes(wide)
    assert main([*words, "--out", "out.png"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "some.safetensors",
        "wide.safetensors",
    ]


def test_a_dead_concept_is_named_and_not_spelled_out(tmp_path, trunk):
    path = tmp_path / "dead.safetensors"
    path.write_bytes(save({"directions": 0 * DIRECTIONS}, facts()))
    with pytest.raises(DeadUnitError, match=r"concept:\S*dead/1: no gradient reaches"):
        convscope.visualize(trunk, f"concept:{tmp_path}/dead/1", steps=2, size=16)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_activations_that_are_not_finite(photos, number):
    network = color_network(torch.eye(3) * number, torch.eye(3))
    model = convscope.load_model(network, size=32)
    with pytest.raises(NumericError, match="NaN or infinite, so they have no concepts"):
        convscope.concepts(model, photos, layer="0", method="pca", count=2)


def test_fewer_photos_than_concepts_where_a_layer_has_no_places(trunk, photos):
    """Four photos have four places of a layer without places: at most four concepts."""
    with pytest.raises(OptionError, match=r"5 concepts cannot be told apart in .* at 4 places"):
        convscope.concepts(trunk, photos, layer="head", method="pca", count=5)
    assert len(convscope.concepts(trunk, photos, layer="head", method="pca", count=3).table) == 3


def test_a_network_of_one_class(photos):
    """Its answer is always kept, and its probability is what deletion and insertion follow."""
    network = color_network(torch.eye(3), torch.tensor([[2.0, 1.0, -1.0]]))
    model = convscope.load_model(network, size=32)
    result = convscope.concepts(model, photos, layer="0", count=2, importance=True)
    assert result["kept"] == [1]
    assert np.isfinite(result["importance"]).all()
    assert result["deletion"].shape == (4, 3)
