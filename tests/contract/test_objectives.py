"""Every registered objective climbs from its own start; values worked out on paper; the algebra;
and what an ascent refuses."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import Tensor, nn

import convscope
from convscope.errors import (
    ConvscopeError,
    DeadUnitError,
    ImageError,
    LayerError,
    NoGradientError,
    NumericError,
    OptionError,
    UnitError,
)
from convscope.probe import Probe
from convscope.synthesis import objectives, parameterizations
from convscope.synthesis.config import OptimizationConfig
from convscope.synthesis.evaluate import evaluate
from convscope.synthesis.objective import Objective, channel, interpolate, neuron, objective
from convscope.synthesis.objectives import ForwardPass
from convscope.synthesis.optimize import optimize
from convscope.synthesis.parse import parse
from convscope.synthesis.random import RandomStreams
from tests.small_networks import Trunk, assert_unchanged, snapshot

NAMES = objectives.registry.names()
OWN = {
    "channel": {"layer": "second", "index": 2},
    "neuron": {"layer": "second", "index": 1},
    "direction": {"layer": "second", "vector": (1.0, -1.0, 0.5, 0, 0, 0, 0, 2.0)},
    "logit": {"target": 1},
    "probability": {"target": 1},
    "score": {"question": "value:1"},
}
"""Parameters to try an objective with; any other reads the layer `third`."""


def trunk(channels: int = 3, size: int = 32):
    torch.manual_seed(0)
    return convscope.load_model(
        Trunk(channels), size=size, mean=[0.4] * channels, std=[0.3] * channels
    )


def optimize_batches(
    model, wanted: list[Objective], *, steps: int = 15, size: int = 32, sd: float = 0.01, **config
):
    streams = RandomStreams.of(0, RandomStreams.keys([each.seed_key for each in wanted]))
    parameterization = parameterizations.registry.get("fourier")(
        (len(wanted), model.channels, size, size), streams, sd=sd
    )
    photo = torch.rand(1, model.channels, *model.size, generator=torch.Generator().manual_seed(3))
    layers = list(dict.fromkeys(layer for each in wanted for layer in each.layers))
    with Probe(model) as probe:
        reference = (
            {
                layer: maps.detach()
                for layer, maps in probe.activations(model.preprocess(photo), layers).items()
            }
            if layers
            else {}
        )
        return optimize(
            probe,
            wanted,
            parameterization,
            streams,
            OptimizationConfig(steps=steps, **{"redirect": 4, **config}),
            reference=reference,
        ).require_gradient()


def seen(*values, model=None, **maps) -> ForwardPass:
    """What an objective looks at, from numbers: `maps` are n c h w."""
    tensors = {name: torch.tensor(value, dtype=torch.float32) for name, value in maps.items()}
    return ForwardPass(model, torch.zeros(len(next(iter(tensors.values()))), 3, 4, 4), tensors)


def value(name: str, given: ForwardPass, **parameters) -> list[float]:
    return objectives.registry.get(name)(given, **parameters).tolist()


@pytest.mark.parametrize("name", NAMES)
def test_every_objective_climbs_from_its_own_start(name):
    model = trunk()
    wanted = objective(name, **OWN.get(name, {"layer": "third"}))
    # What compares images starts from ones that differ.
    batch = objectives.registry.traits(name).batch
    result = optimize_batches(model, [wanted] * (3 if batch else 1), sd=1.0 if batch else 0.01)
    assert result.score.shape[1] == 15
    assert (result.score[:, -1] > result.score[:, 0]).all()
    assert float(result.image.min()) > 0
    assert float(result.image.max()) < 1


@pytest.mark.parametrize(
    "name", [name for name in NAMES if not objectives.registry.traits(name).batch]
)
def test_a_score_is_the_same_alone_and_among_others(name):
    model = trunk()
    wanted = objective(name, **OWN.get(name, {"layer": "third"}))
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with Probe(model) as probe:
        maps, output = probe.activations_and_output(model.preprocess(images), list(wanted.layers))
        reference = {layer: tensor[:1] * 0.5 for layer, tensor in maps.items()}
        together = evaluate([wanted] * 3, ForwardPass(model, images, maps, output, reference))
        maps, output = probe.activations_and_output(
            model.preprocess(images[1:2]), list(wanted.layers)
        )
        alone = evaluate([wanted], ForwardPass(model, images[1:2], maps, output, reference))
    torch.testing.assert_close(alone, together[1:2], atol=1e-5, rtol=1e-5)


# Values on paper.


def test_channel_neuron_and_layer():
    forward = seen(l=[[[[1, 2], [3, 4]], [[0, 0], [0, 8]]]])
    assert value("channel", forward, layer="l", index=0) == [2.5]
    assert value("channel", forward, layer="l", index=1) == [2]
    assert value("neuron", forward, layer="l", index=0, row=0, column=1) == [2]
    assert value("neuron", forward, layer="l", index=0) == [4]
    assert value("neuron", forward, layer="l", index=0, row=0) == [2]
    # (1 + 4 + 9 + 16 + 64) / 8 / 2
    assert value("layer", forward, layer="l") == [94 / 16]


def test_logit_and_probability():
    model = trunk()
    scores = torch.tensor([[1.0, 2.0, 0.0, 0.0, 0.0]])
    forward = ForwardPass(model, torch.zeros(1, 3, 4, 4), {}, scores)
    assert value("logit", forward, target=1) == [2]
    assert value("probability", forward, target=1) == pytest.approx(
        [2 - math.log(math.e + math.e**2 + 3)]
    )


def test_direction():
    """At one place (3, 4), at another (4, -3); along (1, 0): dots 3 and 4, cosines 0.6 and 0.8."""
    forward = seen(l=[[[[3, 4]], [[4, -3]]]])
    assert value("direction", forward, layer="l", vector=(1.0, 0.0)) == pytest.approx([3.5])
    assert value("direction", forward, layer="l", vector=(1.0, 0.0), power=1.0) == pytest.approx(
        [(3 * 0.6 + 4 * 0.8) / 2]
    )
    assert value("direction", forward, layer="l", vector=(2.0, 0.0), power=2.0) == pytest.approx(
        [(6 * 0.36 + 8 * 0.64) / 2]
    )
    assert value(
        "direction", forward, layer="l", vector=(0.0, 1.0), row=0, column=1
    ) == pytest.approx([-3])
    assert value("direction", forward, layer="l", vector=(0.0, 1.0), column=0) == pytest.approx([4])
    # A cosine below 0.1 counts as 0.1, so that an opposite activation still has a slope that leads
    # out.
    assert value(
        "direction", forward, layer="l", vector=(0.0, 1.0), row=0, column=1, power=1.0
    ) == pytest.approx([-0.3])
    with pytest.raises(OptionError, match="2 numbers"):
        value("direction", forward, layer="l", vector=(1.0, 0.0, 0.0))


def test_match_difference_and_caricature():
    """Reference (3, 4); activations: nothing, the same, twice, the opposite, at right angles."""
    forward = seen(l=[[[[x]], [[y]]] for x, y in [(0, 0), (3, 4), (6, 8), (-3, -4), (4, -3)]])
    forward.reference = {"l": torch.tensor([[[[3.0]], [[4.0]]]])}
    assert value("match", forward, layer="l") == pytest.approx([-1, 0, -1, -4, -2])
    assert value("difference", forward, layer="l") == pytest.approx([-12.5, 0, -12.5, -50, -25])
    assert value("caricature", forward, layer="l") == pytest.approx([0, 1, 2, -0.1, 0])
    assert value("caricature", forward, layer="l", power=0.0) == pytest.approx([0, 1, 2, -1, 0])


def test_diversity():
    """Gram matrices of one channel each: equal ones have cosine 1, those of different channels
    0."""
    first, second = [[[1.0, 2.0]], [[0.0, 0.0]]], [[[0.0, 0.0]], [[5.0, 1.0]]]
    assert value("diversity", seen(l=[first, first]), layer="l") == pytest.approx([-1, -1])
    assert value("diversity", seen(l=[first, second]), layer="l") == pytest.approx([0, 0])
    assert value("diversity", seen(l=[first, first, second]), layer="l") == pytest.approx(
        [-0.5, -0.5, 0]
    )
    assert value("diversity", seen(l=[first]), layer="l") == [0]


def test_alignment():
    """Neighbors at distance 1 and 3: half the mean square to each side."""
    forward = seen(l=[[[[0.0, 0.0]]], [[[1.0, 1.0]]], [[[4.0, 4.0]]]])
    assert value("alignment", forward, layer="l") == pytest.approx([-0.5, -5.0, -4.5])
    assert value("alignment", seen(l=[[[[1.0]]]]), layer="l") == [0]


def test_different_objectives_in_one_batch():
    model = trunk()
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with Probe(model) as probe:
        maps, output = probe.activations_and_output(model.preprocess(images), ["second", "third"])
    wanted = [
        channel("second", 3),
        0.5 * channel("second", 5) - 2 * neuron("third", 1, 2, 3),
        objective("logit", target=4) + channel("third", 0),
        objective("layer", layer="third"),
    ]
    second, third = maps["second"], maps["third"]
    by_hand = [
        second[0, 3].mean(),
        0.5 * second[1, 5].mean() - 2 * third[1, 1, 2, 3],
        output[2, 4] + third[2, 0].mean(),
        third[3].pow(2).mean() / 2,
    ]
    torch.testing.assert_close(
        evaluate(wanted, ForwardPass(model, images, maps, output)),
        torch.stack(by_hand),
        atol=1e-5,
        rtol=1e-5,
    )


def test_only_faces_of_the_same_unit_are_driven_apart():
    model = trunk()
    wanted = [
        channel("third", unit) * 0 + objective("diversity", layer="third") for unit in (0, 0, 1, 1)
    ]
    maps = torch.rand(4, 12, 3, 3)
    maps[1] = maps[0]
    actual = evaluate(wanted, ForwardPass(model, torch.zeros(4, 3, 8, 8), {"third": maps}))
    assert actual[:2].tolist() == pytest.approx([-1, -1], abs=1e-5)
    assert (actual[2:] > -1).all()


# The algebra.


def test_algebra():
    a, b = channel("x", 1), channel("y", 2)
    total = 0.5 * a + b * 2 - a
    assert [term.weight for term in total.terms] == [0.5, 2, -1]
    assert total.layers == ("x", "y")
    assert sum([a, b]) == a + b
    assert -a == a * -1 == -1 * a
    assert (a + b) * 3 == a * 3 + b * 3
    assert not total.reads_output
    assert (a + objective("logit", target=0)).reads_output
    assert hash(channel("x", 1)) == hash(a) != hash(b)
    assert len({a, b, channel("x", 1)}) == 2
    with pytest.raises(OptionError):
        sum([a], start=1)


def test_interpolation():
    a, b = channel("x", 1), channel("y", 2)
    steps = interpolate(a, b, 5)
    assert [[term.weight for term in each.terms] for each in steps] == [
        [1, 0],
        [0.75, 0.25],
        [0.5, 0.5],
        [0.25, 0.75],
        [0, 1],
    ]
    assert interpolate(a, b, 1) == [a * 1.0 + b * 0.0]


@pytest.mark.parametrize("name", NAMES)
def test_json_and_text_give_the_same_objective_back(name):
    model = trunk()
    alone = objective(name, **OWN.get(name, {"layer": "third"}))
    for wanted in (
        alone,
        alone * 0.25 + channel("first.0", 3),
        channel("first.0", 3) - alone * 1e-7,
        alone * (1 / 3),
    ):
        assert Objective.from_json(json.loads(json.dumps(wanted.to_json()))) == wanted
        assert hash(Objective.from_json(wanted.to_json())) == hash(wanted)
        with Probe(model) as probe:
            assert parse(str(wanted), probe) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("second:3", channel("second", 3)),
        ("second:3:1,2", neuron("second", 3, 1, 2)),
        ("second", objective("layer", layer="second")),
        ("0.5*second:3 - third:1", channel("second", 3) * 0.5 - channel("third", 1)),
        ("-second:3 + 1e-3*third:1", -channel("second", 3) + channel("third", 1) * 1e-3),
        ("logit(2)", objective("logit", target=2)),
        ("neuron(second, 3)", neuron("second", 3)),
        (
            "direction(second, vector=(1,2,3,4,5,6,7,-8), power=2)",
            objective("direction", layer="second", vector=(1, 2, 3, 4, 5, 6, 7, -8), power=2),
        ),
        ("relu#2:4", channel("relu#2", 4)),
    ],
)
def test_text(text, wanted):
    model = trunk()
    with Probe(model) as probe:
        assert parse(text, probe) == wanted


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("secnd:3", LayerError, "second"),
        ("second:8", UnitError, "8"),
        ("second:3:40,0", UnitError, "32"),
        ("chanel(second, 3)", OptionError, "channel"),
        ("channel(second, indx=3)", OptionError, "index"),
        ("channel(second)", OptionError, "index"),
        ("channel(second, 3, 4)", OptionError, "2 parameter"),
        ("channel(second, three)", OptionError, "index must be an integer"),
        ("match(nowhere)", LayerError, "nowhere"),
        ("logit(7)", ConvscopeError, "5 classes"),
        ("", UnitError, "layer:index"),
    ],
)
def test_text_that_names_what_is_not_there(text, error, said):
    model = trunk()
    with Probe(model) as probe, pytest.raises(error, match=said):
        parse(text, probe)


# Pictures.

UNITS = ["second:1", "third:4", "0.5*second:2 - third:0"]


def pictures(units, **options):
    return convscope.visualize(trunk(), units, steps=8, size=24, **options)["image"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"preset": "quick"},
        {"preset": "chollet"},
        {"preset": "lucid"},
        {"preset": "simonyan"},
        {"transforms": "crop(2,0.5,0.9) noise(0.02) blur(0.5)"},
    ],
    ids=str,
)
def test_a_units_picture_does_not_depend_on_batch_or_order(options):
    together = torch.from_numpy(pictures(UNITS, **options))
    turned = torch.from_numpy(pictures(UNITS[::-1], **options))
    torch.testing.assert_close(turned.flip(0), together, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        torch.from_numpy(pictures(UNITS[1], **options)), together[1:2], atol=1e-4, rtol=0
    )
    torch.testing.assert_close(
        torch.from_numpy(pictures(UNITS, batch=2, **options)), together, atol=1e-4, rtol=0
    )


def test_long_directions_that_begin_alike_are_told_apart():
    """Each has its own random numbers, whichever comes first."""
    first, second = (
        objective("direction", layer="third", vector=(0.123456789,) * 10 + (last, 1.0))
        for last in (0.5, -0.5)
    )
    assert str(first) != str(second)
    assert len(first.title) < 80
    torch.testing.assert_close(
        torch.from_numpy(pictures([second, first])).flip(0),
        torch.from_numpy(pictures([first, second])),
        atol=1e-4,
        rtol=0,
    )


def test_same_seed_same_bytes_other_seed_other_picture():
    assert pictures(UNITS).tobytes() == pictures(UNITS).tobytes()
    assert pictures(UNITS, seed=1).tobytes() != pictures(UNITS).tobytes()


def test_faces_of_one_unit_start_apart():
    faces = pictures("third:4", diversity=3)
    assert len({face.tobytes() for face in faces}) == 3


def test_picture_with_opacity():
    """A fourth channel, climbed on backgrounds that the network sees through it."""
    result = convscope.visualize(
        trunk(), "second:1", preset="transparent", transforms="composite", steps=30, size=24
    )
    assert result["image"].shape == (1, 4, 24, 24)
    assert result["score"][0, -8:].mean() > result["score"][0, :8].mean()
    assert len(result["transparency"].shape) == 3


# Closed rectifiers, and what cannot be climbed.


class Closed(nn.Module):
    """One unit, relu(x - 0.9) with x the image's mean over channels: closed on a gray image."""

    def __init__(self, bias: float = -0.9, weight: float = 1 / 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1)
        nn.init.constant_(self.conv.weight, weight)
        nn.init.constant_(self.conv.bias, bias)
        self.relu = nn.ReLU()
        self.head = nn.Linear(1, 2)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.relu(self.conv(image)).mean((2, 3)))


