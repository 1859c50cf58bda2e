"""A prepared network gives what the plain one gives, at every layer; the plain one is left as it
was."""

from __future__ import annotations

import copy
import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import convscope
from convscope.attribution.method import Method
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.questions.target import Target
from tests.small_networks import Functional, Trunk

CLOSE = 1e-4

NETWORKS = {
    "embedded": (
        "embedded",
        None,
        ["conv_stem", "bn1", "blocks.1.0.conv_dw", "blocks.3", "blocks.6", "bn2"],
    ),
    "resnet50": (
        "torchvision:resnet50",
        False,
        ["conv1", "bn1", "layer1.0.conv2", "layer2", "layer4.2.relu"],
    ),
    "googlenet": (
        "torchvision:googlenet",
        False,
        ["conv1.conv", "conv2.bn", "inception4a", "inception4a.branch1"],
    ),
    "vgg16_bn": (
        "torchvision:vgg16_bn",
        False,
        ["features.0", "features.1", "features.10", "classifier.3"],
    ),
}
"""Source, weights and layers: convolutions that a batch norm follows, batch norms, and
containers."""


@pytest.fixture(scope="module", params=NETWORKS)
def case(request, embedded):
    source, weights, layers = NETWORKS[request.param]
    torch.manual_seed(0)
    model = embedded if source == "embedded" else convscope.load_model(source, weights=weights)
    if source != "embedded":
        shake(model.network)
    return model, layers, torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))


