from __future__ import annotations

from torch import Tensor

from convscope.synthesis.objectives import ForwardPass, pick, register


@register(output=True)
def margin(forward: ForwardPass, *, target: int) -> Tensor:
    """The score of a class above that of the strongest other class (Carlini & Wagner, 2017).

    It is positive where the network says the class, so that raising it changes no more than the
    answer needs. Of a network with a single score it is that score.

    Args:
        target: the class.

    Example:
        convscope.visualize(model, "margin(tarantula)")
    """
    scores = forward.scores()
    own = pick(scores, target)
    if scores.shape[1] == 1:
        return own
    # The two strongest classes: the first of them that is not the target is the rival.
    values, indices = scores.topk(2, dim=1)
    return own - values[:, 0].where(indices[:, 0] != target, values[:, 1])
