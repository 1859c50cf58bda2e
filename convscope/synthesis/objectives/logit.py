from __future__ import annotations

from torch import Tensor

from convscope.synthesis.objectives import ForwardPass, pick, register


@register(output=True)
def logit(forward: ForwardPass, *, target: int) -> Tensor:
    """The unnormalized score of a class, before the softmax (Simonyan et al., 2013).

    Args:
        target: the class.

    Example:
        convscope.visualize(model, "logit(tarantula)")
    """
    return pick(forward.scores(), target)
