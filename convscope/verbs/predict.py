from __future__ import annotations

import torch
from torch import Tensor

from convscope.core.ranges import PositiveInt
from convscope.networks.layout import image_size
from convscope.networks.model import Model
from convscope.networks.task import detections, labels_of_places, segmentation
from convscope.probe import Probe
from convscope.results.arrays import to_numpy
from convscope.results.details import (
    DetectionsDetails,
    PredictionsDetails,
    SegmentationDetails,
    ValuesDetails,
)
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.verbs._marks import box_in_photo
from convscope.verbs._verb import PhotoLike, bytes_of, network_input, verb


@verb
def predict(model: Model, photo: PhotoLike, *, top: PositiveInt = 5) -> Result:
    """What the network says of a photo: classes with their probabilities, boxes, masks or values.

    Of a classifier, `result.table` has a row per photo and rank (photo, rank, index, label,
    probability); `result["score"]` are the raw scores and `result["probability"]` the probabilities
    of all classes, n classes. A network with one output is read through a sigmoid, unless its task
    is said to be a regression: then a row has the value. A detector's rows are its surest boxes
    (x1, y1, x2, y2 in the photo's pixels; `box` is the number that `box:2` asks about). A
    segmenter's rows are the classes with their share of the photo, and `result["segmentation"]`
    (n h w) is the class of every place, -1 for none. A network without a head gives
    `result["embedding"]`, n d.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        top: how many classes, boxes or masks to name.

    Example:
        convscope.predict(model, "cat.jpg", top=3)
        $ convscope predict cat.jpg --top 3
    """
    image = network_input(model, photo)
    with Probe(model) as probe:
        output = probe.output(image)
    return answer_of(model, output, photo, image_size(image), top)


def answer_of(
    model: Model, output: object, photo: list[Tensor], size: tuple[int, int], top: int
) -> Result:
    """The answer in what the network returned for some photos, whose inputs were of this size."""
    task = model.task_of(output)
    if task == "detection":
        return _detections(model, output, photo, size, top)
    if task == "segmentation":
        return _segmentation(model, output, photo, top)
    scores = model.scores(output, len(photo)).detach()
    if task == "regression":
        rows = _values(model, scores)
        return Result(
            "predict", ValuesDetails(), {"score": to_numpy(scores)}, rows, bytes_of(photo)
        )
    if task == "embedding":
        sizes: list[Row] = [
            {"photo": place, "numbers": len(vector), "length": float(vector.norm())}
            for place, vector in enumerate(scores)
        ]
        return Result(
            "predict", ValuesDetails(), {"embedding": to_numpy(scores)}, sizes, bytes_of(photo)
        )
    probabilities = model.probabilities(scores)
    return Result(
        "predict",
        PredictionsDetails(),
        {"score": to_numpy(scores), "probability": to_numpy(probabilities)},
        best_classes(model, probabilities, top),
        bytes_of(photo),
    )


def _detections(
    model: Model, output: object, photos: list[Tensor], size: tuple[int, int], top: int
) -> Result:
    """The surest detections of each photo; boxes in the photo's pixels."""
    table: list[Row] = []
    for place, photo in enumerate(photos):
        candidates = detections(output, place, model.num_detected_classes)
        input_size = (1, 1) if candidates.is_relative else size
        for rank, (candidate, label) in enumerate(candidates.rows()[:top]):
            corners = candidates.boxes[candidate].tolist()
            x1, y1, x2, y2 = box_in_photo(model, corners, input_size, photo)
            table.append(
                {
                    "photo": place,
                    "box": rank,
                    "index": label,
                    "label": model.label(label),
                    "probability": candidates.scores.detach()[candidate, label].item(),
                    "x1": x1,
                    "y1": y1,
                    "x2": x2,
                    "y2": y2,
                }
            )
    arrays = {"score": to_numpy(model.scores(output))}
    return Result("predict", DetectionsDetails(), arrays, table, bytes_of(photos))


def _segmentation(model: Model, output: object, photos: list[Tensor], top: int) -> Result:
    """The class of every place of each photo, and the share of the photo that each class has."""
    logits = segmentation(output)
    labels = labels_of_places(logits)
    table: list[Row] = []
    for place, image_labels in enumerate(labels):
        present, counts = torch.unique(image_labels[image_labels >= 0], return_counts=True)
        order = counts.argsort(descending=True, stable=True)[:top]
        for rank, index in enumerate(present[order].tolist()):
            share = float((image_labels == index).float().mean())
            table.append(
                {
                    "photo": place,
                    "mask": rank,
                    "index": index,
                    "label": model.label(index),
                    "share": share,
                }
            )
    details = SegmentationDetails(
        boxes=[model.preprocessing.box(photo.shape[-2], photo.shape[-1]) for photo in photos],
        labels={int(row["index"]): str(row["label"]) for row in table},
    )
    arrays = {"score": to_numpy(model.scores(output)), "segmentation": to_numpy(labels.float())}
    return Result("predict", details, arrays, table, bytes_of(photos))


def _values(model: Model, scores: Tensor) -> list[Row]:
    """The numbers of a regression."""
    return [
        {
            "photo": place,
            "index": index,
            "label": model.labels[index] if model.labels else f"value:{index}",
            "value": float(value),
        }
        for place, values in enumerate(scores)
        for index, value in enumerate(values)
    ]


def best_classes(model: Model, probabilities: Tensor, top: int) -> list[Row]:
    """The `top` classes of each photo, the most probable first."""
    return [
        {
            "photo": photo,
            "rank": rank,
            "index": index,
            "label": model.label(index),
            "probability": float(probabilities[photo, index]),
        }
        for photo, order in enumerate(probabilities.argsort(dim=1, descending=True, stable=True))
        for rank, index in enumerate(order[:top].tolist(), start=1)
    ]
