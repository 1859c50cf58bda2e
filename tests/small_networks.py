"""Small networks for tests: one that can be solved by hand, and the odd ones that people bring."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ByHand(nn.Module):
    """One 1x1 convolution to two maps, global mean, one dense layer without bias.

    conv: maps 0 and 1 are 2 x and -1 x the first channel; head: score 0 = m0 + 3 m1, score 1 = m0 -
        m1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1, bias=False)
        self.head = nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([2.0, -1.0]).reshape(2, 1, 1, 1))
            self.head.weight.copy_(torch.tensor([[1.0, 3.0], [1.0, -1.0]]))

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.conv(image).mean((2, 3)))


class Trunk(nn.Module):
    """A small classifier with batch norm, in-place ReLUs, one ReLU used three times, a skip and a
    concatenation."""

    def __init__(self, channels: int = 3, classes: int = 5) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(channels, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True)
        )
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.third = nn.Conv2d(16, 12, 3, padding=1, stride=2)
        self.head = nn.Linear(12, classes)

    def forward(self, image: Tensor) -> Any:
        x = self.first(image)
        y = self.relu(self.second(x))
        y = self.second(y)
        y += x
        y = self.relu(y)
        z = self.relu(self.third(torch.cat([x, y], 1)))
        return self.head(z.mean((2, 3)))


class Functional(Trunk):
    """The same with functional in-place ReLUs only."""

    def forward(self, image: Tensor) -> Any:
        x = F.relu_(self.first[1](self.first[0](image)))
        y = self.second(x)
        y.relu_()
        return self.head(F.relu(self.third(torch.cat([x, y], 1))).mean((2, 3)))


class Wrapped(nn.Module):
    """A network whose layer and whose output are structures around the tensor."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.pair = Pair()
        self.kind = kind

    def forward(self, image: Tensor) -> Any:
        scores, _ = self.pair(self.trunk(image))
        return {
            "tuple": (scores, image),
            "list": [scores],
            "dict": {"logits": scores, "other": image},
        }[self.kind]


class Pair(nn.Module):
    """A layer that returns a tuple."""

    def forward(self, tensor: Tensor) -> tuple[Tensor, Tensor]:
        return tensor * 2, tensor


class Breaks(Trunk):
    """Raises in the middle of its forward pass on every run after the first `good` ones."""

    def __init__(self, good: int = 0) -> None:
        super().__init__()
        self.good = good

    def forward(self, image: Tensor) -> Any:
        x = self.first(image)
        if self.good <= 0:
            raise RuntimeError("broken on purpose")
        self.good -= 1
        return self.head(self.third(torch.cat([x, x], 1)).mean((2, 3)))


def snapshot(network: nn.Module) -> dict[str, Any]:
    """Everything about a network that looking into it must not change."""
    hooks = [
        "_forward_hooks",
        "_forward_pre_hooks",
        "_backward_hooks",
        "_backward_pre_hooks",
        "_forward_hooks_with_kwargs",
    ]
    return {
        "modules": [(name, id(module), type(module)) for name, module in network.named_modules()],
        "attributes": [sorted(vars(module)) for module in network.modules()],
        "modes": [module.training for module in network.modules()],
        "hooks": [len(getattr(module, hook)) for module in network.modules() for hook in hooks],
        "required": [weight.requires_grad for weight in network.parameters()],
        "gradients": [weight.grad is None for weight in network.parameters()],
        "values": [tensor.detach().clone() for tensor in network.state_dict().values()],
        "weights": [id(weight) for weight in network.parameters()],
    }


def assert_unchanged(before: dict[str, Any], network: nn.Module) -> None:
    """Compare with `snapshot`."""
    after = snapshot(network)
    for name in before:
        if name == "values":
            assert all(
                torch.equal(old, new) for old, new in zip(before[name], after[name], strict=True)
            ), "a weight or buffer changed"
        else:
            assert before[name] == after[name], f"{name} changed"


def color_network(weight: Tensor, head: Tensor | None = None) -> nn.Sequential:
    """Channels that are sums of the pixels' colors (`weight`, channels by colors), their means over
    all places, and, with `head`, scores that are sums of those."""
    channels, colors = weight.shape
    layers: list[nn.Module] = [
        nn.Conv2d(colors, channels, 1, bias=False),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    ]
    weights = [weight[:, :, None, None]]
    if head is not None:
        layers.append(nn.Linear(channels, len(head), bias=False))
        weights.append(head)
    network = nn.Sequential(*layers)
    with torch.no_grad():
        for parameter, values in zip(network.parameters(), weights, strict=True):
            parameter.copy_(values)
    return network
