"""The probe against a network solved by hand, against plain autograd, and against everything it
must leave alone."""

from __future__ import annotations

import pytest
import torch

import convscope
from convscope.errors import ConvscopeError, ImageError, LayerError, NoGradientError
from convscope.probe import Probe
from convscope.questions.target import Target
from tests.small_networks import (
    Breaks,
    ByHand,
    Functional,
    Trunk,
    Wrapped,
    assert_unchanged,
    snapshot,
)


def model_of(network, **options):
    return convscope.load_model(network, **({"size": 16} | options))


@pytest.fixture
def image():
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_by_hand():
    model = model_of(ByHand(), channels=1, size=2)
    image = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]])
    with Probe(model) as probe:
        assert torch.equal(
            probe.activations(image, ["conv"])["conv"], torch.cat([2 * image, -image], 1)
        )
        assert probe.scores(image).tolist() == [[-3.0, 9.0]]
        maps, gradient = probe.activation_and_gradient(image, "conv", Target.of(model, 0))
        assert torch.equal(maps, torch.cat([2 * image, -image], 1))
        # d score 0 / d map k = head[0, k] / 4 places
        assert torch.allclose(gradient[0, 0], torch.full((2, 2), 0.25))
        assert torch.allclose(gradient[0, 1], torch.full((2, 2), 0.75))
        # chain: (1 * 2 + 3 * -1) / 4
        assert torch.allclose(
            probe.image_gradient(image, Target.of(model, 0)), torch.full((1, 1, 2, 2), -0.25)
        )
        rest = probe.partial_forward(image, "conv")
        assert torch.allclose(
            rest.scores(torch.ones(3, 2, 2, 2)), torch.tensor([[4.0, 0.0]]).expand(3, -1)
        )


@pytest.mark.parametrize("build", [Trunk, Functional])
@pytest.mark.parametrize("training", [False, True])
def test_gradients_equal_autograd(build, training, image):
    torch.manual_seed(0)
    network = build().train(training)
    with Probe(model_of(network)) as probe:
        actual = probe.image_gradient(image, Target.of(probe.model, [1, 3]))
    leaf = image.clone().requires_grad_()
    output = network.eval()(leaf)
    expected = torch.autograd.grad(output[0, 1] + output[1, 3], leaf)[0]
    assert torch.allclose(actual, expected, atol=1e-7)


def test_gradient_at_a_layer_before_an_in_place_operation(image):
    """The maps are those of the convolution, not what the in-place ReLU behind it left."""
    torch.manual_seed(0)
    network = Trunk().eval()
    with Probe(model_of(network)) as probe:
        maps, gradient = probe.activation_and_gradient(image, "first.1", Target.of(probe.model, 2))
    plain = network.first[1](network.first[0](image)).detach().requires_grad_()
    x = plain.relu()
    y = (network.second(network.second(x).relu()) + x).relu()
    score = network.head(network.third(torch.cat([x, y], 1)).relu().mean((2, 3)))[:, 2].sum()
    assert (maps < 0).any()
    assert torch.allclose(maps, plain, atol=1e-6)
    assert torch.allclose(gradient, torch.autograd.grad(score, plain)[0], atol=1e-6)


def test_a_module_used_twice(image):
    torch.manual_seed(0)
    network = Trunk().eval()
    with Probe(model_of(network)) as probe:
        assert probe.layers["relu"].calls == 3
        assert probe.layers["second"].calls == 2
        actual = probe.activations(image, ["second#1", "second#2", "second"])
        x = network.first(image)
        first = network.second(x)
        second = network.second(first.relu())
        assert torch.allclose(actual["second#1"], first, atol=1e-6)
        assert torch.allclose(actual["second#2"], second, atol=1e-6)
        assert torch.equal(actual["second"], actual["second#2"])
        with pytest.raises(LayerError, match=r"runs 2 time\(s\)"):
            probe.activations(image, ["second#3"])


def test_stops_after_the_last_layer_wanted(image):
    network = Breaks()
    model = model_of(network)
    network.good = 1
    with Probe(model) as probe:
        assert probe.layers["first"].shape == (8, 16, 16)
        network.first.register_forward_hook(lambda *_: None)
        assert probe.activations(image, ["first.0", "first"])["first"].shape == (2, 8, 16, 16)
        with pytest.raises(ConvscopeError, match="broken on purpose"):
            probe.scores(image)


def test_no_weight_gradient_is_ever_computed(image):
    network = Trunk()
    for weight in network.parameters():
        weight.register_hook(lambda gradient: pytest.fail("a weight gradient was computed"))
    with Probe(model_of(network)) as probe:
        probe.image_gradient(image, Target.of(probe.model, 0))
        probe.activation_and_gradient(image, "first", Target.of(probe.model, 0))
    assert all(weight.requires_grad and weight.grad is None for weight in network.parameters())


@pytest.mark.parametrize("kind", ["tuple", "list", "dict"])
def test_structured_outputs(kind, image):
    torch.manual_seed(0)
    network = Wrapped(kind).eval()
    with Probe(model_of(network)) as probe:
        scores = network.trunk(image) * 2
        assert torch.allclose(probe.scores(image), scores, atol=1e-6)
        maps, gradient = probe.activation_and_gradient(image, "pair", Target.of(probe.model, 1))
        assert torch.allclose(maps[:, :, 0, 0], scores, atol=1e-6)
        assert torch.equal(gradient[0, :, 0, 0], torch.tensor([0.0, 1, 0, 0, 0]))
        rest = probe.partial_forward(image[:1], "pair")
        assert torch.equal(rest.scores(torch.ones(3, 5, 1, 1)), torch.ones(3, 5))


