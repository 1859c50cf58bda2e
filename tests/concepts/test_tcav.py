"""Concepts that are shown by photos: TCAV through the verb, against Captum's and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convscope
from convscope.cli import main
from convscope.concepts.concept_test import MIN_RANDOM_SETS
from convscope.concepts.tcav import example_sets
from convscope.errors import InputError, OptionError
from tests.small_networks import assert_unchanged, color_network, snapshot

SIDE = 32


def write(folder, pixels):
    """Photos (n h w 3 in [0, 1]) as files; what is read back, as n 3 h w."""
    folder.mkdir(parents=True)
    whole = (np.asarray(pixels) * 255).round().astype(np.uint8)
    for at, photo in enumerate(whole):
        Image.fromarray(photo).save(folder / f"{at:03d}.png")
    return torch.from_numpy(whole).permute(0, 3, 1, 2).float() / 255


@pytest.fixture
def sources(tmp_path):
    """Photos of two concepts, tints, and random ones; with what they hold."""
    generator = np.random.default_rng(0)
    tensors = {}
    for name, tint in (("dusk", (1, 0.4, 0.2)), ("sea", (0.1, 0.6, 1))):
        pixels = generator.random((12, SIDE, SIDE, 3)) * np.array(tint)
        tensors[name] = write(tmp_path / "examples" / name, pixels)
    tensors["random"] = write(tmp_path / "random", generator.random((40, SIDE, SIDE, 3)))
    return tmp_path, tensors


class Averaged(nn.Module):
    """A network in which the mean of a layer's maps over places passes through `average`, whose
    gradient is then that of the mean."""

    def __init__(self, network, layer):
        super().__init__()
        self.network, self.average = network, nn.Identity()
        self.layer = network.get_submodule(layer)

    def forward(self, image):
        def through(module, inputs, output):
            mean = output.mean((2, 3), keepdim=True)
            return output - mean.detach() + self.average(mean.flatten(1))[..., None, None]

        handle = self.layer.register_forward_hook(through)
        try:
            return self.network(image)
        finally:
            handle.remove()


@pytest.mark.filterwarnings("ignore")
def test_scores_are_captums_on_the_same_splits(trunk, sources, photos, monkeypatch):
    """Ten splits; Captum trains on all photos, as we do."""
    pytest.importorskip("captum")
    from captum.concept import TCAV, Concept
    from captum.concept._utils import classifier

    monkeypatch.setattr(classifier, "_train_test_split", lambda x, y, test_split: (x, x, y, y))
    folder, tensors = sources
    # One color each, so that other units are silent on each, and the gradients differ.
    colors = np.random.default_rng(1).random((40, 1, 1, 3)).astype("f4")
    inputs = list(colors.repeat(SIDE, 1).repeat(SIDE, 2))
    before = snapshot(trunk.network)
    result = convscope.concepts(
        trunk,
        inputs,
        layer="first",
        method="tcav",
        target=1,
        examples=str(folder / "examples"),
        random=str(folder / "random"),
    )
    assert_unchanged(before, trunk.network)
    places = {str(folder / "examples"): 12, str(folder / "random"): 40}

    def numbers(source):
        return {"": np.arange(places[source])[:, None].astype(np.float32)}

    examples, random_photos = places
    _, sets = example_sets(numbers, examples, random_photos, 0)
    network = Averaged(trunk.network.eval(), "first")
    batch = torch.from_numpy(np.stack(inputs)).permute(0, 3, 1, 2)
    batch = trunk.preprocess(batch)
    shares = []
    for number, places_of_set in enumerate(sets):
        random = tensors["random"][places_of_set[:, 0].astype(int)]
        groups = [
            Concept(index, kind, [trunk.preprocess(data)])
            for index, (kind, data) in enumerate((("sea", tensors["sea"]), ("random", random)))
        ]
        oracle = TCAV(network, ["average"], save_path=str(folder / str(number)))
        np.random.seed(0)  # of the order in which scikit-learn's classifier takes the photos
        scores = oracle.interpret(batch, [groups], target=1)
        shares.append(scores["0-1"]["average"]["sign_count"][0].item())
    dusk, sea = result.table
    assert (dusk["name"], sea["name"]) == ("dusk", "sea")
    assert sea["tcav"] == pytest.approx(np.mean(shares), abs=0.02)
    assert sea["examples"] == 12
    assert len(set(shares)) > 2


def reads_red():
    """A network whose first score is the mean of red."""
    network = color_network(torch.eye(3), torch.tensor([[8.0, 0, 0], [0, 8, 0]]))
    return convscope.load_model(network, size=8, labels=["red", "green"])


def test_the_score_rises_along_the_concept_that_it_reads(tmp_path):
    """Photos full of red against noise: the direction is red, every photo's score rises along it. A
    concept that is noise itself is as good as random ones, and the note says so."""
    generator = np.random.default_rng(0)
    noise = generator.random((64, 8, 8, 3))
    red = noise[:8].copy()
    red[..., 0] = 1
    write(tmp_path / "examples" / "reds", red)
    write(tmp_path / "examples" / "noise", noise[8:24])
    write(tmp_path / "random", noise[24:])
    options = {"method": "tcav", "layer": "0", "target": "red", "importance": True}
    paths = {"examples": str(tmp_path / "examples"), "random": str(tmp_path / "random")}
    result = convscope.concepts(reads_red(), list(noise[:6].astype("f4")), **options, **paths)
    noises, reds = result.table
    assert reds["name"] == "reds"
    assert reds["tcav"] == 1
    assert reds["is_significant"]
    assert result["directions"][1, 0] > 0.5
    assert not noises["is_significant"]
    assert noises["p_value"] > 0.05
    assert "noise is not significant" in result.note
    assert "reds" not in result.note
    # The score's derivative along a direction of length 1 is 8 times its red part.
    np.testing.assert_allclose(
        result["importance"][:, 1], 8 * result["directions"][1, 0], rtol=1e-4
    )
    assert result.picture().width > 100


def test_a_concept_that_was_shown_is_a_unit(trunk, sources, photos):
    folder, _ = sources
    options = {"examples": str(folder / "examples"), "random": str(folder / "random")}
    result = convscope.concepts(trunk, photos, layer="third", method="tcav", **options)
    result.save(folder / "shown.safetensors")
    name = f"concept:{folder}/shown"
    maps = convscope.activations(trunk, photos, layers=["third", name])
    projected = np.einsum("nchw,kc->nkhw", maps["third"], result["directions"])
    np.testing.assert_allclose(maps[name], projected, atol=1e-5)
    assert len(convscope.intervene(trunk, photos[0], f"{name}/1")["score"]) == 1


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"examples": ""}, OptionError, "give examples="),
        ({"random": ""}, OptionError, "random=, a folder"),
        ({"examples": "nowhere"}, InputError, "There are no photos at nowhere"),
        ({"random": "{folder}/examples/sea"}, OptionError, f"at least {2 * MIN_RANDOM_SETS}"),
        ({"examples": "{folder}/single"}, OptionError, "'alone' has one photo"),
    ],
)
def test_what_cannot_be_a_concept(trunk, sources, photos, change, error, words):
    folder, _ = sources
    write(folder / "single" / "alone", np.ones((1, SIDE, SIDE, 3)))
    paths = {"examples": "{folder}/examples", "random": "{folder}/random"} | change
    options = {name: path.format(folder=folder) for name, path in paths.items()}
    with pytest.raises(error, match=words):
        convscope.concepts(trunk, photos, layer="third", method="tcav", **options)


def test_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["concepts", "sample:chelsea", "--method", "tcav", "--out", "shown.csv"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("convscope: tcav learns concepts from photos")
    assert len(error.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
