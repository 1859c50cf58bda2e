from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from torch import Tensor, nn

from convscope.attribution import register
from convscope.attribution._captum import attribute
from convscope.attribution.baselines import baseline_of
from convscope.errors import ExtraError
from convscope.probe import Probe
from convscope.questions.target import Target

ELEMENTWISE = (
    nn.CELU,
    nn.ELU,
    nn.GELU,
    nn.Hardshrink,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Hardtanh,
    nn.LogSigmoid,
    nn.Mish,
    nn.PReLU,
    nn.ReLU6,
    nn.RReLU,
    nn.SELU,
    nn.SiLU,
    nn.Softshrink,
    nn.Softsign,
    nn.Tanhshrink,
    nn.Threshold,
)
"""Activations that take each number for itself, for which the rescale rule stands as for ReLU."""


@register(space="input", extra="captum", as_is=True)
def deep_lift(
    probe: Probe,
    image: Tensor,
    target: Target,
    *,
    baseline: Literal["mean", "black", "white", "blur"] = "mean",
) -> Tensor:
    """How far each pixel moves the score from what it is without information, by finite differences
    (Shrikumar et al., 2017).

    Captum's `DeepLift` (rescale rule): n c h w, signed, in units of the score, summing to
    score(image) - score(baseline) where all activations are modules that run once. All of
    torch.nn's functions of single numbers follow the rule; Captum alone differentiates ReLU6, SiLU,
    GELU, Mish and others, without a word. Activations of a network's own classes (timm's GELU) are
    differentiated: then the sum is another one. Works on a copy of the network, since Captum writes
    on its modules.

    Args:
        baseline: the image without information: mean color of the training data, black, white, or
            blurred.

    Raises:
        ComputeError: the network is not made for it (an activation module used twice); Captum's
            reason is given.
        ExtraError: captum is not installed.

    Example:
        convscope.explain(model, "cat.jpg", method="deep_lift", target="tabby")
    """
    with _more_activations():
        return attribute(
            probe,
            image,
            target,
            "DeepLift",
            copied=True,
            arguments=lambda single: {"baselines": baseline_of(probe.model, single, baseline)},
        )


@contextmanager
def _more_activations() -> Iterator[None]:
    """Captum's rule for functions of single numbers, for those it would silently differentiate
    instead."""
    try:
        from captum.attr._core import deep_lift as captum
    except ImportError:
        raise ExtraError("captum", "captum") from None
    known = captum.SUPPORTED_NON_LINEAR
    added = [kind for kind in ELEMENTWISE if kind not in known]
    try:
        known.update(dict.fromkeys(added, captum.nonlinear))
        yield
    finally:
        for kind in added:
            known.pop(kind, None)
