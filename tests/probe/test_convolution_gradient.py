"""The faster gradient of a convolution against PyTorch's own, over all the forms it takes."""

from __future__ import annotations

import copy

import pytest
import torch
from timm.layers import Conv2dSame
from torch import nn

from convscope.probe.convolution_gradient import _Forward, install, phases, reach

FORMS = [
    nn.Conv2d(3, 8, 7, stride=2, padding=3),
    nn.Conv2d(3, 8, 3, stride=2),
    nn.Conv2d(1, 4, 4, stride=4, bias=False),
    nn.Conv2d(2, 6, (5, 3), stride=3, padding=(2, 0)),
    nn.Conv2d(3, 8, 2, stride=3, padding=1),
    Conv2dSame(3, 8, 3, stride=2),
    nn.Conv2d(6, 6, 3, padding=1, groups=6),
    nn.Conv2d(6, 6, 5, stride=2, padding=2, groups=6),
    Conv2dSame(6, 6, 5, stride=2, groups=6),
    Conv2dSame(6, 6, 3, stride=3, groups=6, bias=False),
]


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("size", [(17, 20), (16, 16), (9, 31)])
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_gradient_is_pytorchs(form, size, half):
    faster = nn.Sequential(copy.deepcopy(form)).requires_grad_(False)
    plain = copy.deepcopy(faster)
    install(faster)
    assert isinstance(faster[0].forward, _Forward)
    image = torch.randn(2, form.in_channels, *size, generator=torch.Generator().manual_seed(0))
    runs = []
    for network in (faster, plain):
        leaf = image.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            output = network(leaf)
        (gradient,) = torch.autograd.grad(output.float().pow(2).sum(), leaf)
        assert gradient.shape == image.shape
        assert gradient.dtype == torch.float32
        runs.append((output, gradient))
    torch.testing.assert_close(runs[0][0], runs[1][0])
    torch.testing.assert_close(
        runs[0][1],
        runs[1][1],
        rtol=0,
        atol=(2e-2 if half else 1e-5) * float(runs[1][1].abs().max()),
    )


def test_in_double_precision_and_twice():
    """It is differentiable itself, and exact where rounding does not hide an error."""
    network = (
        nn.Sequential(nn.Conv2d(3, 5, 3, stride=2, padding=1), nn.Tanh())
        .double()
        .requires_grad_(False)
    )
    install(network)
    image = torch.randn(
        1,
        3,
        7,
        8,
        dtype=torch.float64,
        generator=torch.Generator().manual_seed(0),
        requires_grad=True,
    )
    assert torch.autograd.gradcheck(network, image)
    assert torch.autograd.gradgradcheck(network, image)


@pytest.mark.parametrize(
    "form",
    [
        nn.Conv2d(3, 8, 3),
        nn.Conv2d(16, 8, 3, stride=2),
        nn.Conv2d(3, 8, 3, stride=2, dilation=2),
        nn.Conv2d(3, 8, 3, stride=(2, 1)),
        nn.Conv2d(3, 8, 3, stride=2, padding=1, padding_mode="reflect"),
        nn.Conv2d(8, 8, 3, padding="same", groups=8),
        nn.Conv2d(8, 16, 3, groups=8),
    ],
    ids=str,
)
def test_all_else_is_left_alone(form):
    network = nn.Sequential(form)
    install(network)
    assert "forward" not in vars(form)


def test_each_pixel_is_in_one_set():
    assert reach(3, 2, 1) == (-1, 0)
    weight = torch.arange(9.0).view(1, 1, 3, 3) + 1
    assert sorted(phases(weight, 2, (1, 1)).flatten().tolist())[-9:] == weight.flatten().tolist()
