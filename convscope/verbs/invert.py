from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

import torch
from torch import Tensor

from convscope.core.progress import track
from convscope.core.ranges import (
    PositiveInt,
    Seed,
)
from convscope.networks.layer import Layer
from convscope.networks.model import Model
from convscope.networks.preprocessing import Preprocessing
from convscope.probe import Probe
from convscope.results.arrays import Pixels, to_numpy
from convscope.results.details import ImagesDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.synthesis.objective import Objective, objective
from convscope.synthesis.optimize_batches import BATCH, BatchOptions, optimize_batches
from convscope.synthesis.overrides import ImageOverrides
from convscope.synthesis.result import StopReason
from convscope.synthesis.settings import Settings
from convscope.verbs._synthesis import add_snapshots, notes_of, seen_by
from convscope.verbs._verb import PhotoLike, bytes_of, verb

NOTHING_FOUND = 0.95
"""Share of the first error that counts as no change."""


@verb
def invert(
    model: Model,
    photo: PhotoLike,
    *,
    layer: str | Sequence[str] | None = None,
    preset: str = "inversion",
    seed: Seed = 0,
    half: bool = False,
    batch: PositiveInt = BATCH,
    **overrides: Unpack[ImageOverrides],
) -> Result:
    """What a layer still knows of a photo: an image from noise with the same features (Mahendran &
    Vedaldi, 2015).

    Shallow layers give the photo back, deep ones its gist. `result["image"]` is n 3 h w in [0, 1]
    at the network's size, by layer and then by photo; `result["error"]` (n) is ||f(x) -
    f(photo)||^2 / ||f(photo)||^2 of the finished images, and `result["score"]` (n steps) its
    negative on the way.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        layer: one or several names; by default four from early to late.
        preset: inversion, or cs231n for networks of 64 px.
        seed: of the one random generator.
        half: compute in bfloat16.
        batch: images optimized at once.

    Raises:
        LayerError: no such layer.

    Example:
        convscope.invert(model, "cat.jpg", layer="blocks.3")
        $ convscope invert cat.jpg --layer blocks.1 --out inverted.png
    """
    stages = _stages(preset, model.preprocessing, overrides)
    name = stages[0].preset.objective or "match"
    with Probe(model) as probe:
        names = _layer_names(layer, probe)
        photos = seen_by(probe, photo)
        references = probe.activations(model.preprocess(photos), names)
        inversions: list[_Inversion] = []
        for layer_name in track(names, "layers", len(names)):
            options = BatchOptions(seed, batch, half, task=f"invert {layer_name}")
            objectives = [objective(name, layer=layer_name)] * len(photo)
            stride = _stride(model, probe.layers[layer_name])
            try:
                inversion = _invert_layer(
                    probe,
                    references[layer_name],
                    [stage.at_stride(stride) for stage in stages],
                    objectives,
                    options,
                )
            except KeyboardInterrupt:  # before the first step of this layer
                if not inversions:
                    raise
                break
            inversions.append(inversion)
            if inversion.stop_reason is StopReason.INTERRUPTED:
                break
    return _result(inversions, bytes_of(photo), stages[0].title)


@dataclass(frozen=True)
class _Inversion:
    """The images of one layer (n c h w), their score at each step (n steps), the images on the way,
    and the relative error of the first and the last ones (n)."""

    layer: str
    image: Tensor
    score: Tensor
    snapshots: dict[int, Tensor]
    first_error: Tensor
    error: Tensor
    stop_reason: StopReason
    early_stop: str | None


def _stages(preset: str, preprocessing: Preprocessing, overrides: ImageOverrides) -> list[Settings]:
    """The preset's stages, or its first alone where the caller chose what a later one changes."""
    size = preprocessing.size
    first = Settings(preset, "invert", preprocessing, size=size, **overrides)
    refinement = first.preset.refinement
    replaced = ("rate", "parameterization", "optimizer", "normalize")
    if (
        refinement is None
        or any(overrides.get(name) is not None for name in replaced)
        or first.steps == 1
    ):
        return [first]
    later = max(1, round(first.steps * refinement.share))
    border = first.steps - later
    changes: ImageOverrides = {
        "parameterization": refinement.parameterization,
        "rate": refinement.rate,
        "redirect": refinement.redirect,
    }
    shares: list[ImageOverrides] = []
    for begin, steps in ((0, border), (border, later)):
        kept = [step - begin for step in first.config.snapshots if begin < step <= begin + steps]
        shares.append({"steps": steps, "snapshots": kept, "show_every": None})
    early, late = overrides | shares[0], overrides | changes | shares[1]
    decay = refinement.rate_decay
    return [
        Settings(preset, "invert", preprocessing, size=size, **early),
        Settings(preset, "invert", preprocessing, size=size, rate_decay=decay, **late),
    ]


