from __future__ import annotations

from torch import Tensor

from convscope.synthesis.objectives import Seen, pick, register


@register(output=True)
def logit(seen: Seen, *, target: int) -> Tensor:
    """The unnormalized score of a class, before the softmax (Simonyan et al., 2013).

    Args:
        target: the class.

    Example:
        convscope.visualize(model, "logit(tarantula)")
    """
    return pick(seen.scores(), target)
