from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from convscope.core.ranges import PositiveInt
from convscope.errors import OptionError
from convscope.networks.concept_file import read_concept
from convscope.networks.concept_layer import is_concept_layer, versioned
from convscope.networks.layer import Unit
from convscope.photos.fingerprint import fingerprint
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.probe.partial_forward import PartialForward
from convscope.probe.recorded_run import kept_run
from convscope.results.arrays import to_numpy
from convscope.results.details import TableDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.verbs._verb import PhotoLike, bytes_of, network_input, verb

if TYPE_CHECKING:
    from convscope.networks.model import Model

ROUNDING_STEPS = 16
"""Two runs of one network differ by a few steps of the largest score's precision."""


@verb
def intervene(
    model: Model,
    photo: PhotoLike,
    unit: str,
    *,
    scale: float | Sequence[float] = 0.0,
    top: PositiveInt = 5,
) -> Result:
    """What the answer becomes when one unit is silenced or strengthened (Bau et al., 2020).

    The unit's map is multiplied by `scale` and only what follows its layer runs again. Of a saved
    concept it is what the layer has along its direction; what lies across stays.
    `result["score"]` and `result["probability"]` hold the changed answers, k classes for k scales;
    `result["original"]` the unchanged scores and `result["original_probability"]` their
    probabilities, 1 classes. `result.table` has a row for each scale and each of its `top` classes
    (`list` is "answer"), and for the classes that the unit "raises" most (their score falls at a
    scale below 1 and rises above it) and "lowers" most. Changes within the rounding of the scores,
    as all are at 1, stand in neither.

    Args:
        model: what `load_model` takes.
        photo: one photo: a path, PIL image, array or tensor.
        unit: `layer:index`, or `layer:index:row,column` for one neuron; or concept:NAME/3 for a
            saved concept.
        scale: 0 silences the unit, 1 leaves it, 2 doubles it; several as a list.
        top: how many classes to name in each list.

    Raises:
        LayerError, UnitError: no such layer or unit, or a concept of another network.
        InputError: there is no such file of concepts.
        OptionError: several photos, or a scale that is not a finite number.

    Example:
        convscope.intervene(model, "cat.jpg", "blocks.5:17", scale=0.0)
        $ convscope intervene cat.jpg blocks.5:17 --scale 0
        $ convscope intervene cat.jpg concept:pets/1 --scale 0
    """
    scales = [float(value) for value in (scale if isinstance(scale, Sequence) else [scale])]
    if len(photo) != 1:
        raise OptionError(f"intervene looks at one photo at a time; {len(photo)} were given.")
    if not scales or not all(abs(value) < float("inf") for value in scales):
        raise OptionError(f"scale must be finite numbers; {scale!r} was given.")
    if top < 1:
        raise OptionError(f"top must be 1 or more; {top} was given.")
    with Probe(model) as probe:
        chosen = _unit_of(probe, unit)
    with Probe(inference_copy(model, [chosen.layer])) as probe:
        run = _partial_forward(probe, photo[0], chosen.layer)
        original = model.scores(run.output)
        scores = run.scores(_scaled(run.maps, chosen, scales))
    before, after = model.probabilities(original), model.probabilities(scores)
    return Result(
        "intervene",
        TableDetails(title=f"{unit} times {', '.join(f'{value:g}' for value in scales)}"),
        {
            "score": to_numpy(scores),
            "probability": to_numpy(after),
            "original": to_numpy(original),
            "original_probability": to_numpy(before),
        },
        _rows(model, scales, (original, scores), (before, after), top),
        bytes_of(photo),
    )


def _unit_of(probe: Probe, text: str) -> Unit:
    """The unit that a text names; a saved concept is a layer of one unit."""
    if not is_concept_layer(text):
        return probe.layers.unit(text)
    read_concept(text)
    probe.layers[text]
    return Unit(text, 0)


def _rows(
    model: Model,
    scales: Sequence[float],
    scores: tuple[Tensor, Tensor],
    probabilities: tuple[Tensor, Tensor],
    top: int,
) -> list[Row]:
    """The best classes, and those that the unit raises and lowers most, for each scale; both pairs
    are before and after."""
    rows: list[Row] = []
    for place, scale in enumerate(scales):
        change = scores[1][place] - scores[0][0]
        effect = _effect_of_unit(change, scale, scores[0][0])
        orders = {
            "answer": probabilities[1][place].argsort(descending=True, stable=True),
            "raises": effect.argsort(descending=True, stable=True)[: int((effect > 0).sum())],
            "lowers": effect.argsort(stable=True)[: int((effect < 0).sum())],
        }
        rows += [
            {
                "scale": scale,
                "list": name,
                "rank": rank,
                "index": index,
                "label": model.label(index),
                "probability": float(probabilities[1][place, index]),
                "before": float(probabilities[0][0, index]),
                "change": float(change[index]),
            }
            for name, order in orders.items()
            for rank, index in enumerate(order[:top].tolist(), start=1)
        ]
    return rows


def _effect_of_unit(change: Tensor, scale: float, original: Tensor) -> Tensor:
    """Which way the unit itself moves each score (classes), as far as the `change` at a scale shows
    it: a score that falls with less of the unit, or rises with more, is one that it raises."""
    rounding = ROUNDING_STEPS * torch.finfo(original.dtype).eps * original.abs().max()
    measured = torch.where(change.abs() > rounding, change, torch.zeros_like(change))
    return measured * (1 if scale > 1 else 0 if scale == 1 else -1)


def _partial_forward(probe: Probe, photo: Tensor, layer: str) -> PartialForward:
    """The run of one photo, split at a layer; kept, so that a slider pays only for the layers after
    its unit."""
    return kept_run(
        probe.model,
        PartialForward,
        (versioned(layer), fingerprint(photo)),
        lambda: probe.partial_forward(network_input(probe.model, [photo]), layer),
    )


def _scaled(maps: Tensor, unit: Unit, scales: Sequence[float]) -> Tensor:
    """The layer's maps once for each scale, the unit multiplied by it."""
    changed = maps.repeat(len(scales), 1, 1, 1)
    factor = torch.tensor(scales, dtype=maps.dtype, device=maps.device)
    if unit.row is None:
        changed[:, unit.index] *= factor[:, None, None]
    else:
        changed[:, unit.index, unit.row, unit.column] *= factor
    return changed
