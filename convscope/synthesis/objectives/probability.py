from __future__ import annotations

from torch import Tensor

from convscope.synthesis.objectives import ForwardPass, pick, register


@register(output=True)
def probability(forward: ForwardPass, *, target: int) -> Tensor:
    """The logarithm of a class's probability: raised also by lowering the other classes (Olah et
    al., 2017).

    The logarithm climbs as the probability does, and still has a gradient where that is nearly 0 or
    1.

    Args:
        target: the class.

    Example:
        convscope.visualize(model, "probability(tarantula)")
    """
    if forward.model.head == "softmax":
        return pick(forward.scores().log_softmax(1), target)
    return pick(forward.model.probabilities(forward.scores()).clamp_min(1e-30).log(), target)
