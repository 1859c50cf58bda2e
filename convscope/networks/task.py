"""What a network's output means: its task, and the boxes, masks and embeddings in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision import ops

from convscope.core.types import Foreign, Task
from convscope.errors import ModelError
from convscope.networks.layout import first_tensor
from convscope.networks.surest_candidates import CLASS_SCORES

SOFTMAX_DETECTORS = ("Detr", "Yolos", "TableTransformer")
"""Families of Hugging Face whose queries choose one class or "no object" (the last) by a softmax;
the others give every class a sigmoid."""

EMBEDDINGS = ("image_embeds", "pooler_output", "last_hidden_state", "feature_maps")
"""Names of outputs of networks without a head, the one to take first."""

MAX_OVERLAP = 0.5
"""Candidates of one class that overlap a better one by more (IoU) are not listed."""

MAX_ROWS = 100
"""Detections listed for an image, as in COCO's evaluation."""


@dataclass(frozen=True)
class Detections:
    """What a detector says of one image.

    `boxes` are k x 4 (x1, y1, x2, y2), in pixels of the network's input or, if `is_relative`, as
    shares of its width and height. `scores` are k x classes in [0, 1], `logits` the same before the
    softmax or sigmoid, where the network shows them. `objectness` (k) is how sure it is of any
    object.
    """

    boxes: Tensor
    scores: Tensor
    logits: Tensor | None
    objectness: Tensor
    is_relative: bool

    def rows(self) -> list[tuple[int, int]]:
        """Candidate and class of each detection, the surest first, after non-maximum
        suppression."""
        # A box without an area overlaps nothing, itself included, so nothing can be asked of it.
        solid = (self.boxes[:, 2:] > self.boxes[:, :2]).all(1).nonzero()[:, 0]
        if not len(solid):
            return []
        best, labels = self.scores[solid].detach().float().max(1)
        boxes = self.boxes[solid].detach().float()
        kept = ops.batched_nms(boxes, best, labels, MAX_OVERLAP)[:MAX_ROWS]
        return [(int(solid[row]), int(labels[row])) for row in kept]


def infer_task(output: object, num_classes: int | None = None) -> Task:
    """The task that an output belongs to; one score per class counts as classification.

    `num_classes` is the network's own word, as timm's networks have it: 0 is one without a head.
    """
    if is_detection(output):
        return "detection"
    if _field(output, "masks_queries_logits") is not None:
        return "segmentation"
    if isinstance(output, (list, tuple)) and len(output) > 1 and _are_maps(output):
        return "embedding"
    has_head = any(_field(output, name) is not None for name in ("logits", "out"))
    if not has_head and any(_field(output, name) is not None for name in EMBEDDINGS):
        return "embedding"
    logits = _main_tensor(output)
    if logits is not None and logits.ndim == 4 and tuple(logits.shape[2:]) != (1, 1):
        return "segmentation"
    if num_classes == 0:
        return "embedding"
    return "classification"


def is_detection(output: object) -> bool:
    """Whether an output holds boxes: a list of dictionaries as torchvision's, queries as Hugging
    Face's, or a dictionary of `boxes` (n k 4) and `scores` (n k classes)."""
    if isinstance(output, (list, tuple)):
        return bool(output) and isinstance(output[0], Mapping) and "boxes" in output[0]
    return _field(output, "pred_boxes") is not None or _field(output, "boxes") is not None


def batch_size(output: object) -> int:
    """How many images an output is about."""
    if isinstance(output, (list, tuple)) and is_detection(output):
        return len(output)
    tensor = _main_tensor(output)
    return 1 if tensor is None else int(tensor.shape[0])


def detections(output: object, image: int, num_classes: int | None = None) -> Detections:
    """The candidates of one image of a batch."""
    if isinstance(output, (list, tuple)):
        boxes, values, labels = (output[image][key] for key in ("boxes", "scores", "labels"))
        count = max(num_classes or 0, int(labels.max()) + 1 if len(labels) else 1)
        scores = values.new_zeros(len(values), count)
        scores = scores.scatter(1, labels[:, None], values[:, None])
        return Detections(boxes, scores, None, values, False)
    if _field(output, "pred_boxes") is None:
        scores = _required(output, "scores")[image]
        return Detections(_required(output, "boxes")[image], scores, None, scores.amax(1), False)
    logits = _required(output, "logits")[image].float()
    boxes = ops.box_convert(_required(output, "pred_boxes")[image].float(), "cxcywh", "xyxy")
    if type(output).__name__.startswith(SOFTMAX_DETECTORS):
        scores = logits.softmax(1)
        return Detections(boxes, scores[:, :-1], logits[:, :-1], 1 - scores[:, -1], True)
    scores = logits.sigmoid()
    return Detections(boxes, scores, logits, scores.amax(1), True)


