"""The verbs that make pictures: what they promise, on small networks and on the embedded one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import convscope
from convscope.errors import (
    DeadUnitError,
    NoGradientError,
    NumericError,
    OptionError,
    TargetError,
    UnitError,
)
from convscope.probe import Probe
from convscope.synthesis.config import OptimizationConfig
from convscope.synthesis.objective import Objective, channel
from convscope.synthesis.optimize import optimize
from convscope.synthesis.parameterizations.pixels import pixels
from convscope.synthesis.parse import parse
from convscope.synthesis.presets import names, preset
from convscope.synthesis.random import RandomStreams
from tests.small_networks import Trunk, assert_unchanged, snapshot


@pytest.fixture
def trunk():
    torch.manual_seed(0)
    return convscope.load_model(Trunk(), size=32, labels=["ant", "bee", "cat", "dog", "eel"])


PHOTO = np.random.default_rng(0).random((32, 32, 3)).astype(np.float32)

CALLS = {
    "visualize": lambda model, **more: convscope.visualize(
        model, ["second:1", "third:2"], steps=3, size=24, **more
    ),
    "class_image": lambda model, **more: convscope.class_image(
        model, ["bee", "dog"], steps=3, **more
    ),
    "invert": lambda model, **more: convscope.invert(model, PHOTO, layer="second", steps=3, **more),
    "dream": lambda model, **more: convscope.dream(
        model, PHOTO, layer="second", octaves=2, steps=2, **more
    ),
    "fool": lambda model, **more: convscope.fool(model, PHOTO, target="bee", steps=3, **more),
    "caricature": lambda model, **more: convscope.caricature(
        model, PHOTO, layer="second", steps=3, **more
    ),
}


@pytest.mark.parametrize("verb", CALLS)
def test_leaves_no_trace_and_repeats(verb, trunk):
    torch.manual_seed(5)
    network = trunk.network.train()
    before, state = snapshot(network), torch.get_rng_state()
    first, second, other = CALLS[verb](trunk), CALLS[verb](trunk), CALLS[verb](trunk, seed=1)
    assert_unchanged(before, network)
    assert torch.equal(torch.get_rng_state(), state)
    assert first["image"].dtype == np.float32
    assert 0 <= first["image"].min() <= first["image"].max() <= 1
    assert np.isfinite(first["score"]).all()
    assert first.png() == second.png()
    assert np.array_equal(first["image"], second["image"])
    if verb != "fool":
        assert not np.array_equal(first["image"], other["image"])


@pytest.mark.parametrize("verb", CALLS)
def test_leaves_no_trace_when_the_network_raises(verb, trunk):
    network = trunk.network
    convscope.layers(trunk)
    forward, runs = network.second.forward, []

    def sometimes(given):
        runs.append(1)
        if len(runs) > 1:
            raise RuntimeError("broken on purpose")
        return forward(given)

    network.second.forward = sometimes
    before = snapshot(network)
    with pytest.raises(convscope.ConvscopeError, match="broken on purpose"):
        CALLS[verb](trunk)
    assert_unchanged(before, network)


def test_every_preset_says_where_its_numbers_are_from():
    for name in names():
        assert (
            len(preset(name, next((v for v in CALLS if v in _tables(name)), "visualize")).source)
            > 20
        )


def _tables(name):
    import tomllib
    from pathlib import Path

    import convscope.synthesis.presets as package

    return tomllib.loads((Path(package.__file__).parent / f"{name}.toml").read_text())


def test_chollet_is_the_recipe_to_the_letter(trunk):
    """Forty steps written out by hand: gray noise, gradient over its root mean square, shown by
    mean and deviation."""
    result = convscope.visualize(trunk, "second:1", preset="chollet", size=16, seed=3)
    network = trunk.network.eval()
    noise = RandomStreams.of(3, ["second:1 0"]).uniform(3, 16, 16)
    image = (128 + 20 * noise) / 255
    for _ in range(40):
        leaf = image.clone().requires_grad_()
        seen: dict[str, torch.Tensor] = {}
        handle = network.second.register_forward_hook(
            lambda module, given, output, seen=seen: seen.update(maps=output.clone())
        )
        network(leaf)
        handle.remove()
        gradient = torch.autograd.grad(seen["maps"][:, 1].mean(), leaf)[0]
        image = image + gradient / (gradient.pow(2).mean().sqrt() + 1e-5) / 255
    shown = (image - image.mean()) / (image.std(correction=0) + 1e-5 / 255) * 0.1 + 0.5
    assert np.allclose(result["image"], shown.clamp(0, 1).numpy(), atol=2e-3)


def test_the_order_and_the_batch_do_not_matter(trunk):
    options = {"steps": 4, "size": 24, "preset": "distill"}
    both = convscope.visualize(trunk, ["second:1", "third:2"], **options)
    turned = convscope.visualize(trunk, ["third:2", "second:1"], batch=1, **options)
    assert np.allclose(both["image"], turned["image"][::-1], atol=1e-4)


def test_whole_layers_and_ranges(trunk):
    assert (
        convscope.visualize(trunk, "third:*", preset="chollet", steps=1, size=16)["image"].shape[0]
        == 12
    )
    assert convscope.visualize(trunk, "third:2-4", preset="chollet", steps=1, size=16).details[
        "titles"
    ] == [
        "third:2",
        "third:3",
        "third:4",
    ]


def test_fooled_and_still_fooled_from_the_file(embedded, tmp_path):
    result = convscope.fool(embedded, "sample:chelsea", target="stingray")
    row = result.table[0]
    assert row["fooled"]
    assert (row["before"], row["after"]) == ("tiger cat", "stingray")
    assert row["l2"] == pytest.approx(
        float(np.linalg.norm(result["image"] - result["original"])), rel=1e-4
    )
    saved = result.save(tmp_path / "fooled.png", plain=True)
    with Image.open(saved) as picture:
        assert np.array_equal(
            np.asarray(picture),
            np.round(result["image"][0].transpose(1, 2, 0) * 255).astype(np.uint8),
        )
    assert convscope.predict(embedded, saved, top=1).table[0]["label"] == "stingray"


def test_a_photo_that_is_the_target_already_is_left_alone(embedded):
    result = convscope.fool(embedded, "sample:chelsea", target="tiger cat")
    assert result.table[0]["steps"] == 0
    assert np.array_equal(result["image"], result["original"])


def test_the_smallest_change_is_smaller_and_still_fools_from_the_file(embedded, tmp_path):
    plain, smallest = (
        convscope.fool(embedded, "sample:chelsea", target="stingray", preset=preset)
        for preset in ("cs231n", "minimal")
    )
    row = smallest.table[0]
    assert row["fooled"]
    assert row["l2"] < plain.table[0]["l2"]
    saved = smallest.save(tmp_path / "fooled.png", plain=True)
    assert convscope.predict(embedded, saved, top=1).table[0]["label"] == "stingray"


def test_not_fooled_is_said(embedded):
    row = convscope.fool(embedded, "sample:chelsea", target="stingray", steps=1, rate=1e-3).table[0]
    assert (row["fooled"], row["steps"], row["after"]) == (False, 1, "tiger cat")


def test_inversion_gives_a_shallow_layer_back(trunk):
    result = convscope.invert(trunk, PHOTO, layer="first", steps=200)
    assert result["error"][0] < 0.1
    assert result["error"][0] < -result["score"][0, 0] / 5


def test_a_dream_in_tiles_has_the_photos_size_and_no_seam(trunk):
    photo = np.full((70, 90, 3), 0.5, dtype=np.float32)
    whole = convscope.dream(trunk, photo, layer="first", octaves=1, steps=4, tile=512)
    pieces = convscope.dream(trunk, photo, layer="first", octaves=1, steps=4, tile=32)
    assert pieces["image"].shape == (1, 3, 70, 90)
    change = np.abs(np.diff(pieces["image"], axis=-1)).mean((0, 1, 2))
    assert (
        change.max()
        < 4 * np.median(np.abs(np.diff(whole["image"], axis=-1)).mean((0, 1, 2))) + 0.05
    )


def test_snapshots_and_plateau(trunk):
    result = convscope.visualize(
        trunk, "second:1", preset="chollet", size=16, steps=6, snapshots=[1, 3]
    )
    assert result["snapshot"].shape == (2, 1, 3, 16, 16)
    ended = convscope.visualize(
        trunk, "second:1", preset="chollet", size=16, steps=400, rate=1e-9, patience=5
    )
    assert ended["score"].shape[1] < 400
    assert "no rise" in ended.details["ended"]


def test_an_interrupted_ascent_keeps_what_it_has(trunk, monkeypatch):
    from convscope.core import progress

    def stop(what, done, total):
        if done == 3:
            raise KeyboardInterrupt

    with progress.report_to(stop):
        result = convscope.visualize(trunk, "second:1", preset="chollet", size=16, steps=10)
    assert result["score"].shape == (1, 3)
    assert result.details["ended"] == "interrupted after 3 of 10 steps"


def test_dead_units_are_said_not_drawn(trunk):
    with torch.no_grad():
        trunk.network.third.weight[4] = 0
    with pytest.raises(DeadUnitError, match="third:4"):
        convscope.visualize(trunk, "third:4", preset="chollet", size=16, steps=2)
    both = convscope.visualize(trunk, ["third:3", "third:4"], preset="chollet", size=16, steps=2)
    assert both.details["dead"] == [1]
    assert np.ptp(both["image"][1]) == 0
    assert np.ptp(both["image"][0]) > 0


def test_nan_is_said_not_drawn(trunk):
    with torch.no_grad():
        trunk.network.second.weight[0] = float("nan")
    with pytest.raises(NumericError, match="second:0 became NaN"):
        convscope.visualize(trunk, "second:0", preset="chollet", size=16, steps=2)


def test_an_objective_that_cannot_reach_the_image(trunk):
    class Still(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(1, 3)

        def forward(self, image):
            return self.table(torch.zeros(len(image), dtype=torch.long)) + 0 * image.detach().mean()

    model = convscope.load_model(Still(), size=8)
    with pytest.raises(NoGradientError, match="does not depend on the image"):
        convscope.class_image(model, 1, steps=2)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda m: convscope.visualize(m, "third:99"), UnitError, "12 units, 0 to 11"),
        (
            lambda m: convscope.visualize(m, "third:1", preset="dstill"),
            OptionError,
            "did you mean 'distill'",
        ),
        (
            lambda m: convscope.visualize(m, "third:1", preset="cs231n"),
            OptionError,
            "is for invert and dream and fool",
        ),
        (
            lambda m: convscope.visualize(m, "third:1", steps=0),
            OptionError,
            "steps must be an integer from 1 to 1,000,000",
        ),
        (
            lambda m: convscope.visualize(m, "third:1", transforms="shake(3)"),
            OptionError,
            "no transform 'shake'",
        ),
        (
            lambda m: convscope.visualize(m, "third:1", regularizers="much*l1"),
            OptionError,
            "weight",
        ),
        (lambda m: convscope.class_image(m, "fox"), TargetError, "no class 'fox'"),
        (
            lambda m: convscope.fool(m, PHOTO, target=["ant", "bee"]),
            TargetError,
            "2 targets were given for 1",
        ),
        (
            lambda m: convscope.dream(m, PHOTO, octaves=0),
            OptionError,
            "octaves must be an integer from 1 to 64",
        ),
    ],
)
def test_errors_are_one_sentence(call, error, sentence, trunk):
    with pytest.raises(error, match=sentence) as caught:
        call(trunk)
    assert "\n" not in str(caught.value)


def test_text_and_algebra_say_the_same(trunk):
    with Probe(trunk) as probe:
        text = parse("0.5*second:1 - third:2:3,4 + logit(bee)", probe)
    data = text.to_json()
    assert [(entry["kind"], entry["weight"]) for entry in data] == [
        ("channel", 0.5),
        ("neuron", -1.0),
        ("logit", 1.0),
    ]
    assert Objective.from_json(data) == text
    assert hash(Objective.from_json(data)) == hash(text)
    assert str(text) == "0.5*second:1 - third:2:3,4 + logit(1)"
    with Probe(trunk) as probe:
        assert parse(str(text), probe) == text
    assert text.layers == ("second", "third")
    assert text.reads_output
    assert channel("second", 1) * 0.5 == 0.5 * channel("second", 1)


def test_the_loop_negates_once(trunk):
    """One step of plain ascent on a linear score moves every pixel by rate times its weight."""
    torch.manual_seed(1)
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2, bias=False))
    model = convscope.load_model(linear, size=2)
    weight = linear[1].weight[1].detach()
    streams = RandomStreams.of(0, ["a"])
    parameterization = pixels((1, 3, 2, 2), streams, noise=0.0, gray=0.5)
    with Probe(model) as probe:
        goal = parse("logit(1)", probe)
        result = optimize(
            probe,
            [goal],
            parameterization,
            streams,
            OptimizationConfig(steps=1, optimizer="ascent", rate=0.1),
        )
    assert torch.allclose(result.image.flatten(), 0.5 + 0.1 * weight, atol=1e-6)
    assert result.score[0, 0] == pytest.approx(float(0.5 * weight.sum()), abs=1e-5)


def test_one_step_says_nothing_of_whether_the_score_rose(trunk):
    """A score is that before its step: of one alone, first and last are the same."""
    dreamt = convscope.dream(trunk, PHOTO, layer="second", octaves=1, steps=1).table[0]
    pictured = convscope.class_image(trunk, "bee", steps=1).table[0]
    for row in (dreamt, pictured):
        assert row["first_score"] == row["last_score"]
        assert "did not rise" not in row["note"]
