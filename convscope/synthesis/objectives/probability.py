from __future__ import annotations

from torch import Tensor

from convscope.synthesis.objectives import Seen, pick, register


@register(output=True)
def probability(seen: Seen, *, target: int) -> Tensor:
    """The logarithm of a class's probability: raised also by lowering the other classes (Olah et al., 2017).

    The logarithm climbs as the probability does, and still has a gradient where that is nearly 0 or 1.

    Args:
        target: the class.

    Example:
        convscope.visualize(model, "probability(tarantula)")
    """
    if seen.model.head == "softmax":
        return pick(seen.scores().log_softmax(1), target)
    return pick(seen.model.probabilities(seen.scores()).clamp_min(1e-30).log(), target)
