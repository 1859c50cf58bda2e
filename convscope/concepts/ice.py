from __future__ import annotations

from convscope.concepts import register
from convscope.concepts.factors import Factors, Floats
from convscope.concepts.nmf import nmf
from convscope.core.ranges import Seed, Steps


@register(clips=True, importance="derivative")
def ice(activations: Floats, count: int, *, seed: Seed = 0, steps: Steps = 400) -> Factors:
    """Groups of units by non-negative matrix factorization, as in nmf; importance is the target's
    directional derivative along each of them (ICE, Zhang et al., 2021).

    The derivative is that of the score when the direction is added at every place, the gradient
    itself where the authors' code takes a finite difference; directions have length 1. It is
    signed: a concept may speak against the target.

    Args:
        seed: of the start, and of the mini-batches.
        steps: at most so many iterations.

    Raises:
        ExtraError: scikit-learn is not installed.

    Example:
        convscope.concepts(model, photos, method="ice", target="tabby", importance=True)
    """
    return nmf(activations, count, seed=seed, steps=steps)