def segmentation(output: object) -> Tensor:
    """The logits of every class at every place, n c h w, at the resolution the network has."""
    masks = _field(output, "masks_queries_logits")
    if masks is not None:
        # A class at a place: the sum over queries of how sure the query is of the class, times how
        # sure it is of the place (Cheng et al., 2022).
        classes = _required(output, "class_queries_logits").softmax(-1)[..., :-1]
        return torch.einsum("nqc,nqhw->nchw", classes, masks.sigmoid())
    logits = _main_tensor(output)
    if logits is None or logits.ndim != 4:
        raise ModelError("The network's output has no class scores for places in it.")
    return logits.float()


def labels_of_places(logits: Tensor) -> Tensor:
    """The class of every place (n h w); with one channel, 0 where the logit is positive and else
    -1."""
    if logits.shape[1] == 1:
        return torch.where(logits[:, 0] > 0, 0, -1)
    return logits.argmax(1)


def embedding(output: object) -> Tensor:
    """One vector an image (n d): the pooled output, the mean of the last maps, or the class
    token."""
    for name in EMBEDDINGS:
        tensor = _field(output, name)
        if tensor is not None:
            break
    else:
        tensor = first_tensor(output)
        if isinstance(output, (list, tuple)) and _are_maps(output):
            tensor = output[-1]
    if tensor is None:
        raise ModelError("The network's output has no tensor in it, so it has no embedding.")
    vectors = tensor.float()
    if vectors.ndim == 4:
        return vectors.mean((2, 3))
    return vectors[:, 0] if vectors.ndim == 3 else vectors


def detector_classes(network: nn.Module) -> int | None:
    """How many classes the head of one of torchvision's detectors has, the background included."""
    for name, attribute in (
        ("roi_heads.box_predictor.cls_score", "out_features"),
        ("head.classification_head", "num_classes"),
        ("head.classification_head", "num_columns"),
    ):
        module: object = network
        for part in name.split("."):
            module = getattr(module, part, None)
        count = getattr(module, attribute, None)
        if isinstance(count, int):
            return count
    return None


def detection_tokens(config: object) -> int:
    """How many tokens of a transformer, the last ones, stand for detections and for no place
    (YOLOS), as its configuration says."""
    count = getattr(config, "num_detection_tokens", 0)
    return count if isinstance(count, int) else 0


def _are_maps(output: Sequence[object]) -> bool:
    return all(isinstance(part, Tensor) and part.ndim == 4 for part in output)


def _main_tensor(output: object) -> Tensor | None:
    for name in ("logits", "out"):
        tensor = _field(output, name)
        if tensor is not None:
            return tensor
    return first_tensor(output)


def _field(output: object, name: str) -> Tensor | None:
    """A tensor of a network's output by name, or None where there is none."""
    if isinstance(output, Mapping):
        value = output.get(name)
    elif isinstance(output, (Tensor, list, tuple)):
        return None
    else:
        value = getattr(output, name, None)
    if name == "feature_maps" and isinstance(value, (list, tuple)) and value:
        value = value[-1]  # the last stage's
    return value if isinstance(value, Tensor) else None


def _required(output: object, name: str) -> Tensor:
    tensor = _field(output, name)
    if tensor is None:
        raise ModelError(f"The network's output has no {name!r}, which its boxes or masks need.")
    return tensor


def surest_detections(output: Foreign, num_classes: int | None) -> Tensor:
    """The score of the surest candidate of each class (n classes), whether the network keeps it
    among its detections or not, where that is known; else of its surest detection, 0 where there is
    none."""
    rows = []
    for image in range(batch_size(output)):
        if isinstance(output, list) and CLASS_SCORES in output[image]:
            rows.append(output[image][CLASS_SCORES])
            continue
        scores = detections(output, image, num_classes).scores
        rows.append(scores.amax(0) if len(scores) else scores.new_zeros(scores.shape[1]))
    # A list of detections names only the classes that were seen, so an image may have fewer.
    return nn.utils.rnn.pad_sequence(rows, batch_first=True).float()
