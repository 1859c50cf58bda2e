from __future__ import annotations

from torch import Tensor

from convscope.synthesis.objectives import ForwardPass, register


@register(output=True)
def score(forward: ForwardPass, *, question: str) -> Tensor:
    """The score of a question: a class of a detector or segmenter, a value, a likeness, one pixel.

    A picture that is still to be made has no boxes or masks, so `box:LABEL` asks for the surest
    detection of the class, wherever it is, and `mask:LABEL` for the mean over all places.

    Args:
        question: in words, as `explain` takes it.

    Example:
        convscope.visualize(model, "score(value:1)", steps=64)
    """
    return forward.answers(question)