def plain(network: nn.Module, size: int = 8):
    return convscope.load_model(network, size=size, mean=0.0, std=1.0)


def test_a_closed_unit_is_opened_by_redirected_gradients_and_dead_without():
    network = Closed()
    before = snapshot(network)
    result = optimize_batches(
        plain(network), [channel("relu", 0)], steps=40, size=8, rate=0.5, redirect=40
    )
    assert float(result.score[0, 0]) == 0
    assert float(result.score[0, -1]) > 0.01
    with pytest.raises(DeadUnitError, match=r"relu:0.*dead unit"):
        optimize_batches(plain(network), [channel("relu", 0)], steps=5, size=8, redirect=0)
    assert_unchanged(before, network)


def test_a_unit_with_no_weights_is_dead_with_redirected_gradients_too():
    with pytest.raises(DeadUnitError, match="relu:0"):
        optimize_batches(
            plain(Closed(weight=0.0)), [channel("relu", 0)], steps=20, size=8, redirect=16
        )


def test_the_dead_one_of_several_is_named():
    network = Trunk()
    with torch.no_grad():
        network.second.weight[3] = 0
    model = convscope.load_model(network, size=32, mean=0.5, std=0.5)
    result = optimize_batches(model, [channel("second", 1), channel("second", 3)], steps=3)
    assert result.dead == [1]
    assert (result.image[1] == 0.5).all()
    assert (result.image[0] != 0.5).any()


