from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from convscope.core.ranges import PositiveInt
from convscope.errors import ImageError, OptionError
from convscope.networks.concept_layer import versioned
from convscope.networks.layout import image_size
from convscope.photos.fingerprint import fingerprint
from convscope.probe import Probe
from convscope.probe.gradient import gradient_of
from convscope.probe.inference_copy import inference_copy
from convscope.probe.recorded_run import kept_run
from convscope.questions.grammar import FILE_KINDS
from convscope.questions.target import Target, TargetLike
from convscope.results.arrays import to_numpy
from convscope.results.details import TableDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.verbs._names import listed_layers
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
        layers: dotted names or patterns, in which `**` crosses dots; by default every stage.
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
    shares = [_share(model, image, row, column) for image in photo]
    with Probe(inference_copy(model, names)) as probe:
        terms = [_terms(probe, image, names, target, top) for image in photo]
    cells = [term.at(share) for term, share in zip(terms, shares, strict=True)]
    return Result(
        "place",
        TableDetails(title=f"Row {row}, column {column}"),
        {
            f"{name}.{kind}": to_numpy(torch.stack([cell.layers[name][place] for cell in cells]))
            for name in names
            for place, kind in enumerate(("activation", "contribution"))
        },
        [
            row
            for at, (term, cell) in enumerate(zip(terms, cells, strict=True))
            for row in _rows(model, at, term, cell, top)
        ],
        bytes_of(photo),
    )


@dataclass(frozen=True)
class _Cell:
    """At one place: each layer's activations and contributions (c both), and what the place adds to
    the score of each of the likeliest classes at the last layer."""

    layers: dict[str, tuple[Tensor, Tensor]]
    classes: list[tuple[int, float]]


@dataclass(frozen=True)
class _Terms:
    """What all places of one photo are read from: maps and gradients of each layer (c h w both),
    and the gradients of the likeliest classes at the last one (k c h w)."""

    title: str
    layers: dict[str, tuple[Tensor, Tensor]]
    classes: list[int]
    class_gradients: Tensor

    @property
    def nbytes(self) -> int:
        """Bytes that it holds."""
        tensors = [tensor for pair in self.layers.values() for tensor in pair]
        return sum(tensor.nbytes for tensor in [*tensors, self.class_gradients])

    def at(self, share: tuple[float, float]) -> _Cell:
        """The cells over one place, each from the map it lies in."""
        down, right = share
        layers = {}
        for name, (maps, gradient) in self.layers.items():
            cell = (int(down * maps.shape[1]), int(right * maps.shape[2]))
            activation = maps[:, *cell]
            layers[name] = activation, activation * gradient[:, *cell]
        added = (self.class_gradients[:, :, *cell] * activation).sum(1)
        return _Cell(layers, list(zip(self.classes, added.tolist(), strict=True)))


def _terms(probe: Probe, photo: Tensor, layers: list[str], target: TargetLike, top: int) -> _Terms:
    """The terms of one photo, from one run; kept, so that another place costs little."""

    def run() -> _Terms:
        model = probe.model
        image = network_input(model, [photo])
        recorded = probe.record(image, layers, layers)
        scores = model.scores(recorded.output, 1)[0]
        asked = Target.of(model, target).resolved(recorded.output)
        classes = scores.argsort(descending=True, stable=True)[:top].tolist()
        last = recorded.raw[layers[-1]]
        class_gradients = torch.cat(
            [
                gradient_of(scores[index], [last], f"layer {layers[-1]!r}", keep_graph=True)[0]
                for index in classes
            ]
        )
        probe.recorded = recorded
        gradients = probe.activations_and_gradients(image, layers, asked)
        return _Terms(
            asked.titles()[0],
            {name: (maps[0], gradient[0]) for name, (maps, gradient) in gradients.items()},
            classes,
            probe.layout.to_maps(class_gradients, layers[-1], image_size(image)).float(),
        )

    if not _is_known_by_text(target):
        return run()
    key = fingerprint(photo), *map(versioned, layers), target, top
    return kept_run(probe.model, _Terms, key, run)


def _is_known_by_text(target: TargetLike) -> bool:
    """Whether a target with the same text asks the same: not where it names a file, which may
    change."""
    if isinstance(target, str):
        return target.strip().partition(":")[0] not in FILE_KINDS
    return target is None or isinstance(target, int)


def _rows(model: Model, photo: int, terms: _Terms, cell: _Cell, top: int) -> list[Row]:
    """The table of one photo: the units of every layer, then the classes."""
    rows: list[Row] = []
    for layer, (activation, contribution) in cell.layers.items():
        rows += _unit_rows(photo, terms.title, layer, activation, contribution, top)
    return rows + _class_rows(model, photo, terms.title, list(cell.layers)[-1], cell.classes)


def _layer_names(probe: Probe, layers: Sequence[str] | str | None) -> list[str]:
    """The layers asked for, from early to late."""
    names = listed_layers(probe.layers, layers, probe.layers.stages)
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
