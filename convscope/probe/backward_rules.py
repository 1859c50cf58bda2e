"""The only backward rules: another gradient for every rectifier, for the length of a block.

    with backward_rule("guided"):
        gradient = probe.image_gradient(image, target)

A rectifier is any call that clips at 0 from below, and perhaps at a ceiling (6 in ReLU6): modules,
in-place and re-used ones included, and plain calls of `relu`, `relu6`, `hardtanh`, `clamp`,
`clamp_min` and `threshold`. They are caught as they are called, so no module is touched and nothing
is left behind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from convscope.core.types import AutogradContext
from convscope.errors import OptionError, RuleError

Rule = Literal["guided", "deconvnet", "redirected"]


def _guided(x: Tensor, gradient: Tensor, on: Tensor, high: float, ascending: bool) -> Tensor:
    return torch.where(on & _wanted(gradient, ascending), gradient, 0)


def _deconvnet(x: Tensor, gradient: Tensor, on: Tensor, high: float, ascending: bool) -> Tensor:
    return torch.where(_wanted(gradient, ascending), gradient, 0)


def _redirected(x: Tensor, gradient: Tensor, on: Tensor, high: float, ascending: bool) -> Tensor:
    plain = torch.where(on, gradient, 0)
    # An image for which nothing got through is helped: what would bring a closed unit back to its
    # open range passes.
    opening = torch.where(x <= 0, _wanted(gradient, ascending), ~on & _wanted(-gradient, ascending))
    blocked = (
        ~plain.flatten(1).any(1).view(-1, *[1] * (gradient.ndim - 1))
        if gradient.ndim > 1
        else ~plain.any()
    )
    return torch.where(blocked & opening, gradient, plain)


def _wanted(gradient: Tensor, ascending: bool) -> Tensor:
    """Where the score rises with the unit."""
    return gradient > 0 if ascending else gradient < 0


_RULES: dict[str, Callable[[Tensor, Tensor, Tensor, float, bool], Tensor]] = {
    "guided": _guided,
    "deconvnet": _deconvnet,
    "redirected": _redirected,
}


@contextmanager
def backward_rule(name: Rule, *, ascending: bool = True, required: bool = True) -> Iterator[None]:
    """Differentiate every rectifier that runs inside the block by another rule; forward values do
    not change.

    Args:
        name: "guided" passes positive gradients through open units (Springenberg et al., 2014);
            "deconvnet" passes positive gradients through all units, open or not (Zeiler & Fergus,
            2013); "redirected" is the plain gradient, except that of an image for which all
            gradient was stopped what would open a closed unit passes (Distill and Lucid, Olah et
            al., 2017, use it in the first 16 steps of an ascent).
        ascending: what is differentiated is a score to be raised; False for a loss to be lowered
            (all signs turn round).
        required: whether a block in which no rectifier was differentiated is an error.

    Raises:
        OptionError: no such rule.
        RuleError: no rectifier ran with a gradient, so that the rule changed nothing.
    """
    if name not in _RULES:
        raise OptionError(
            f"There is no backward rule {name!r}; there is: {', '.join(get_args(Rule))}."
        )
    mode = _Rectifiers(name, ascending)
    with mode:
        yield
    if required and not mode.changed:
        raise RuleError(
            f"The rule {name!r} changed nothing: no ReLU or other clipping at 0 lies between score"
            " and question."
        )


class _Ruled(torch.autograd.Function):
    """Clip to [0, high] forward, one of the rules backward."""

    @staticmethod
    def forward(ctx: AutogradContext, x: Tensor, high: float, name: str, ascending: bool) -> Tensor:
        ctx.save_for_backward(x)
        ctx.high, ctx.name, ctx.ascending = high, name, ascending
        return x.clamp(0, None if math.isinf(high) else high)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: AutogradContext, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        on = (x > 0) & (x < ctx.high)
        return _RULES[ctx.name](x, gradient, on, ctx.high, ctx.ascending), None, None, None


class _Rectifiers(TorchFunctionMode):
    """Sees every call of torch, and answers those that clip at 0."""

    def __init__(self, name: str, ascending: bool) -> None:
        super().__init__()
        self.name = name
        self.ascending = ascending
        self.changed = 0

    def __torch_function__(
        self,
        function: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        read = _READERS.get(function)
        if read is None or not torch.is_grad_enabled():
            return function(*args, **kwargs)
        high, in_place = read(*args, **kwargs)
        x = args[0] if args else kwargs["input"]
        if high is None or not isinstance(x, Tensor) or not x.requires_grad:
            return function(*args, **kwargs)
        self.changed += 1
        # In place, the result overwrites the input, so the backward pass keeps a copy of it.
        output = _Ruled.apply(x.clone() if in_place else x, high, self.name, self.ascending)
        return x.copy_(output) if in_place else output


class Clipping(NamedTuple):
    """What a call clips its input to: from 0 to the ceiling, or None where it is no rectifier."""

    ceiling: float | None
    is_in_place: bool


def _clipping_of_relu(input: Tensor, inplace: bool = False) -> Clipping:
    return Clipping(math.inf, inplace)


def _clipping_of_relu6(input: Tensor, inplace: bool = False) -> Clipping:
    return Clipping(6.0, inplace)


def _clipping_of_hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Clipping:
    return Clipping(float(max_val) if min_val == 0 and max_val > 0 else None, inplace)


def _clipping_of_clamp(
    input: Tensor, min: object = None, max: object = None, **kwargs: object
) -> Clipping:
    if not isinstance(min, (int, float)) or min != 0 or kwargs:
        return Clipping(None, False)
    if max is None:
        return Clipping(math.inf, False)
    return Clipping(float(max) if isinstance(max, (int, float)) else None, False)


def _clipping_of_threshold(
    input: Tensor, threshold: float, value: float, inplace: bool = False
) -> Clipping:
    return Clipping(math.inf if threshold == 0 and value == 0 else None, inplace)


def _in_place(
    read: Callable[..., Clipping],
) -> Callable[..., Clipping]:
    return lambda *args, **kwargs: Clipping(read(*args, **kwargs).ceiling, True)


_READERS: dict[object, Callable[..., Clipping]] = {
    functional.relu: _clipping_of_relu,
    torch.relu: _clipping_of_relu,
    Tensor.relu: _clipping_of_relu,
    functional.relu6: _clipping_of_relu6,
    functional.hardtanh: _clipping_of_hardtanh,
    torch.clamp: _clipping_of_clamp,
    torch.clip: _clipping_of_clamp,
    Tensor.clamp: _clipping_of_clamp,
    Tensor.clip: _clipping_of_clamp,
    torch.clamp_min: _clipping_of_clamp,
    Tensor.clamp_min: _clipping_of_clamp,
    functional.threshold: _clipping_of_threshold,
    torch.threshold: _clipping_of_threshold,
    torch.relu_: _in_place(_clipping_of_relu),
    Tensor.relu_: _in_place(_clipping_of_relu),
    functional.hardtanh_: _in_place(_clipping_of_hardtanh),
    torch.clamp_: _in_place(_clipping_of_clamp),
    Tensor.clamp_: _in_place(_clipping_of_clamp),
    torch.clamp_min_: _in_place(_clipping_of_clamp),
    Tensor.clamp_min_: _in_place(_clipping_of_clamp),
    torch.threshold_: _in_place(_clipping_of_threshold),
}
"""Function of torch -> what a call of it clips to."""
