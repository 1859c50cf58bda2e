"""`concept:NAME` as a layer: projections and derivatives by hand, through every verb that takes
one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import convscope
from convscope.concepts.concept_set import ConceptSet
from convscope.errors import InputError, LayerError, UnitError
from convscope.probe import Probe
from convscope.questions.target import Target
from tests.small_networks import assert_unchanged, snapshot


@pytest.fixture
def photo():
    return np.random.default_rng(0).random((32, 32, 3)).astype(np.float32)


@pytest.fixture
def directions(tmp_path):
    """Three directions of `third`, saved, and the name of the layer that they are."""
    matrix = np.random.default_rng(1).normal(size=(3, 12)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    ConceptSet(matrix, "third", {}).save(tmp_path / "kept.safetensors")
    return matrix, f"concept:{tmp_path}/kept"


def raw(trunk, photo, target):
    image = trunk.preprocess(torch.from_numpy(photo).permute(2, 0, 1)[None])
    with Probe(trunk) as probe:
        maps, gradient = probe.activation_and_gradient(image, "third", Target.of(trunk, target))
    return maps.numpy(), gradient.numpy()


def test_activations_are_dot_products(trunk, photo, directions):
    matrix, name = directions
    maps, _ = raw(trunk, photo, 0)
    before = snapshot(trunk.network)
    result = convscope.activations(trunk, photo, layers=[name, f"{name}/1"])
    assert_unchanged(before, trunk.network)
    expected = np.einsum("nchw,kc->nkhw", maps, matrix)
    np.testing.assert_allclose(result[name], expected, atol=1e-5)
    np.testing.assert_allclose(result[f"{name}/1"], expected[:, 1:2], atol=1e-5)


def test_grad_cam_at_a_concept(trunk, photo, directions):
    """The concept's map times its mean derivative; HiResCAM: times the derivative at each place."""
    matrix, name = directions
    maps, gradient = raw(trunk, photo, 2)
    projected = np.einsum("nchw,c->nhw", maps, matrix[1])
    along = np.einsum("nchw,c->nhw", gradient, matrix[1])
    expected = {"grad_cam": projected * along.mean(), "hires_cam": projected * along}
    for method, map_ in expected.items():
        result = convscope.explain(trunk, photo, method=method, target=2, layer=f"{name}/1")
        np.testing.assert_allclose(result["attribution"][:, 0], map_, atol=1e-6, rtol=1e-4)


def test_ablation_takes_the_direction_away_and_nothing_else(trunk, photo, directions):
    matrix, name = directions
    image = trunk.preprocess(torch.from_numpy(photo).permute(2, 0, 1)[None])
    with Probe(trunk) as probe:
        whole, along = probe.partial_forward(image, "third"), probe.partial_forward(image, name)
        unchanged = along.scores(along.maps)
        torch.testing.assert_close(unchanged, whole.scores(whole.maps), atol=1e-5, rtol=1e-4)
        second = probe.partial_forward(image, f"{name}/1")
        direction = torch.from_numpy(matrix[1])
        without = whole.maps - torch.einsum("nchw,c,d->ndhw", whole.maps, direction, direction)
        expected = whole.scores(without)
        actual = second.scores(torch.zeros_like(second.maps))
        torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-4)
        # Of several, the change has the projections that were asked for.
        wanted = along.maps * torch.tensor([1.0, 0, 2])[:, None, None]
        changed = along._layout.from_maps(wanted, along._raw, name, (32, 32))
        projected = torch.einsum("nchw,kc->nkhw", changed, torch.from_numpy(matrix))
        torch.testing.assert_close(projected, wanted, atol=1e-4, rtol=1e-4)


def test_intervening_on_a_concept_scales_what_lies_along_it(trunk, photo, directions):
    """x + (s - 1) (x . v) v in place of x, by hand, for a v of length 1."""
    matrix, name = directions
    image = trunk.preprocess(torch.from_numpy(photo).permute(2, 0, 1)[None])
    direction = torch.from_numpy(matrix[1])
    with Probe(trunk) as probe:
        whole = probe.partial_forward(image, "third")
        along = torch.einsum("nchw,c,d->ndhw", whole.maps, direction, direction)
        expected = [whole.scores(whole.maps + (scale - 1) * along)[0] for scale in (0, 1, 2)]
    before = snapshot(trunk.network)
    result = convscope.intervene(trunk, photo, f"{name}/1", scale=[0.0, 1.0, 2.0])
    assert_unchanged(before, trunk.network)
    np.testing.assert_allclose(result["score"], torch.stack(expected), atol=1e-5, rtol=1e-4)
    assert np.abs(result["score"][0] - result["original"][0]).max() > 1e-4
    assert result.details["title"] == f"{name}/1 times 0, 1, 2"


def test_intervening_reads_a_file_that_changed_again(trunk, photo, directions, tmp_path):
    matrix, name = directions
    scores = {}
    for key, index in (("as it was", 0), ("changed", 2), ("as before", 0)):
        ConceptSet(matrix[[index]], "third", {}).save(tmp_path / "kept.safetensors")
        scores[key] = convscope.intervene(trunk, photo, f"{name}/0")["score"]
    np.testing.assert_array_equal(scores["as it was"], scores["as before"])
    assert np.abs(scores["changed"] - scores["as it was"]).max() > 1e-5


