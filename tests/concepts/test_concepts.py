"""Concepts against scikit-learn, planted factors, an analytic function and Captum's TCAV."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import convscope
from convscope.concepts import registry
from convscope.concepts.concept_set import ConceptSet
from convscope.concepts.concept_test import concept_activation_vector, tcav_score, tcav_test
from convscope.concepts.sobol import total_sobol_indices
from convscope.errors import (
    InputError,
    NumericError,
    OptionError,
    OutputError,
    TargetError,
    UnitError,
)
from convscope.probe import Probe
from convscope.questions.target import Target
from convscope.synthesis.objective import objective
from tests.small_networks import assert_unchanged, snapshot


def planted(generator, signed):
    """600 rows made of three directions; those of unsigned ones do not overlap."""
    directions = np.kron(np.eye(3), np.ones(4)) * generator.uniform(0.5, 1.5, 12)
    if signed:
        directions *= np.array([1, -1] * 6)
    coefficients = generator.uniform(0, 1, (600, 3)) * (generator.random((600, 3)) < 0.5)
    return (coefficients @ directions).astype(np.float32), directions


@pytest.mark.parametrize(("method", "signed"), [("nmf", False), ("semi_nmf", True)])
def test_planted_directions_come_back(method, signed):
    data, directions = planted(np.random.default_rng(0), signed)
    factors = registry.get(method)(data, 3, seed=0)
    assert factors.coefficients.min() >= 0
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    cosines = factors.directions @ unit.T
    # Directions of any sign may lie outside of those that were planted and still hold all data.
    assert cosines.max(0).min() > (0.9 if signed else 0.98)
    np.testing.assert_allclose(np.linalg.norm(factors.directions, axis=1), 1, atol=1e-5)
    error = np.linalg.norm(factors.reconstruction - data) / np.linalg.norm(data)
    assert error < 0.05


def test_pca_is_that_of_scikit_learn():
    from sklearn.decomposition import PCA

    data = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
    data[:, 0] *= 5
    factors = registry.get("pca")(data, 3)
    oracle = PCA(3).fit(data)
    np.testing.assert_allclose(
        np.abs((factors.directions * oracle.components_).sum(1)), 1, atol=1e-4
    )
    np.testing.assert_allclose(factors.offset, data.mean(0), atol=1e-5)
    np.testing.assert_allclose(
        factors.reconstruction, oracle.inverse_transform(oracle.transform(data)), atol=1e-3
    )


def test_sobol_indices_of_ishigamis_function():
    """Its total indices are known: 0.5576, 0.4424 and 0.2437 (Ishigami & Homma, 1990)."""

    def ishigami(unit):
        x, y, z = (unit * 2 * np.pi - np.pi).T
        return np.asarray(np.sin(x) + 7 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x), np.float32)

    indices = total_sobol_indices(ishigami, 3, designs=4096)
    np.testing.assert_allclose(indices, [0.5576, 0.4424, 0.2437], atol=0.01)
    assert total_sobol_indices(lambda unit: np.ones(len(unit), np.float32), 2).tolist() == [0, 0]


def test_all_channels_give_the_layer_back(trunk, photos):
    before = snapshot(trunk.network)
    result = convscope.concepts(
        trunk, photos, layer="third", method="pca", count=12, importance=True
    )
    assert_unchanged(before, trunk.network)
    assert result["kept"] == [1]
    assert result["error"] < 1e-3
    assert result["directions"].shape == (12, 12)
    assert result["coefficients"].shape == (4, 12, 16, 16)
    with Probe(trunk) as probe:
        image = trunk.preprocess(torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2))
        maps = probe.activations(image, ["third"])["third"].numpy()
    rebuilt = np.einsum("nkhw,kc->nchw", result["coefficients"], result["directions"])
    rebuilt += result["offset"][:, None, None]
    np.testing.assert_allclose(rebuilt, maps, atol=1e-4)
    columns = {"concept", "share", "photo", "value", "importance", "low", "high", "matters_for"}
    assert columns == set(result.table[0])
    assert result.picture().size[0] > 100


def test_importance_finds_the_concept_that_the_score_reads(photos):
    """The head reads channel 0 alone: the directions that hold it matter, others do not."""
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 3, 1, bias=False),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(3, 2, bias=False),
    )
    with torch.no_grad():
        network[0].weight.copy_(torch.eye(3)[:, :, None, None])
        network[3].weight.copy_(torch.tensor([[1.0, 0, 0], [0, 0, 0]]))
    colors = [np.zeros((8, 8, 3), np.float32) for _ in range(3)]
    for channel, photo in enumerate(colors):
        photo[..., channel] = 1
    mixed = np.concatenate(colors, 1)[:, ::3]
    model = convscope.load_model(network, size=8)
    result = convscope.concepts(
        model, [*colors, mixed], layer="0", count=3, target=0, importance=True
    )
    reads = result["directions"][:, 0] > 0.99
    assert reads.sum() == 1
    for row in result.table:
        assert (row["importance"] > 0.1) == reads[row["concept"]], row


def test_a_concept_is_kept_and_drawn(trunk, photos, tmp_path):
    result = convscope.concepts(trunk, photos, layer="second", count=2)
    kept = ConceptSet(result["directions"], "second", {"seed": 0})
    path = kept.save(tmp_path / "concepts.safetensors")
    again = ConceptSet.load(path)
    np.testing.assert_array_equal(again.directions, result["directions"])
    assert (again.layer, again.provenance, len(again)) == ("second", {"seed": 0}, 2)
    drawn = convscope.visualize(trunk, again.objective(1), steps=4, size=16)
    assert drawn["score"][0, -1] > drawn["score"][0, 0]
    with pytest.raises(OptionError, match="0 to 1"):
        again.objective(2)


def test_a_saved_concept_is_a_unit(trunk, photos, tmp_path):
    result = convscope.concepts(trunk, photos, layer="second", count=2)
    path = result.save(tmp_path / "kept.safetensors")
    name = f"concept:{tmp_path}/kept/1"
    drawn = convscope.visualize(trunk, name, steps=3, size=16)
    vector = tuple(result["directions"][1].tolist())
    by_hand = objective("direction", layer="second", vector=vector)
    expected = convscope.visualize(trunk, by_hand, steps=3, size=16)
    np.testing.assert_array_equal(drawn["image"], expected["image"])
    assert drawn.details["titles"] == [name]
    twice = convscope.visualize(trunk, f"{name} + {name}", steps=1, size=16)
    sum_by_hand = convscope.visualize(trunk, by_hand + by_hand, steps=1, size=16)
    np.testing.assert_array_equal(twice["score"], sum_by_hand["score"])
    assert ConceptSet.load(path).provenance["verb"] == "concepts"

    explained = convscope.explain(trunk, photos[0], method="saliency", target=name)
    with Probe(trunk) as probe:
        image = torch.from_numpy(photos[0]).permute(2, 0, 1)[None]
        image = trunk.preprocess(image).requires_grad_()
        maps = probe.activations(image, ["second"])["second"]
        score = (maps * torch.tensor(vector)[:, None, None]).sum(1).mean()
        gradient = torch.autograd.grad(score, image)[0]
    np.testing.assert_allclose(
        np.abs(explained["attribution"]), gradient.abs().numpy(), atol=1e-6, rtol=1e-3
    )
    assert explained.details["titles"] == [name]


def test_concepts_that_cannot_be_named(trunk, photos, tmp_path):
    convscope.concepts(trunk, photos, layer="second", count=2).save(tmp_path / "kept.safetensors")
    with pytest.raises(InputError, match=r"There is no file nothing\.safetensors"):
        convscope.visualize(trunk, "concept:nothing/0", steps=1)
    with pytest.raises(UnitError, match="holds 2 concepts, 0 to 1; not 2"):
        convscope.visualize(trunk, f"concept:{tmp_path}/kept/2", steps=1)
    with pytest.raises(UnitError, match="written concept:NAME/3"):
        convscope.explain(trunk, photos[0], target="concept:kept")
    other = ConceptSet(np.ones((1, 5), np.float32), "second", {})
    other.save(tmp_path / "other.safetensors")
    with pytest.raises(TargetError, match="it is of another network"):
        convscope.explain(trunk, photos[0], target=f"concept:{tmp_path}/other/0")
    with pytest.raises(OptionError, match="has 8 numbers, one per channel; 5 were given"):
        convscope.visualize(trunk, f"concept:{tmp_path}/other/0", steps=1)
    with pytest.raises(OutputError, match=r"Only concepts are saved as .safetensors"):
        convscope.predict(trunk, photos[0]).save(tmp_path / "answer.safetensors")


def test_a_picture_is_made_again(trunk, tmp_path):
    path = str(tmp_path / "concepts.png")
    sample = ["sample:chelsea", "sample:coffee"]
    result = convscope.concepts(convscope.load_model(), sample, layer="blocks.5", count=2)
    result.save(path)
    again = convscope.rerun(path)
    np.testing.assert_array_equal(again["directions"], result["directions"])


def test_files_that_hold_no_concepts(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "x.safetensors"
    with pytest.raises(InputError, match="no file"):
        ConceptSet.load(path)
    for write in (
        lambda: path.write_bytes(b"no"),
        lambda: save_file({"directions": np.zeros((2, 3), np.float32)}, path),
        lambda: ConceptSet(np.zeros(3, np.float32), "a", {}).save(path),
        lambda: ConceptSet(np.full((1, 3), np.nan, np.float32), "a", {}).save(path),
    ):
        write()
        with pytest.raises(InputError):
            ConceptSet.load(path)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"count": 13}, OptionError, "12 channels"),
        ({"count": 0}, OptionError, "count"),
        ({"layer": "thirt"}, convscope.ConvscopeError, "third"),
        ({"method": "nmff"}, OptionError, "nmf"),
        ({"target": "fox"}, convscope.ConvscopeError, "fox"),
    ],
)
def test_errors(trunk, photos, options, error, words):
    with pytest.raises(error, match=words):
        convscope.concepts(trunk, photos, **{"layer": "third", **options})


def test_a_silent_layer_says_so(photos):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
    torch.nn.init.constant_(network[0].weight, 0)
    torch.nn.init.constant_(network[0].bias, -1)
    model = convscope.load_model(torch.nn.Sequential(network, torch.nn.Flatten()), size=8)
    with pytest.raises(NumericError, match="silent"):
        convscope.concepts(model, photos, layer="0", count=2)


def test_the_verb_stays_the_verb():
    import importlib

    importlib.import_module("convscope.concepts.nmf")
    assert callable(convscope.concepts)


@pytest.mark.filterwarnings("ignore")
def test_tcav_is_captums_on_the_same_splits(trunk, tmp_path, monkeypatch):
    """Five concepts against random photos; Captum trains on all photos, as we do."""
    pytest.importorskip("captum")
    from captum.concept import TCAV, Concept
    from captum.concept._utils import classifier

    monkeypatch.setattr(classifier, "_train_test_split", lambda x, y, test_split: (x, x, y, y))
    torch.manual_seed(0)
    random = torch.rand(40, 3, 32, 32)
    inputs = torch.rand(50, 3, 32, 32)
    with Probe(trunk) as probe:
        _, gradients = probe.activation_and_gradient(inputs, "third", Target.of(trunk, 1))
    network = trunk.network.eval()
    shares = []
    for number in range(5):
        tint = torch.rand(1, 3, 1, 1)
        concept = torch.rand(40, 3, 32, 32) * tint
        sets = [
            Concept(index, name, torch.utils.data.DataLoader(data, batch_size=40))
            for index, (name, data) in enumerate((("concept", concept), ("random", random)))
        ]
        oracle = TCAV(network, ["third"], save_path=str(tmp_path / str(number)))
        np.random.seed(0)  # of the order in which scikit-learn's classifier takes the photos
        scores = oracle.interpret(inputs, [sets], target=1)
        expected = scores["0-1"]["third"]["sign_count"][0].item()
        with Probe(trunk) as probe:
            one, other = (
                probe.activations(data, ["third"])["third"].flatten(1).numpy()
                for data in (concept, random)
            )
        vector = concept_activation_vector(one, other)
        share = tcav_score(gradients.flatten(1).numpy(), vector)
        assert share == pytest.approx(expected, abs=0.02)
        shares.append(share)
    assert len(set(shares)) > 1


def test_tcav_tells_a_planted_concept_from_chance():
    """The score rises along the first channel; so does the concept, while another lies across."""
    generator = np.random.default_rng(0)
    gradients = generator.normal(size=(60, 6)).astype(np.float32)
    gradients[:, 0] = 4
    gradients[:, 1] = generator.normal(size=60)
    random_sets = [generator.normal(size=(40, 6)).astype(np.float32) for _ in range(12)]
    concept = generator.normal(size=(40, 6)).astype(np.float32)
    concept[:, 0] += 6
    actual = tcav_test(gradients, concept, random_sets, concepts_tested=3)
    assert actual.is_significant
    assert actual.scores.mean() > 0.9
    chance = generator.normal(size=(40, 6)).astype(np.float32)
    assert not tcav_test(gradients, chance, random_sets).is_significant
    with pytest.raises(OptionError, match="10 random"):
        tcav_test(gradients, concept, random_sets[:9])