class Broken(Closed):
    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.relu(self.conv(image) * math.nan).mean((2, 3)))


def test_nan_is_an_error():
    with pytest.raises(NumericError, match="NaN"):
        optimize_batches(plain(Broken()), [objective("logit", target=0)], steps=3, size=8)


class Detached(Closed):
    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.relu(self.conv(image.detach())).mean((2, 3)))


def test_an_objective_that_cannot_reach_the_image_is_an_error():
    with pytest.raises(NoGradientError, match="conv:0 does not depend on the image"):
        optimize_batches(plain(Detached()), [channel("conv", 0)], steps=3, size=8)


class Deep(nn.Module):
    """Four halvings and a kernel of 2: images below 32 pixels end before it."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *[nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.MaxPool2d(2)) for _ in range(4)]
        )
        self.last = nn.Conv2d(3, 4, 2)

    def forward(self, image: Tensor) -> Tensor:
        return self.last(self.body(image)).mean((2, 3))


def test_an_image_too_small_for_the_layer_is_an_error():
    with pytest.raises(ImageError, match="12 x 12"):
        optimize_batches(plain(Deep(), size=32), [channel("last", 1)], steps=3, size=12)


class Fixed(Deep):
    """Takes its own size only."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3 * 2 * 2, 4)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.body(image).flatten(1))


