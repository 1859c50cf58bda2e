from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from convscope.core.ranges import PositiveInt
from convscope.errors import ImageError, OptionError
from convscope.probe import Probe
from convscope.probe.gradient import gradient_of
from convscope.probe.inference_copy import inference_copy
from convscope.questions.target import Target, TargetLike
from convscope.results.arrays import to_numpy
from convscope.results.details import TableDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.verbs._verb import PhotoLike, bytes_of, network_input, verb

if TYPE_CHECKING:
    from convscope.networks.model import Model


@verb
def place(
    model: Model,
    photo: PhotoLike,
    row: int,
    column: int,
    *,
    layers: Sequence[str] | str | None = None,
    target: TargetLike = None,
    top: PositiveInt = 6,
) -> Result:
    """What one place of a photo excites, and what it says for and against the answer (Olah et al.,
    2018).

    At each layer the place is the cell of the map over the pixel. `LAYER.activation` (n c) is what
    each unit does there, `LAYER.contribution` (n c) that times the gradient of the target's score:
    what the place adds to the score through the unit, to first order (HiResCAM's terms, Draelos &
    Carin, 2020). `result.table` lists the units that fire most there (`list` is "strongest") and
    that say most "for" and "against" the target, layer by layer, and at the last layer what the
    place says about each of the `top` classes ("class").

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        row: of the pixel, from the photo's top.
        column: of the pixel, from the photo's left.
        layers: dotted names or shell patterns; by default every stage.
        target: a class index, a label or "a vs b"; by default the top prediction.
        top: how many units and classes to name.

    Raises:
        ImageError: a pixel outside of what the network sees.
        LayerError: no such layer.

    Example:
        convscope.place(model, "cat.jpg", 120, 200, layers=["blocks.3", "blocks.5"])
        $ convscope place cat.jpg 120 200 --layers blocks.3,blocks.5
    """
    if top < 1:
        raise OptionError(f"top must be 1 or more; {top} was given.")
    with Probe(model) as probe:
        names = _layer_names(probe, layers)
    image = network_input(model, photo)
    shares = [_share(model, each, row, column) for each in photo]
    with Probe(inference_copy(model, names)) as probe:
        scores = probe.scores(image)
        asked = Target.of(model, target).expand(len(image)).resolved(scores)
        gradients = probe.activations_and_gradients(image, names, asked)
        arrays = {name: _at_cells(*gradients[name], shares) for name in names}
        classes = [
            _class_terms(probe, image[at : at + 1], names[-1], share, scores[at], top)
            for at, share in enumerate(shares)
        ]
    return Result(
        "place",
        TableDetails(title=f"Row {row}, column {column}"),
        {
            f"{name}.{kind}": to_numpy(array)
            for name in names
            for kind, array in zip(("activation", "contribution"), arrays[name], strict=True)
        },
        [
            row
            for at, title in enumerate(asked.titles())
            for row in _rows(model, at, title, arrays, classes[at], top)
        ],
        bytes_of(photo),
    )


def _rows(
    model: Model,
    photo: int,
    target: str,
    arrays: dict[str, tuple[Tensor, Tensor]],
    classes: list[tuple[int, float]],
    top: int,
) -> list[Row]:
    """The table of one photo: the units of every layer, then the classes."""
    rows: list[Row] = []
    for layer, (activation, contribution) in arrays.items():
        rows += _unit_rows(photo, target, layer, activation[photo], contribution[photo], top)
    return rows + _class_rows(model, photo, target, list(arrays)[-1], classes)


def _layer_names(probe: Probe, layers: Sequence[str] | str | None) -> list[str]:
    """The layers asked for, from early to late."""
    patterns = layers.split(",") if isinstance(layers, str) else layers or probe.layers.stages()
    names = {name for text in patterns for name in probe.layers.match(text.strip())}
    return sorted(names, key=lambda name: probe.layers[name].order)


def _share(model: Model, photo: Tensor, row: int, column: int) -> tuple[float, float]:
    """Where the middle of a photo's pixel lies in what the network sees, both in [0, 1)."""
    height, width = photo.shape[-2:]
    top, left, tall, wide = model.preprocessing.box(height, width)
    down, right = (row + 0.5 - top) / tall, (column + 0.5 - left) / wide
    if not (0 <= down < 1 and 0 <= right < 1):
        raise ImageError(
            f"The network sees rows {top:.0f} to {top + tall - 1:.0f} and columns {left:.0f} to"
            f" {left + wide - 1:.0f} of the photo; row {row}, column {column} lies outside."
        )
    return down, right


def _at_cells(
    maps: Tensor, gradients: Tensor, shares: Sequence[tuple[float, float]]
) -> tuple[Tensor, Tensor]:
    """Activations, and activations times gradients, in the cell of a layer (n c h w) that lies over
    each photo's place: n c both."""
    height, width = maps.shape[-2:]
    cells = [(int(down * height), int(right * width)) for down, right in shares]
    activation = torch.stack([maps[at, :, *cell] for at, cell in enumerate(cells)])
    slope = torch.stack([gradients[at, :, *cell] for at, cell in enumerate(cells)])
    return activation, activation * slope


def _class_terms(
    probe: Probe,
    image: Tensor,
    layer: str,
    share: tuple[float, float],
    scores: Tensor,
    top: int,
) -> list[tuple[int, float]]:
    """The likeliest classes, and what the place adds to the score of each at one layer."""
    classes = scores.argsort(descending=True, stable=True)[:top].tolist()
    # One run to the layer, and what follows it once for each class.
    run = probe.partial_forward(image, layer)
    maps = run.maps.detach().repeat(len(classes), 1, 1, 1).requires_grad_()
    with torch.enable_grad():
        score = Target.of(probe.model, classes)(run(maps))
        (gradient,) = gradient_of(score, [maps], f"layer {layer!r}")
    _, contribution = _at_cells(maps.detach(), gradient, [share] * len(classes))
    return list(zip(classes, contribution.sum(1).tolist(), strict=True))


def _unit_rows(
    photo: int, target: str, layer: str, activation: Tensor, contribution: Tensor, top: int
) -> list[Row]:
    """The units of one layer that fire most, and that say most for and against."""
    strong, helps, harms = (
        (activation > 0).sum(),
        (contribution > 0).sum(),
        (contribution < 0).sum(),
    )
    orders = {
        "strongest": activation.argsort(descending=True, stable=True)[: int(strong)],
        "for": contribution.argsort(descending=True, stable=True)[: int(helps)],
        "against": contribution.argsort(stable=True)[: int(harms)],
    }
    return [
        {
            "photo": photo,
            "target": target,
            "layer": layer,
            "list": name,
            "rank": rank,
            "index": index,
            "label": f"{layer}:{index}",
            "activation": float(activation[index]),
            "contribution": float(contribution[index]),
        }
        for name, order in orders.items()
        for rank, index in enumerate(order[:top].tolist(), start=1)
    ]


def _class_rows(
    model: Model, photo: int, target: str, layer: str, terms: list[tuple[int, float]]
) -> list[Row]:
    """What the place says about each of the likeliest classes."""
    return [
        {
            "photo": photo,
            "target": target,
            "layer": layer,
            "list": "class",
            "rank": rank,
            "index": index,
            "label": model.label(index),
            "activation": None,
            "contribution": contribution,
        }
        for rank, (index, contribution) in enumerate(terms, start=1)
    ]
