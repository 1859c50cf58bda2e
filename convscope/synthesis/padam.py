"""Partially adaptive moments, image by image (Padam: Chen and Gu, 2018)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

TINY = 1e-30
"""The least that is divided by, so that an image without a gradient stays where it is."""


class Padam(torch.optim.Optimizer):
    """Adam that evens out the sizes of the entries only in part.

    Adam divides each entry's momentum by the root of that entry's own second moment v, so that
    entries without a say move as far as those that matter. Here the divisor is sqrt(v^power *
    mean(v)^(1 - power)), the mean over all entries of one image: power 1 is Adam, 0 is momentum on
    the whole image's normalized gradient. Chen and Gu divide by v^(power / 2) alone, which leaves
    the step's length to the gradient's scale; the mean takes that away. The first dimension of a
    parameter is the image, and no image's step depends on its neighbors.

    Args:
        params: the parameters (n ...).
        lr: step size.
        betas: decay of the first and of the second moment.
        power: how much of Adam's evening out is kept, in [0, 1].
        foreach: taken for the likeness to the other optimizers; there is one way only.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        power: float = 0.75,
        foreach: bool = True,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "power": power})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, self.state[weight], group)

    def _move(self, weight: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state |= {
                "step": 0,
                "first": torch.zeros_like(weight),
                "second": torch.zeros_like(weight),
            }
        state["step"] += 1
        kept, remembered = group["betas"]
        first = state["first"].lerp_(weight.grad, 1 - kept)
        second = (
            state["second"]
            .mul_(remembered)
            .addcmul_(weight.grad, weight.grad, value=1 - remembered)
        )
        mean = second.flatten(1).mean(1).view(-1, *[1] * (weight.ndim - 1))
        denominator = (second / mean.clamp_min(TINY)).clamp_min_(TINY).pow_(group["power"] / 2)
        scale = ((1 - remembered ** state["step"]) / mean.clamp_min(TINY)).sqrt() / (
            1 - kept ** state["step"]
        )
        weight.addcdiv_(first * scale, denominator, value=-group["lr"])
