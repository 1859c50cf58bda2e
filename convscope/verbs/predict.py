from __future__ import annotations

from torch import Tensor

from convscope.core.ranges import PositiveInt
from convscope.errors import OptionError
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.results.arrays import to_numpy
from convscope.results.details import PredictionsDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.verbs._verb import PhotoLike, bytes_of, network_input, verb


@verb
def predict(model: Model, photo: PhotoLike, *, top: PositiveInt = 5) -> Result:
    """What the network says a photo is: the top classes with their probabilities.

    `result.table` has a row per photo and rank (photo, rank, index, label, probability);
    `result["score"]` are the raw scores and `result["probability"]` the probabilities of all
    classes, n classes. A network with one output is read through a sigmoid.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        top: how many classes to name.

    Example:
        convscope.predict(model, "cat.jpg", top=3)
        $ convscope predict cat.jpg --top 3
    """
    if top < 1:
        raise OptionError(f"top must be 1 or more; {top} was given.")
    with Probe(model) as probe:
        scores = probe.scores(network_input(model, photo))
    probabilities = model.probabilities(scores)
    return Result(
        "predict",
        PredictionsDetails(),
        {"score": to_numpy(scores), "probability": to_numpy(probabilities)},
        best_classes(model, probabilities, top),
        bytes_of(photo),
    )


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