def shake(network: nn.Module) -> None:
    """Batch norms that do something: those of a fresh network are the identity."""
    generator = torch.Generator().manual_seed(2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low in (
                (module.weight, 0.5),
                (module.bias, -0.5),
                (module.running_mean, -0.5),
                (module.running_var, 0.5),
            ):
                tensor.data.copy_(low + torch.rand(tensor.shape, generator=generator))


def apart(a: torch.Tensor, b: torch.Tensor) -> float:
    """The largest difference over the largest value."""
    return float((a - b).abs().max() / b.abs().max())


def small(network: nn.Module) -> Model:
    torch.manual_seed(0)
    shake(network)
    return convscope.load_model(network, size=(32, 32))


def test_gives_the_same_at_every_layer_and_at_the_end(case):
    model, layers, image = case
    choices: list[list[str]] = [[], layers[:1], layers[-1:], layers]
    for names in choices:
        fast = inference_copy(model, names)
        assert fast.is_frozen, "it fell back to the plain network"
        with Probe(model) as slow, Probe(fast) as quick:
            expected, end = slow.activations_and_output(image, names)
            actual, other = quick.activations_and_output(image, names)
        assert apart(model.scores(other), model.scores(end)) < CLOSE
        for name in names:
            assert apart(actual[name], expected[name]) < CLOSE, name


def test_a_convolution_that_is_asked_for_stays_unfolded(case):
    model, layers, _ = case
    name = layers[0]
    plain, kept, folded = (
        each.network.get_submodule(name).weight
        for each in (model, inference_copy(model, [name]), inference_copy(model))
    )
    assert torch.equal(plain, kept)
    assert not torch.allclose(plain, folded)


def test_the_model_is_untouched(case):
    model, layers, _ = case
    state = {
        name: (tensor.data_ptr(), tensor._version, tensor.stride())
        for name, tensor in model.network.state_dict(keep_vars=True).items()
    }
    flags = [(module.training, len(module._forward_hooks)) for module in model.network.modules()]
    required = [weight.requires_grad for weight in model.network.parameters()]
    identity = model.identity
    inference_copy(model, layers, half=True)
    assert not model.half
    assert not model.is_frozen
    now = {
        name: (tensor.data_ptr(), tensor._version, tensor.stride())
        for name, tensor in model.network.state_dict(keep_vars=True).items()
    }
    assert now == state
    assert [
        (module.training, len(module._forward_hooks)) for module in model.network.modules()
    ] == flags
    assert [weight.requires_grad for weight in model.network.parameters()] == required
    assert model.identity == identity


@pytest.mark.parametrize("network", [Trunk, Functional])
def test_networks_that_reuse_modules(network):
    model = small(network())
    image = torch.rand(2, 3, 32, 32)
    with Probe(model) as slow, Probe(inference_copy(model)) as quick:
        assert apart(quick.scores(image), slow.scores(image)) < CLOSE


class Twice(nn.Module):
    """A convolution whose output is read by a batch norm and once more beside it: it must not be
    folded."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.other = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        actual = self.conv(image)
        return (self.norm(actual) + self.other(actual)).mean((2, 3))


class Hidden(Twice):
    """The same, but what reads it beside the norm is no module."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        actual = self.conv(image)
        return (self.norm(actual) + F.relu(actual)).mean((2, 3))


def test_what_two_read_is_not_folded():
    for network, folds in ((Twice(), True), (Hidden(), False)):
        model = small(network)
        fast = inference_copy(model)
        assert fast.is_frozen == folds
        image = torch.rand(2, 3, 32, 32)
        with Probe(model) as slow, Probe(fast) as quick:
            assert apart(quick.scores(image), slow.scores(image)) < CLOSE


def explained(model: Model, image: torch.Tensor) -> torch.Tensor:
    with Probe(model) as probe:
        return Method.of("gradient_x_input", probe)(probe, image, Target.of(model, 1))


def test_a_copy_is_kept_and_made_anew_when_the_network_changes():
    model = small(Trunk())
    image = torch.rand(1, 3, 32, 32)
    first = inference_copy(model).network
    assert inference_copy(model).network is first

    def fresh() -> torch.Tensor:
        return explained(convscope.load_model(copy.deepcopy(model.network), size=(32, 32)), image)

    def weight() -> None:
        with torch.no_grad():
            model.network.first[0].weight.mul_(2)

    def statistics() -> None:
        model.network.first[1].running_mean.add_(1)

    def module() -> None:
        model.network.head = nn.Linear(12, 5)

    def setting() -> None:
        model.network.get_submodule("third").stride = (1, 1)

    before = explained(model, image)
    for change in (weight, statistics, module, setting):
        change()
        heatmap = explained(model, image)
        assert not torch.allclose(heatmap, before), change.__name__
        assert apart(heatmap, fresh()) < CLOSE, change.__name__
        before = heatmap


class WithAttributes(nn.Module):
    """What it gives depends on values that are neither parameters nor buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, 5)
        self.unregistered = [nn.Linear(4, 4, bias=False)]
        self.gain = torch.tensor([2.0, 1.0, 1.0, 1.0])
        self.factors, self.named = [1.0, [1.0]], {"factor": 1.0}
        self.scale = np.ones(4, np.float32)
        self.activation = torch.relu
        self.settings = SimpleNamespace(factor=1.0, sizes=[1.0])
        self.number: object = 1.0

    def forward(self, image):
        x = self.activation(self.conv(image)).mean((2, 3)) * self.gain * self.factors[0]
        x = x * self.factors[1][0] * self.named["factor"] * torch.from_numpy(self.scale)
        x = x * self.settings.factor * self.settings.sizes[0] * self.number
        return self.head(self.unregistered[0](x))


class Other(WithAttributes):
    """The same class by another name, for a test that changes it."""


CHANGES = {
    "another tensor": lambda network: setattr(network, "gain", torch.tensor(5.0)),
    "a tensor in place": lambda network: network.gain.fill_(5),
    "a tensor behind PyTorch's back": lambda network: network.gain.numpy().fill(5),
    "an entry of a list": lambda network: network.factors.__setitem__(0, 3.0),
    "a list in a list": lambda network: network.factors[1].__setitem__(0, 3.0),
    "an entry of a dictionary": lambda network: network.named.__setitem__("factor", 3.0),
    "a value of an array": lambda network: network.scale.__setitem__(0, 9.0),
    "a function": lambda network: setattr(network, "activation", torch.tanh),
    "an attribute of an object": lambda network: setattr(network.settings, "factor", 3.0),
    "a list of an object": lambda network: network.settings.sizes.__setitem__(0, 3.0),
    "a tensor for a number": lambda network: setattr(network, "number", torch.rand(4)),
    "a weight in a list": lambda network: network.unregistered[0].weight.data.mul_(3),
    "its class": lambda network: setattr(
        type(network), "forward", lambda self, x: 3 * WithAttributes.forward(self, x)
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_any_attribute_is_noticed(name):
    torch.manual_seed(0)
    model = convscope.load_model(Other().eval(), size=(32, 32))
    image = torch.rand(1, 3, 32, 32)
    forward = Other.forward

    def scores() -> torch.Tensor:
        with Probe(inference_copy(model)) as probe:
            return probe.scores(image)

    try:
        before = scores()
        assert inference_copy(model).is_frozen
        CHANGES[name](model.network)
        with torch.no_grad():
            wanted = model.network(image)
        assert apart(wanted, before) > 1e-3
        assert apart(scores(), wanted) < CLOSE
    finally:
        Other.forward = forward


class WritesWhileItRuns(Trunk):
    """Keeps what it saw, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.runs, self.last = 0, None
        self.seen: list[torch.Size] = []
        self.second.log = self.seen
        self.register_buffer("mask", torch.full((3, 3), -torch.inf))

    def forward(self, image):
        self.runs += 1
        self.last = image.detach().clone()
        self.seen.append(image.shape)
        return super().forward(image)


def test_what_a_network_writes_as_it_runs_is_no_change_of_it():
    model = small(WritesWhileItRuns())
    first = inference_copy(model).network
    assert first is not model.network
    convscope.predict(model, torch.rand(3, 32, 32))
    assert inference_copy(model).network is first
    model.network.second.stride = (2, 2)
    assert inference_copy(model).network is not first


def test_a_network_with_hooks_of_its_own_is_run_itself():
    model = small(Trunk())
    calls = []
    handle = model.network.second.register_forward_hook(lambda *given: calls.append(1))
    explained(model, torch.rand(1, 3, 32, 32))
    assert calls
    handle.remove()
    assert inference_copy(model).is_frozen


def test_a_network_that_cannot_be_copied_is_run_itself():
    class Stubborn(Trunk):
        def __deepcopy__(self, memo):
            raise TypeError("not me")

    model = small(Stubborn())
    assert not inference_copy(model).is_frozen
    assert explained(model, torch.rand(1, 3, 32, 32)).abs().max() > 0


def test_copies_go_with_their_network():
    model = small(Trunk())
    copied = weakref.ref(inference_copy(model).network)
    assert copied() is not None
    del model
    gc.collect()
    assert copied() is None


UNITS = ["blocks.1:5", "blocks.3:11", "blocks.4:20", "blocks.6:7"]


def units_of(model: Model, image: torch.Tensor, *, half: bool) -> torch.Tensor:
    """What each unit of `UNITS` says of its own picture."""
    actual = []
    with Probe(inference_copy(model, half=half)) as probe:
        for place, unit in enumerate(UNITS):
            layer, _, index = unit.partition(":")
            maps = probe.activations(model.preprocess(image[place : place + 1]), [layer])[layer]
            actual.append(maps[0, int(index)].float().mean())
    return torch.stack(actual)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_bfloat16_climbs_as_high_and_says_so(embedded):
    """One picture scores alike in both precisions. Two ascents part after some steps, in whatever
    way they are rounded: over the units, the one in bfloat16 ends no lower, scored in full
    precision."""
    full, half = (
        convscope.visualize(embedded, UNITS, steps=48, size=96, half=each) for each in (False, True)
    )
    assert [each.provenance["arguments"]["half"] for each in (full, half)] == [False, True]
    first, second = (torch.from_numpy(each["image"]) for each in (full, half))
    exact = units_of(embedded, first, half=False)
    assert torch.allclose(units_of(embedded, first, half=True), exact, rtol=0.02)
    assert float((units_of(embedded, second, half=False) / exact).log().mean().exp()) > 0.98