def _layer_names(layer: str | Sequence[str] | None, probe: Probe) -> list[str]:
    """The layers asked for: names, patterns, or text with commas."""
    texts = [layer] if isinstance(layer, str) else list(layer or probe.layers.spread(4))
    return [
        name
        for text in texts
        for part in text.split(",")
        for name in probe.layers.match(part.strip())
    ]


def _stride(model: Model, layer: Layer) -> float:
    """Pixels from place to place of a layer; of one without places, the whole input."""
    return math.sqrt(math.prod(model.size) / math.prod(layer.shape[1:]))


def _invert_layer(
    probe: Probe,
    reference: Tensor,
    stages: Sequence[Settings],
    objectives: Sequence[Objective],
    options: BatchOptions,
) -> _Inversion:
    """Images from noise with the same features at one layer, one stage after the other."""
    layer = objectives[0].layers[0]
    image: Tensor | None = None
    scores: list[Tensor] = []
    snapshots: dict[int, Tensor] = {}
    done = 0
    for settings in stages:
        try:
            result = optimize_batches(
                probe, objectives, settings, options, start=image, reference={layer: reference}
            )
        except KeyboardInterrupt:  # before the first step of this stage
            if image is None:
                raise
            result.stop_reason = StopReason.INTERRUPTED
            break
        image = result.image
        scores.append(result.score)
        snapshots |= {done + step: images for step, images in result.snapshots.items()}
        done += result.steps
        if result.early_stop is not None:
            break
    assert image is not None
    score = torch.cat(scores, dim=1)
    size = reference.flatten(1).pow(2).sum(1).clamp_min(1e-12)
    first_error = -score[:, 0] if objectives[0].terms[0].kind == "match" else -score[:, 0] / size
    error = _relative_error(probe, image, layer, reference)
    return _Inversion(
        layer, image, score, snapshots, first_error, error, result.stop_reason, result.early_stop
    )


def _relative_error(probe: Probe, image: Tensor, layer: str, reference: Tensor) -> Tensor:
    """||f(x) - f(photo)||^2 / ||f(photo)||^2 of finished images (n)."""
    maps = probe.activations(probe.model.preprocess(image), [layer])[layer].flatten(1)
    wanted = reference.flatten(1)[: len(maps)]
    return (maps - wanted).pow(2).sum(1) / wanted.pow(2).sum(1).clamp_min(1e-12)


def _result(inversions: Sequence[_Inversion], photos: list[Pixels], preset: str) -> Result:
    steps = min(inversion.score.shape[1] for inversion in inversions)
    arrays = {
        "image": to_numpy(torch.cat([inversion.image for inversion in inversions])),
        "score": to_numpy(torch.cat([inversion.score[:, :steps] for inversion in inversions])),
        "error": to_numpy(torch.cat([inversion.error for inversion in inversions])),
    }
    common = set.intersection(*(set(inversion.snapshots) for inversion in inversions))
    snapshots = add_snapshots(
        arrays,
        {
            step: torch.cat([inversion.snapshots[step] for inversion in inversions])
            for step in common
        },
    )
    table: list[Row] = [
        {
            "layer": inversion.layer,
            "error": error,
            "first_error": first,
            "note": _note(inversion.layer, first, error),
        }
        for inversion in inversions
        for first, error in zip(
            inversion.first_error.tolist(), inversion.error.tolist(), strict=False
        )
    ]
    details = ImagesDetails(
        titles=[f"{row['layer']}, error {row['error']:.3f}" for row in table],
        layers=[inversion.layer for inversion in inversions],
        ended=next(
            (inversion.early_stop for inversion in inversions if inversion.early_stop), None
        ),
        snapshots=snapshots,
        preset=preset,
        notes=notes_of(table),
    )
    return Result("invert", details, arrays, table, photos)


def _note(layer: str, first: float, last: float) -> str:
    """What went wrong with an inversion, in one sentence; nothing where all went well."""
    if last > first:
        return (
            f"At {layer} the error rose from {first:.3g} to {last:.3g}: the steps are too large;"
            " a smaller rate may help."
        )
    if last > NOTHING_FOUND * first:
        return (
            f"At {layer} the error hardly changed ({first:.3g} to {last:.3g}); a larger rate or"
            " more steps may help."
        )
    return ""