@pytest.mark.parametrize("build", [Trunk, Functional, lambda: Wrapped("tuple")])
@pytest.mark.parametrize("layer", ["first.0", "first", "second", "second#1", "third"])
def test_split_runs_the_rest(build, layer, image):
    """Replayed with changed maps, the network gives what it gives with the change made by a hook in
    a whole run."""
    torch.manual_seed(0)
    network = build().eval()
    if isinstance(network, Functional) and layer == "second#1":
        pytest.skip("runs once there")
    if isinstance(network, Functional) and layer == "first":
        pytest.skip("is not called as a whole there")
    layer = f"trunk.{layer}" if isinstance(network, Wrapped) else layer
    with Probe(model_of(network)) as probe:
        rest = probe.partial_forward(image[:1], layer)
        changed = rest.maps.expand(4, -1, -1, -1) * torch.tensor([1.0, 0.0, 2.0, -1.0]).reshape(
            4, 1, 1, 1
        )
        actual = rest.scores(changed)
        base, _, call = layer.partition("#")
        expected = []
        for maps in changed:
            calls = 0

            def swap(module, given, output, maps=maps):
                nonlocal calls
                calls += 1
                return (
                    maps[None].clone() if calls == int(call or probe.layers[base].calls) else None
                )

            handle = network.get_submodule(base).register_forward_hook(swap)
            with torch.no_grad():
                expected.append(probe.model.scores(network(image[:1]))[0])
            handle.remove()
    assert torch.allclose(actual, torch.stack(expected), atol=1e-5)


def test_split_runs_the_first_part_once(image):
    network = Trunk()
    runs = []
    forward = network.first[0].forward

    def run(image):
        runs.append(len(image))
        return forward(image)

    network.first[0].forward = run
    with Probe(model_of(network)) as probe:
        assert probe.layers
        runs.clear()
        rest = probe.partial_forward(image[:1], "third")
        for _ in range(3):
            rest.scores(rest.maps.expand(5, -1, -1, -1))
    assert runs == [1]


def test_split_is_differentiable(image):
    network = Trunk()
    with Probe(model_of(network)) as probe:
        rest = probe.partial_forward(image[:1], "third")
        maps = rest.maps.clone().requires_grad_()
        gradient = torch.autograd.grad(rest.scores(maps)[0, 2], maps)[0]
        expected = probe.activation_and_gradient(image[:1], "third", Target.of(probe.model, 2))[1]
    assert torch.allclose(gradient, expected, atol=1e-6)


@pytest.mark.parametrize("fails", [False, True])
def test_leaves_no_trace(fails, image):
    torch.manual_seed(0)
    network = Breaks(good=4)
    network.first[1].eval()
    network.head.weight.requires_grad = False
    network.third.weight.grad = torch.ones_like(network.third.weight)
    model = model_of(network)
    assert model.classes == 5
    with Probe(model) as probe:
        assert len(probe.layers) == 6
    before = snapshot(network)
    network.good = 3
    if fails:
        network.good = 0

    def use():
        with Probe(model) as probe:
            probe.activations(image, ["first"])
            probe.image_gradient(image, Target.of(model, [0, 1]))
            probe.partial_forward(image[:1], "first")

    if fails:
        with pytest.raises(ConvscopeError):
            use()
    else:
        use()
    assert_unchanged(before, network)
    assert torch.equal(network.third.weight.grad, torch.ones_like(network.third.weight))


def test_inference_mode_callers_and_frozen_networks(image):
    torch.manual_seed(0)
    network = Trunk().requires_grad_(False)
    with Probe(model_of(network)) as probe:
        expected = probe.image_gradient(image, Target.of(probe.model, 0))
    with torch.inference_mode():
        born_here = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
        with Probe(model_of(network)) as probe:
            assert torch.allclose(
                probe.image_gradient(born_here, Target.of(probe.model, 0)), expected
            )
        torch.manual_seed(0)
        built_here = model_of(Trunk())
    with Probe(built_here) as probe:
        assert torch.allclose(probe.image_gradient(image, Target.of(built_here, 0)), expected)
    with torch.no_grad(), Probe(model_of(network)) as probe:
        assert torch.allclose(probe.image_gradient(image, Target.of(probe.model, 0)), expected)


def test_what_cannot_be_asked(image):
    network = Trunk()
    model = model_of(network)
    with Probe(model) as probe:
        with pytest.raises(LayerError, match="did you mean 'second'"):
            probe.activations(image, ["secnd"])
        with pytest.raises(ImageError, match="one image at a time; 2 were given"):
            probe.partial_forward(image, "first")
        with pytest.raises(NoGradientError, match="does not depend on the image"):
            probe.image_gradient(image, Target.of(model, lambda output: torch.ones(2)))
        with pytest.raises(NoGradientError, match="layer 'third'"):
            probe.activation_and_gradient(
                image, "third", Target.of(model, lambda output: torch.ones(2, requires_grad=True))
            )


def test_trace(embedded):
    with Probe(embedded) as probe:
        layers = probe.layers
    assert layers["blocks.3"].shape == (80, 14, 14)
    assert layers["classifier"].shape == (1000, 1, 1)
    assert layers["classifier"].parameters == 1280 * 1000 + 1000
    assert layers.parameters == sum(weight.numel() for weight in embedded.network.parameters())
    assert layers.last_spatial() == "bn2"
    assert layers.spread(3) == ["blocks.0", "blocks.3", "blocks.6"]
