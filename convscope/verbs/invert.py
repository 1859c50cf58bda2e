from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.results.arrays import to_numpy
from convscope.results.details import ImagesDetails
from convscope.results.result import Result
from convscope.synthesis.objective import Objective, objective
from convscope.synthesis.optimize_batches import BATCH, BatchOptions, optimize_batches
from convscope.synthesis.settings import Overrides, Settings
from convscope.verbs._synthesis import seen_by
from convscope.verbs._verb import PhotoLike, bytes_of, verb


@verb
def invert(
    model: Model,
    photo: PhotoLike,
    *,
    layer: str | Sequence[str] | None = None,
    preset: str = "inversion",
    steps: int | None = None,
    seed: int = 0,
    rate: float | None = None,
    parameterization: str | None = None,
    regularizers: str | None = None,
    half: bool = False,
    batch: int = BATCH,
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
        steps: how many steps; the preset's number by default.
        seed: of the one random generator.
        rate: step size.
        parameterization: what the image is made of, instead of the preset's.
        regularizers: instead of the preset's, such as "0.1*total_variation".
        half: compute in bfloat16.
        batch: images optimized at once.

    Raises:
        LayerError: no such layer.

    Example:
        convscope.invert(model, "cat.jpg", layer="blocks.3")
        $ convscope invert cat.jpg --layer blocks.1 --out inverted.png
    """
    overrides: Overrides = {
        "steps": steps,
        "size": model.size,
        "rate": rate,
        "parameterization": parameterization,
        "regularizers": regularizers,
    }
    stages = _stages(preset, overrides)
    with Probe(model) as probe:
        names = _layer_names(layer, probe)
        photos = seen_by(probe, photo)
        references = probe.activations(model.preprocess(photos), names)
        inversions = [
            _invert_layer(
                probe,
                references[name],
                stages,
                [objective("match", layer=name)] * len(photo),
                BatchOptions(seed, batch, half, task=f"invert {name}"),
            )
            for name in names
        ]
        errors = [
            _relative_error(probe, inversion.image, name, references[name])
            for name, inversion in zip(names, inversions, strict=True)
        ]
    return _result(names, inversions, errors, bytes_of(photo))


@dataclass(frozen=True)
class _Inversion:
    """The images of one layer (n c h w), and their score at each step (n steps)."""

    image: Tensor
    score: Tensor


def _stages(preset: str, overrides: Overrides) -> list[Settings]:
    """The preset's stages, or its first alone where the caller chose what a later one changes."""
    first = Settings(preset, "invert", **overrides)
    refinement = first.preset.refinement
    chosen = overrides["rate"] is not None or overrides["parameterization"] is not None
    if refinement is None or chosen or first.steps == 1:
        return [first]
    later = max(1, round(first.steps * refinement.share))
    second: Overrides = {
        "parameterization": refinement.parameterization,
        "rate": refinement.rate,
        "rate_decay": refinement.rate_decay,
        "redirect": refinement.redirect,
    }
    return [
        Settings(preset, "invert", **(overrides | {"steps": first.steps - later})),
        Settings(preset, "invert", **(overrides | second | {"steps": later})),
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


def _invert_layer(
    probe: Probe,
    reference: Tensor,
    stages: Sequence[Settings],
    objectives: Sequence[Objective],
    options: BatchOptions,
) -> _Inversion:
    """Images from noise with the same features at one layer, one stage after the other."""
    image, scores = None, []
    for settings in stages:
        optimization = optimize_batches(
            probe,
            objectives,
            settings,
            options,
            start=image,
            reference={objectives[0].layers[0]: reference},
        )
        image = optimization.image
        scores.append(optimization.score)
        if optimization.early_stop is not None:
            break
    assert image is not None
    return _Inversion(image, torch.cat(scores, dim=1))


def _relative_error(probe: Probe, image: Tensor, layer: str, reference: Tensor) -> Tensor:
    """||f(x) - f(photo)||^2 / ||f(photo)||^2 of finished images (n)."""
    maps = probe.activations(probe.model.preprocess(image), [layer])[layer].flatten(1)
    wanted = reference.flatten(1)
    return (maps - wanted).pow(2).sum(1) / wanted.pow(2).sum(1).clamp_min(1e-12)


def _result(
    names: Sequence[str],
    inversions: Sequence[_Inversion],
    errors: Sequence[Tensor],
    photos: list[Any],
) -> Result:
    steps = min(inversion.score.shape[1] for inversion in inversions)
    arrays = {
        "image": to_numpy(torch.cat([inversion.image for inversion in inversions])),
        "score": to_numpy(torch.cat([inversion.score[:, :steps] for inversion in inversions])),
        "error": to_numpy(torch.cat(list(errors))),
    }
    table = [
        {"layer": name, "error": value}
        for name, error in zip(names, errors, strict=True)
        for value in error.tolist()
    ]
    titles = [f"{row['layer']}, error {row['error']:.3f}" for row in table]
    details = ImagesDetails(titles=titles, layers=list(names))
    return Result("invert", details, arrays, table, photos)
