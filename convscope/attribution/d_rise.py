from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torchvision import ops

from convscope.attribution import register
from convscope.attribution.batches import singles
from convscope.attribution.rise import rise
from convscope.core.ranges import Fraction, PositiveInt
from convscope.errors import TargetError
from convscope.networks.model import Model
from convscope.networks.task import batch_size, detections
from convscope.probe import Probe
from convscope.questions.box import BoxQuestion
from convscope.questions.callable_question import CallableQuestion
from convscope.questions.target import Target


@register(space="input", positive=True, needs="detection")
def d_rise(
    probe: Probe,
    image: Tensor,
    target: Target,
    *,
    masks: PositiveInt = 4000,
    cells: PositiveInt = 16,
    keep: Fraction = 0.5,
    batch: PositiveInt = 16,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Which pixels were kept when the detector still found this box (Petsiuk et al., 2021).

    RISE, whose weight of a mask is the largest, over the detections in the masked image, of IoU x
    cosine of the class scores x objectness: n 1 h w, in [0, 1]. Where a detector shows decoded
    boxes only (torchvision), its distribution has one class, and the score stands for objectness,
    which the paper sets to 1 there.

    Args:
        masks: how many; the paper takes 5,000.
        cells: cells of the random grid per side, before it is smoothed and shifted.
        keep: probability that a cell is kept.
        batch: how many masked images run at once; bounds the memory.

    Raises:
        TargetError: the target is no box.

    Example:
        convscope.explain(model, "street.jpg", method="d_rise", target="box:0", masks=1000)
    """
    heatmaps = []
    for single, single_target in singles(image, target, generator):
        output = probe.output(single)
        question = single_target.resolved(output).choices[0]
        if not isinstance(question, BoxQuestion):
            raise TargetError("D-RISE asks about one box: give target='box:0', of a detector.")
        asked = _Similarity(probe.model, output, question)
        similarity = Target(probe.model, (CallableQuestion(asked),))
        heatmaps.append(
            rise(
                probe,
                single,
                similarity,
                masks=masks,
                cells=cells,
                keep=keep,
                batch=batch,
                generator=generator,
            )
        )
    return torch.cat(heatmaps)


class _Similarity:
    """How much the most similar detection of an image is like the box asked about."""

    def __init__(self, model: Model, output: object, question: BoxQuestion) -> None:
        assert question.box is not None
        self.num_classes = model.num_detected_classes
        candidates = detections(output, 0, self.num_classes)
        self.box = candidates.boxes.new_tensor([question.box])
        nearest = int(ops.box_iou(candidates.boxes, self.box)[:, 0].nan_to_num().argmax())
        self.classes = candidates.scores[nearest : nearest + 1]

    def __call__(self, output: object) -> Tensor:
        return torch.stack([self._most_similar(output, row) for row in range(batch_size(output))])

    def _most_similar(self, output: object, row: int) -> Tensor:
        candidates = detections(output, row, self.num_classes)
        if not len(candidates.boxes):
            return self.box.new_zeros(())
        overlap = ops.box_iou(candidates.boxes, self.box)[:, 0].nan_to_num()
        cosine = functional.cosine_similarity(candidates.scores, self.classes, dim=1)
        similarity: Tensor = overlap * cosine * candidates.objectness
        return similarity.max()
