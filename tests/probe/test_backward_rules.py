"""Backward rules against their formulas, for every way in which a network can rectify."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from convscope.errors import OptionError, RuleError
from convscope.probe.backward_rules import backward_rule
from tests.small_networks import Functional, Trunk, assert_unchanged, snapshot

RELUS = {
    "module": nn.ReLU(),
    "module in place": nn.ReLU(inplace=True),
    "F.relu": F.relu,
    "F.relu in place": lambda x: F.relu(x, inplace=True),
    "F.relu_": F.relu_,
    "torch.relu": torch.relu,
    "torch.relu_": torch.relu_,
    "method": lambda x: x.relu(),
    "method_": lambda x: x.relu_(),
    "clamp min": lambda x: x.clamp(min=0),
    "clamp first": lambda x: torch.clamp(x, 0.0),
    "clamp_": lambda x: x.clamp_(min=0),
    "clamp_min": lambda x: x.clamp_min(0),
    "torch.clamp_min": lambda x: torch.clamp_min(x, 0.0),
    "threshold": nn.Threshold(0, 0),
}
SIXES = {
    "module": nn.ReLU6(),
    "module in place": nn.ReLU6(inplace=True),
    "F.relu6": F.relu6,
    "F.relu6 in place": lambda x: F.relu6(x, inplace=True),
    "hardtanh": lambda x: F.hardtanh(x, 0.0, 6.0),
    "clamp": lambda x: x.clamp(0, 6),
}
NOT = {
    "leaky": nn.LeakyReLU(),
    "clamp at 1": lambda x: x.clamp(min=1),
    "hardtanh": nn.Hardtanh(),
    "gelu": nn.GELU(),
}


@pytest.fixture
def numbers():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 8, generator=generator) * 5, torch.randn(8, generator=generator)


def differentiate(relu, x, weight, rule, **options):
    leaf = x.clone().requires_grad_()
    with backward_rule(rule, **options):
        actual = relu(leaf * 1.0)
        (gradient,) = torch.autograd.grad((actual * weight).sum(), leaf)
    return actual.detach(), gradient


@pytest.mark.parametrize("way", RELUS)
def test_every_way_to_rectify(way, numbers):
    x, weight = numbers
    g = weight.expand_as(x)
    for rule, wanted in {
        "guided": g * (x > 0) * (g > 0),
        "deconvnet": g * (g > 0),
        "redirected": g * (x > 0),
    }.items():
        actual, gradient = differentiate(RELUS[way], x, weight, rule)
        assert torch.equal(actual, x.clamp_min(0))
        assert torch.equal(gradient, wanted), rule


@pytest.mark.parametrize("way", SIXES)
def test_every_way_to_stop_at_six(way, numbers):
    x, weight = numbers
    g = weight.expand_as(x)
    assert bool((x > 6).any())
    actual, gradient = differentiate(SIXES[way], x, weight, "guided")
    assert torch.equal(actual, x.clamp(0, 6))
    assert torch.equal(gradient, g * (x > 0) * (x < 6) * (g > 0))
    assert torch.equal(differentiate(SIXES[way], x, weight, "deconvnet")[1], g * (g > 0))


@pytest.mark.parametrize("way", NOT)
def test_other_functions_are_left_alone_and_said_so(way, numbers):
    x, weight = numbers
    with pytest.raises(RuleError, match="changed nothing"):
        differentiate(NOT[way], x, weight, "guided")
    differentiate(NOT[way], x, weight, "guided", required=False)


def test_redirected_helps_only_images_that_are_stuck():
    x = torch.tensor([[-1.0, -2.0, -3.0], [-1.0, 2.0, -3.0]])
    weight = torch.tensor([1.0, -1.0, 2.0])
    assert differentiate(F.relu, x, weight, "redirected")[1].tolist() == [
        [1.0, 0.0, 2.0],
        [0.0, -1.0, 0.0],
    ]
    assert differentiate(F.relu, x, weight, "redirected", ascending=False)[1].tolist() == [
        [0.0, -1.0, 0.0],
        [0.0, -1.0, 0.0],
    ]
    over = torch.tensor([[7.0, 8.0, -1.0]])
    assert differentiate(F.relu6, over, weight, "redirected")[1].tolist() == [[0.0, -1.0, 2.0]]


@pytest.mark.parametrize("network", [Trunk, Functional])
def test_nothing_is_left(network):
    network = network().eval()
    image = torch.randn(1, 3, 8, 8, requires_grad=True)
    plain = torch.autograd.grad(network(image)[0, 0], image)[0]
    before = snapshot(network)
    with backward_rule("guided"):
        ruled = torch.autograd.grad(network(image)[0, 0], image)[0]
    assert_unchanged(before, network)
    assert not torch.equal(plain, ruled)
    assert torch.equal(plain, torch.autograd.grad(network(image)[0, 0], image)[0])
    with pytest.raises(ZeroDivisionError), backward_rule("guided"):
        network(image / (1 // 0))
    assert torch.equal(plain, torch.autograd.grad(network(image)[0, 0], image)[0])


def test_no_such_rule():
    with pytest.raises(OptionError, match="guided, deconvnet, redirected"), backward_rule("giuded"):
        pass
