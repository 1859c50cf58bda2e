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

from convscope.errors import OptionError
from convscope.probe import Probe
from convscope.probe.function_overrides import FunctionOverrides


@dataclass(frozen=True)
class Attention:
    """One layer's weights (b heads query key), in the graph of the run, and the cyclic shift of its
    windows (rows, columns)."""

    weights: Tensor
    shift: tuple[int, int]


def run_with_attention(probe: Probe, image: Tensor, method: str) -> tuple[list[Attention], object]:
    """Every self-attention of one run, first to last, and the network's raw output, all
    differentiable where `image` is.

    Raises:
        OptionError: the network has no self-attention.
    """
    _ = probe.layers  # a first dry run must not be recorded below
    recorder = _AttentionRecorder()
    with FunctionOverrides(recorder.overrides()):
        _, output = probe.activations_and_output(image, [])
    if not recorder.attentions:
        raise OptionError(
            f"{method} needs a network with self-attention, and {probe.model.name} has none;"
            " the method layer_cam of explain needs none."
        )
    return recorder.attentions, output


class _AttentionRecorder:
    """Stands in for the functions of torch that compute attention, and keeps the weights."""

    def __init__(self) -> None:
        self.attentions: list[Attention] = []
        self._shift = (0, 0)

    def overrides(self) -> dict[object, Callable[..., object]]:
        return {
            functional.scaled_dot_product_attention: self._fused,
            functional.multi_head_attention_forward: self._packed,
            functional.softmax: self._softmax,
            torch.softmax: self._softmax,
            Tensor.softmax: self._softmax,
            torch.roll: self._roll,
        }

    def _keep(self, weights: Tensor) -> Tensor:
        self.attentions.append(Attention(weights, self._shift))
        self._shift = (0, 0)
        return weights

    def _fused(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        attn_mask: Tensor | None = None,
        *args: Any,
        scale: float | None = None,
        **kwargs: Any,
    ) -> Tensor:
        if q.shape[-2] != k.shape[-2] or args or any(kwargs.values()):
            return functional.scaled_dot_product_attention(
                q, k, v, attn_mask, *args, **{**kwargs, "scale": scale}
            )
        logits = q @ k.transpose(-2, -1) * (scale or 1 / math.sqrt(q.shape[-1]))
        if attn_mask is not None:
            logits = (
                logits.masked_fill(~attn_mask, -math.inf)
                if attn_mask.dtype == torch.bool
                else logits + attn_mask
            )
        return self._keep(logits.softmax(-1)) @ v

    def _packed(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        width: int,
        heads: int,
        weight: Tensor | None,
        bias: Tensor | None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        special = ("attn_mask", "key_padding_mask", "q_proj_weight")
        if (
            query is not key
            or key is not value
            or weight is None
            or any(kwargs.get(name) is not None for name in special)
            or kwargs.get("is_causal")
        ):
            return functional.multi_head_attention_forward(
                query, key, value, width, heads, weight, bias, *args, **kwargs
            )
        parts = functional.linear(query, weight, bias).view(
            *query.shape[:2], 3, heads, width // heads
        )
        q, k, v = parts.permute(2, 1, 3, 0, 4)
        mixed = self._fused(q, k, v).permute(2, 0, 1, 3).flatten(2)
        return functional.linear(mixed, *args[4:6]), None

    def _softmax(self, logits: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        weights = functional.softmax(logits, *args, **kwargs)
        square = logits.ndim == 4 and logits.shape[-1] == logits.shape[-2]
        axis = kwargs.get("dim", args[0] if args else None)
        return self._keep(weights) if square and axis in (-1, 3) else weights

    def _roll(
        self, x: Tensor, shifts: int | tuple[int, ...], dims: int | tuple[int, ...] = ()
    ) -> Tensor:
        # Swin shifts its windows by rolling the map up and to the left.
        if isinstance(shifts, (tuple, list)) and len(shifts) == 2 and min(shifts) < 0:
            self._shift = (-int(shifts[0]), -int(shifts[1]))
        return torch.roll(x, shifts, dims)


def unwindow(scores: Tensor, images: int, shift: tuple[int, int], aspect: float) -> Tensor:
    """Scores of the tokens of windows (images * windows, tokens) as maps, n 1 h w; windows lie row
    by row, shifted cyclically."""
    windows, side = scores.shape[0] // images, math.isqrt(scores.shape[1])
    possible = [count for count in range(1, windows + 1) if windows % count == 0]
    rows = min(possible, key=lambda count: abs(math.log(count * count / windows / aspect)))
    maps = scores.reshape(images, rows, windows // rows, side, side).permute(0, 1, 3, 2, 4)
    return maps.reshape(images, 1, rows * side, windows // rows * side).roll(shift, (2, 3))
