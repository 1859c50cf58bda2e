"""The attention weights of a transformer, whatever computed them: fused attention,
`nn.MultiheadAttention`, or a plain softmax."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from convscope.attribution._calls import Calls
from convscope.errors import OptionError
from convscope.probe import Probe


@dataclass(frozen=True)
class Attention:
    """One layer's weights (b heads query key), in the graph of the run, and the cyclic shift of its
    windows (rows, columns)."""

    weights: Tensor
    shift: tuple[int, int]


def run_with_attention(probe: Probe, image: Tensor, method: str) -> tuple[list[Attention], Any]:
    """Every self-attention of one run, first to last, and the network's raw output, all
    differentiable where `image` is.

    Raises:
        OptionError: the network has no self-attention.
    """
    found: list[Attention] = []
    shift = (0, 0)

    def keep(weights: Tensor) -> Tensor:
        nonlocal shift
        found.append(Attention(weights, shift))
        shift = (0, 0)
        return weights

    def fused(
        q: Tensor,
        k: Tensor,
        v: Tensor,
        attn_mask: Tensor | None = None,
        *rest: Any,
        scale: Any = None,
        **named: Any,
    ) -> Tensor:
        if q.shape[-2] != k.shape[-2] or rest or any(named.values()):
            return functional.scaled_dot_product_attention(
                q, k, v, attn_mask, *rest, **{**named, "scale": scale}
            )
        logits = q @ k.transpose(-2, -1) * (scale or 1 / math.sqrt(q.shape[-1]))
        if attn_mask is not None:
            logits = (
                logits.masked_fill(~attn_mask, -math.inf)
                if attn_mask.dtype == torch.bool
                else logits + attn_mask
            )
        return keep(logits.softmax(-1)) @ v

    def packed(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        width: int,
        heads: int,
        weight: Any,
        bias: Any,
        *rest: Any,
        **named: Any,
    ) -> Any:
        special = [
            named.get(name) is not None
            for name in ("attn_mask", "key_padding_mask", "q_proj_weight")
        ]
        if (
            query is not key
            or key is not value
            or weight is None
            or any(special)
            or named.get("is_causal")
        ):
            return functional.multi_head_attention_forward(
                query, key, value, width, heads, weight, bias, *rest, **named
            )
        parts = functional.linear(query, weight, bias).view(
            *query.shape[:2], 3, heads, width // heads
        )
        q, k, v = parts.permute(2, 1, 3, 0, 4)
        mixed = fused(q, k, v).permute(2, 0, 1, 3).flatten(2)
        return functional.linear(mixed, *rest[4:6]), None

    def softmax(logits: Tensor, *given: Any, **named: Any) -> Tensor:
        weights = functional.softmax(logits, *given, **named)
        square = logits.ndim == 4 and logits.shape[-1] == logits.shape[-2]
        return (
            keep(weights)
            if square and (named.get("dim", given[0] if given else None)) in (-1, 3)
            else weights
        )

    def roll(x: Tensor, shifts: Any, dims: Any = None) -> Tensor:
        nonlocal shift
        if isinstance(shifts, (tuple, list)) and len(shifts) == 2 and min(shifts) < 0:
            shift = (-int(shifts[0]), -int(shifts[1]))
        return torch.roll(x, shifts, dims)

    answers: dict[Any, Callable[..., Any]] = {
        functional.scaled_dot_product_attention: fused,
        functional.multi_head_attention_forward: packed,
        functional.softmax: softmax,
        torch.softmax: softmax,
        Tensor.softmax: softmax,
        torch.roll: roll,
    }
    _ = probe.layers  # a first dry run must not be recorded below
    with Calls(answers):
        _, output = probe.activations_and_output(image, [])
    if not found:
        raise OptionError(
            f"{method} needs a network with self-attention, and {probe.model.name} has none; use"
            " method='layer_cam'."
        )
    return found, output


def unwindow(scores: Tensor, images: int, shift: tuple[int, int], aspect: float) -> Tensor:
    """Scores of the tokens of windows (images * windows, tokens) as maps, n 1 h w; windows lie row
    by row, shifted cyclically."""
    windows, side = scores.shape[0] // images, math.isqrt(scores.shape[1])
    possible = [count for count in range(1, windows + 1) if windows % count == 0]
    rows = min(possible, key=lambda count: abs(math.log(count * count / windows / aspect)))
    maps = scores.reshape(images, rows, windows // rows, side, side).permute(0, 1, 3, 2, 4)
    return maps.reshape(images, 1, rows * side, windows // rows * side).roll(shift, (2, 3))
