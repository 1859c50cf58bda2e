"""The gradient of a score at places in a network, never at its weights."""

from __future__ import annotations

import torch
from torch import Tensor

from convscope.errors import NoGradientError


def gradient_of(
    score: Tensor,
    places: list[Tensor],
    what: str,
    *,
    differentiable: bool = False,
    keep_graph: bool = False,
) -> list[Tensor]:
    """Gradients of the summed score at `places`.

    Args:
        what: how a message calls the places.
        differentiable: whether the gradients can be differentiated again.
        keep_graph: whether other gradients will be asked for in the same graph.

    Raises:
        NoGradientError: the score does not depend on them.
    """
    if not score.requires_grad:
        raise NoGradientError(f"The score does not depend on {what}, so it has no gradient there.")
    gradients = torch.autograd.grad(
        score.sum(),
        places,
        allow_unused=True,
        create_graph=differentiable,
        retain_graph=keep_graph or differentiable,
    )
    known = [gradient for gradient in gradients if gradient is not None]
    if len(known) < len(places):
        raise NoGradientError(f"The score does not depend on {what}, so it has no gradient there.")
    return known