def place_at(trunk, photo, name):
    return convscope.place(trunk, photo, 9, 20, layers=[name])[f"{name}.activation"]


def overview_at(trunk, photo, name):
    return convscope.overview(trunk, photo, layers=name)[name]


@pytest.mark.parametrize("look", [place_at, overview_at])
def test_what_is_kept_of_a_photo_goes_with_the_file(trunk, photo, directions, tmp_path, look):
    """Also where the file then names another layer, one whose batch norm was folded before."""
    matrix, name = directions
    seen = {}
    for key, index, layer in (("as it was", 0, "third"), ("changed", 2, "third")):
        ConceptSet(matrix[[index]], layer, {}).save(tmp_path / "kept.safetensors")
        seen[key] = look(trunk, photo, f"{name}/0")
    ConceptSet(matrix[:1, :8], "first.0", {}).save(tmp_path / "kept.safetensors")
    elsewhere = look(trunk, photo, f"{name}/0")
    assert np.abs(seen["changed"] - seen["as it was"]).max() > 1e-3
    ConceptSet(matrix[:1, :8], "first.0", {}).save(tmp_path / "fresh.safetensors")
    wanted = look(trunk, photo, f"concept:{tmp_path}/fresh/0")
    np.testing.assert_allclose(elsewhere, wanted, atol=1e-5)


def test_concepts_that_cannot_be_intervened_on(trunk, photo, directions, tmp_path):
    _, name = directions
    with pytest.raises(UnitError, match="written concept:NAME/3"):
        convscope.intervene(trunk, photo, name)
    with pytest.raises(UnitError, match="holds 3 concepts, 0 to 2; not 7"):
        convscope.intervene(trunk, photo, f"{name}/7")
    with pytest.raises(InputError, match="There is no file"):
        convscope.intervene(trunk, photo, "concept:nothing/0")
    ConceptSet(np.ones((1, 5), np.float32), "third", {}).save(tmp_path / "other.safetensors")
    with pytest.raises(LayerError, match="they are of another network"):
        convscope.intervene(trunk, photo, f"concept:{tmp_path}/other/0")


def test_a_caricature_exaggerates_the_concept(trunk, photo, directions):
    _, name = directions
    result = convscope.caricature(
        trunk, photo, layer=f"{name}/1", steps=40, transforms="none", power=0.0
    )
    curve = result["score"][0]
    assert curve[-1] > curve[0] + 0.2
    assert result.details["layer"] == f"{name}/1"


def test_examples_of_concepts(trunk, tmp_path, directions):
    """The best photo of each concept is the one whose largest projection is largest."""
    pytest.importorskip("pyarrow")
    from PIL import Image

    from convscope import atlas

    matrix, name = directions
    folder = tmp_path / "photos"
    folder.mkdir()
    pixels = [
        np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        for seed in range(6)
    ]
    for at, each in enumerate(pixels):
        Image.fromarray(each).save(folder / f"{at}.png")
    out = str(tmp_path / "atlas")
    options = {"layers": name, "k": 2, "samples": 0}
    atlas.examples(trunk, str(folder), out, **options)
    maps = convscope.activations(trunk, pixels, layers=["third"])["third"]
    highest = np.einsum("nchw,kc->nkhw", maps, matrix).max((2, 3))
    rows = atlas.open(out).examples(name, 1, kind="top")
    assert rows[0].columns["value"] == pytest.approx(highest[:, 1].max(), rel=1e-4)
    assert str(rows[0].columns["photo"]).endswith(f"{highest[:, 1].argmax()}.png")
    # The same name with other concepts is another pass, with the same ones it is not.
    assert "are all there" in str(atlas.examples(trunk, str(folder), out, **options))
    ConceptSet(-matrix, "third", {}).save(tmp_path / "kept.safetensors")
    assert "are all there" not in str(atlas.examples(trunk, str(folder), out, **options))


def test_layers_that_are_no_concepts(trunk, photo, directions, tmp_path):
    _, name = directions
    with pytest.raises(InputError, match="There is no file"):
        convscope.explain(trunk, photo, layer="concept:nothing")
    with pytest.raises(UnitError, match="holds 3 concepts, 0 to 2; not 3"):
        convscope.explain(trunk, photo, layer=f"{name}/3")
    ConceptSet(np.ones((1, 5), np.float32), "third", {}).save(tmp_path / "other.safetensors")
    with pytest.raises(LayerError, match="they are of another network"):
        convscope.activations(trunk, photo, layers=[f"concept:{tmp_path}/other"])
    ConceptSet(np.ones((1, 5), np.float32), "nowhere", {}).save(tmp_path / "lost.safetensors")
    with pytest.raises(LayerError, match="no layer 'nowhere'"):
        convscope.caricature(trunk, photo, layer=f"concept:{tmp_path}/lost", steps=1)
