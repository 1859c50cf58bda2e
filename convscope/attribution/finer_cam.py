from __future__ import annotations

import torch
from torch import Tensor

from convscope.attribution import register
from convscope.attribution.grad_cam import grad_cam
from convscope.core.ranges import PositiveInt
from convscope.errors import TargetError
from convscope.probe import Probe
from convscope.questions.callable_question import CallableQuestion
from convscope.questions.target import Choice, Question, Target


@register(space="layer", single_run=True)
def finer_cam(
    probe: Probe,
    image: Tensor,
    target: Target,
    *,
    layer: str,
    rivals: PositiveInt = 3,
    strength: float = 1.0,
) -> Tensor:
    """What tells the class from the classes most like it (Zhang et al., 2025).

    Grad-CAM of the class's score minus `strength` times the mean score of its rivals, the classes
    whose scores lie nearest to it in this image, weighted by their probabilities: n 1 h w, raw. So
    does pytorch-grad-cam's `FinerCAM`, whose gradient also runs through the probabilities; here
    they are constants, so that the weights stay those of a difference of logits.

    Args:
        rivals: how many of the nearest classes to compare with.
        strength: share of the rivals' mean score that is subtracted; 0 is Grad-CAM.

    Raises:
        LayerError: the network has no such layer.
        TargetError: a target that is no single class, or a network without other classes.

    Example:
        convscope.explain(model, "cat.jpg", method="finer_cam", target="tabby")
    """
    if not all(is_single_class(choice) for choice in target.choices):
        raise TargetError(
            "Finer-CAM compares a class with the classes like it: give one class of a network with"
            " several."
        )

    def finer(output: object) -> Tensor:
        class_scores = probe.model.scores(output)
        scores = class_scores.detach()
        if scores.shape[1] < 2:
            raise TargetError(
                "Finer-CAM compares a class with the classes like it: give one class of a network"
                " with several."
            )
        choices = target.resolved(output).expand(len(scores)).choices
        names = [choice.index for choice in choices if isinstance(choice, Choice)]
        class_index = torch.tensor(names, device=scores.device)[:, None]
        near = (
            (scores - scores.gather(1, class_index))
            .abs()
            .scatter(1, class_index, -1)
            .argsort(dim=1, stable=True)[:, 1 : rivals + 1]
        )
        share = scores.softmax(1).gather(1, near)
        share = share / share.sum(1, keepdim=True)
        rival_score = (share * class_scores.gather(1, near)).sum(1)
        return class_scores.gather(1, class_index)[:, 0] - strength * rival_score

    return grad_cam(probe, image, Target(probe.model, (CallableQuestion(finer),)), layer=layer)


def is_single_class(question: Question) -> bool:
    """Whether a question asks about one class, not about two or about something else."""
    return isinstance(question, Choice) and question.against is None
