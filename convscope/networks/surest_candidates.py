"""What torchvision's detectors think of every class before they keep only what they are sure of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from convscope.core.types import Foreign

CLASS_SCORES = "class_scores"
"""Under this name each image's dictionary holds the score of the surest candidate of every class
(c), whether it was kept or not."""


def has_candidates(kind: type[nn.Module]) -> bool:
    """Whether networks of this class are detectors of torchvision."""
    return any(base.__module__.startswith("torchvision.models.detection") for base in kind.__mro__)


def run_with_candidates(
    network: nn.Module, image: Tensor, inputs: Mapping[str, Foreign]
) -> Foreign:
    """What a detector of torchvision returns; each image's dictionary has `CLASS_SCORES` too.

    What a detector returns are the detections above a threshold only. In noise there is none, and
    then no class has a score with a gradient. The surest candidate of a class survives the
    suppression of others, so that its score is that of the class's surest detection, if there is
    one.
    """
    with _recorded_scores(network) as scores:
        output = network(image, **inputs)
    if not scores or not _is_list_of_detections(output, len(scores)):
        return output
    return [
        {**detection, CLASS_SCORES: image_scores}
        for detection, image_scores in zip(output, scores, strict=True)
    ]


@contextmanager
def _recorded_scores(network: nn.Module) -> Iterator[list[Tensor]]:
    """A list into which the run inside the block puts each image's scores (c)."""
    scores: list[Tensor] = []
    counts: list[int] = []

    def of_dense_head(module: nn.Module, inputs: Foreign, output: Foreign) -> None:
        scores.extend(_dense_scores(output, is_softmax=_is_ssd(network)).amax(1))

    def of_proposals(module: nn.Module, inputs: Foreign, output: Foreign) -> None:
        counts.extend(len(boxes) for boxes in output[0])

    def of_box_head(module: nn.Module, inputs: Foreign, output: Foreign) -> None:
        scores.extend(
            _without_background(part.softmax(1)).amax(0)
            if len(part)
            else part.new_zeros(part.shape[1])
            for part in output[0].float().split(counts)
        )

    heads = {
        "head": of_dense_head,
        "rpn": of_proposals,
        "roi_heads.box_predictor": of_box_head,
    }
    with ExitStack() as stack:
        for name, hook in heads.items():
            module = dict(network.named_modules()).get(name)
            if module is not None:
                stack.callback(module.register_forward_hook(hook).remove)
        yield scores


def _is_ssd(network: nn.Module) -> bool:
    from torchvision.models.detection.ssd import SSD

    return isinstance(network, SSD)


def _is_list_of_detections(output: object, count: int) -> bool:
    return (
        isinstance(output, list)
        and len(output) == count
        and all(isinstance(part, dict) and "boxes" in part for part in output)
    )


def _dense_scores(output: Mapping[str, Tensor], *, is_softmax: bool) -> Tensor:
    """The scores (n k c) of all anchors of a one-stage detector, as it computes them itself."""
    logits = output["cls_logits"].float()
    if is_softmax:
        return _without_background(logits.softmax(-1))
    if "bbox_ctrness" in output:
        centered = output["bbox_ctrness"].float().sigmoid()
        return (logits.sigmoid() * centered).sqrt()
    return logits.sigmoid()


def _without_background(scores: Tensor) -> Tensor:
    """Class 0 is "nothing"; no detection has it."""
    return torch.cat([torch.zeros_like(scores[..., :1]), scores[..., 1:]], -1)
