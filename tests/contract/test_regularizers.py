"""Every registered regularizer: a number per image, nothing where there is nothing to dislike, and
values worked out on paper."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from convscope.synthesis import regularizers

NAMES = regularizers.registry.names()
FLAT = {"sum_of_squares": 0.0, "opacity": 0.0}
"""The value of a flat image that costs nothing; gray unless said otherwise."""


def run(name: str, image: Tensor, **options) -> Tensor:
    return regularizers.registry.get(name)(image, **options)


def photos(seed: int = 0) -> Tensor:
    return torch.rand(3, 3, 24, 19, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", NAMES)
def test_one_number_per_image_not_below_0_and_each_for_itself(name):
    penalty = run(name, photos())
    assert penalty.shape == (3,)
    assert (penalty >= 0).all()
    assert (penalty > 0).all()
    torch.testing.assert_close(run(name, photos()[[2, 0, 1]]), penalty[[2, 0, 1]])
    torch.testing.assert_close(run(name, photos()[1:2]), penalty[1:2])


@pytest.mark.parametrize("name", NAMES)
def test_flat_costs_nothing(name):
    image = torch.full((1, 3, 24, 19), FLAT.get(name, 0.5))
    assert run(name, image).item() == pytest.approx(0, abs=2e-3)


@pytest.mark.parametrize("name", NAMES)
def test_going_down_the_gradient_lowers_it(name):
    image = photos().requires_grad_()
    before = run(name, image)
    (gradient,) = torch.autograd.grad(before.sum(), image)
    assert torch.isfinite(gradient).all()
    assert gradient.flatten(1).any(1).all()
    after = run(name, (image - 1e-3 * gradient / gradient.abs().mean()).detach())
    assert (after < before).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_flat_image_has_a_finite_gradient(name):
    image = torch.full((1, 1, 12, 12), 0.5, requires_grad=True)
    (gradient,) = torch.autograd.grad(run(name, image).sum(), image)
    assert torch.isfinite(gradient).all()


def test_l1_and_l2_by_hand():
    image = torch.tensor([[[[0.5, 0.75], [0.0, 1.0]]]])
    assert run("l1", image).item() == pytest.approx((0 + 0.25 + 0.5 + 0.5) / 4)
    assert run("l1", image, gray=0.0).item() == pytest.approx((0.5 + 0.75 + 0 + 1) / 4)
    assert run("l2", image).item() == pytest.approx((0 + 0.0625 + 0.25 + 0.25) / 4)
    assert run("l2", image, gray=0.0).item() == pytest.approx((0.25 + 0.5625 + 0 + 1) / 4)
    assert run("sum_of_squares", image).item() == pytest.approx(0.25 + 0.5625 + 0 + 1)


@pytest.mark.parametrize(("power", "each"), [(1.0, 0.4), (2.0, 0.16), (3.0, 0.064)])
def test_total_variation_of_a_step(power, each):
    """A step of 0.4 between two columns of 6: of 5 x 5 places with both neighbors, 5 lie at the
    step."""
    image = torch.full((1, 1, 6, 6), 0.3)
    image[..., 3:] = 0.7
    assert run("total_variation", image, power=power).item() == pytest.approx(
        each * 5 / 25, abs=1.1e-3
    )


def test_total_variation_of_a_slope():
    """Falling by 0.03 a row and 0.04 a column: the slope is 0.05 everywhere."""
    image = 0.03 * torch.arange(7.0)[:, None] + 0.04 * torch.arange(9.0)[None]
    assert run("total_variation", image.expand(1, 3, 7, 9)).item() == pytest.approx(0.05, rel=1e-3)
    assert run("total_variation", image.expand(1, 3, 7, 9), power=2.0).item() == pytest.approx(
        0.0025, rel=1e-3
    )


def test_border_counts_the_border_only():
    """White all over: (1 - 0.5)^2 at every place of the border; with a gray border, nothing."""
    image = torch.ones(1, 3, 10, 12)
    assert run("border", image, width=2).item() == pytest.approx(0.25)
    image[..., :2, :] = image[..., -2:, :] = image[..., :2] = image[..., -2:] = 0.5
    assert run("border", image, width=2).item() == 0
    # A border of 3 has 120 - 4 x 6 = 96 places; its innermost ring, 6 x 8 and white, has 24.
    assert run("border", image, width=3).item() == pytest.approx(0.25 * 24 / 96)


@pytest.mark.parametrize(("width", "wanted"), [(0, 0.0), (5, 0.25), (50, 0.25)])
def test_a_border_of_nothing_and_of_everything(width, wanted):
    assert run("border", torch.ones(1, 1, 10, 10), width=width).item() == pytest.approx(wanted)


def test_frequency_of_a_wave():
    """A cosine of height 0.2 with 4 cycles in 32 pixels: mean energy 0.2^2 / 2, times (1 / 8)^2."""
    wave = 0.5 + 0.2 * torch.cos(2 * math.pi * 4 * torch.arange(32) / 32).expand(1, 2, 16, 32)
    assert run("frequency", wave).item() == pytest.approx(0.02 / 64, rel=1e-3)
    assert run("frequency", wave, power=0.5).item() == pytest.approx(0.02 / 8, rel=1e-3)
    assert run("frequency", wave.transpose(2, 3)).item() == pytest.approx(0.02 / 64, rel=1e-3)


def test_blur_penalty_of_a_wave():
    """A normal curve of sigma s leaves exp(-(2 pi s / period)^2 / 2) of a wave; 65 columns end on a
    peak, so mirrors change nothing."""
    wave = 0.5 + 0.2 * torch.cos(2 * math.pi * torch.arange(65) / 8).expand(1, 1, 65, 65)
    left = math.exp(-((2 * math.pi / 8) ** 2) / 2)
    assert run("blur_penalty", wave, sigma=1.0).item() == pytest.approx(
        0.04 * 33 / 65 * (1 - left) ** 2, rel=1e-3
    )


def test_opacity_is_the_last_channel():
    image = torch.rand(2, 4, 6, 6)
    image[0, 3], image[1, 3, :3], image[1, 3, 3:] = 0.3, 1.0, 0.0
    assert run("opacity", image).tolist() == pytest.approx([0.3, 0.5])
