"""The partially adaptive optimizer against Adam, against momentum by hand, and image by image."""

from __future__ import annotations

import pytest
import torch

from convscope.synthesis.padam import Padam


def moved(make, gradients):
    weight = torch.zeros_like(gradients[0]).requires_grad_()
    optimizer = make([weight])
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
    return weight.detach()


@pytest.fixture
def gradients():
    return list(torch.randn(6, 3, 2, 5, generator=torch.Generator().manual_seed(0)))


def test_power_one_is_adam(gradients):
    ours = moved(lambda weights: Padam(weights, 0.1, betas=(0.3, 0.99), power=1.0), gradients)
    adam = moved(
        lambda weights: torch.optim.Adam(weights, 0.1, betas=(0.3, 0.99), eps=0.0), gradients
    )
    torch.testing.assert_close(ours, adam)


def test_power_zero_keeps_the_direction():
    gradient = torch.tensor([[1.0, 2.0, -2.0]])
    actual = moved(lambda weights: Padam(weights, 0.1, power=0.0), [gradient])
    torch.testing.assert_close(actual, -0.1 * gradient / gradient.pow(2).mean().sqrt())


def test_half_way_by_hand():
    gradient = torch.tensor([[1.0, 4.0]])
    actual = moved(lambda weights: Padam(weights, 1.0, power=0.5), [gradient])
    second, mean = torch.tensor([1.0, 16.0]), 8.5
    torch.testing.assert_close(actual[0], -gradient[0] / (second.sqrt() * mean**0.5).sqrt())


def test_an_image_does_not_see_its_neighbors_or_its_scale(gradients):
    together = moved(lambda weights: Padam(weights, 0.1), gradients)
    alone = moved(
        lambda weights: Padam(weights, 0.1), [1000 * gradient[1:2] for gradient in gradients]
    )
    torch.testing.assert_close(together[1:2], alone)


def test_no_gradient_no_step():
    assert not moved(lambda weights: Padam(weights, 0.1), [torch.zeros(2, 3)]).any()