def test_a_network_of_one_size_sees_an_image_of_another_enlarged():
    result = optimize_batches(plain(Fixed(), size=32), [objective("logit", target=1)], size=12)
    assert result.image.shape[-1] == 12
    assert result.score[0, -1] > result.score[0, 0]


class Small(Deep):
    """Takes no size at all."""

    def forward(self, image: Tensor) -> Tensor:
        if getattr(self, "shut", False):
            raise RuntimeError("Kernel size can't be greater than actual input size")
        return super().forward(image)


def test_an_image_on_which_the_network_cannot_run_is_an_error():
    network = Small()
    model = plain(network, size=32)
    with Probe(model) as probe:
        probe.layers  # noqa: B018
    network.shut = True
    with pytest.raises(ConvscopeError, match="Kernel size"):
        optimize_batches(model, [channel("last", 1)], steps=3, size=12)


def test_errors_leave_the_network_as_it_was():
    network = Trunk()
    model = convscope.load_model(network, size=32, mean=0.5, std=0.5)
    with Probe(model) as probe:
        probe.layers  # noqa: B018
    before = snapshot(network)
    for unit in ("second:99", "nowhere:1"):
        with pytest.raises(ConvscopeError):
            convscope.visualize(model, unit, steps=2)
    convscope.visualize(model, "second:1", steps=2, size=16)
    assert_unchanged(before, network)
