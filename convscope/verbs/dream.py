from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from convscope.core.progress import track
from convscope.core.ranges import (
    Octaves,
    OctaveScale,
    PositiveInt,
    Seed,
    Side,
)
from convscope.errors import OptionError
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.results.arrays import Pixels, to_numpy
from convscope.results.details import ImagesDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.synthesis.objective import Objective, objective
from convscope.synthesis.optimize import optimize
from convscope.synthesis.overrides import TransformOverrides
from convscope.synthesis.parse import parse
from convscope.synthesis.presets import SMALL_NETWORK
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.result import OptimizationResult
from convscope.synthesis.settings import Settings
from convscope.verbs._synthesis import add_snapshots, late_layer, notes_of, title_of
from convscope.verbs._verb import PhotoLike, bytes_of, verb

TILE = 512
"""Largest side that the network sees at once; a larger one needs more memory and finds larger
forms."""

UNCHANGED = 0.5
"""Mean change in levels of 255 below which nobody sees a difference."""

SMALLEST_TILE = 32
"""Below it hardly anything of a tile is left beside the margins it shares with its neighbors."""


@verb
def dream(
    model: Model,
    photo: PhotoLike,
    *,
    layer: str | None = None,
    preset: str = "deepdream",
    octaves: Octaves | None = None,
    octave_scale: OctaveScale | None = None,
    size: Side | tuple[Side, Side] | None = None,
    tile: PositiveInt = TILE,
    seed: Seed = 0,
    half: bool = False,
    **overrides: Unpack[TransformOverrides],
) -> Result:
    """Whatever a layer sees in a photo, more of it (DeepDream, Mordvintsev et al., 2015).

    The photo is dreamt at its own size, small octaves first, with the detail found there carried
    over to the next. A photo larger than `tile` is worked on in pieces cut at random places, so
    that memory stays bounded and no seam stays. `result["image"]` is 1 3 h w in [0, 1] at the
    photo's size, `result["score"]` n steps over all octaves.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor.
        layer: a layer's name, a unit or a sum of units; by default a layer in the second half of
            the network.
        preset: deepdream, or cs231n.
        octaves: how many sizes, the last being the photo's own.
        octave_scale: from one size to the next.
        steps: in each octave.
        size: the picture's shorter side, or its height and width; by default the photo's own; the
            preset cs231n takes the network's where that is of up to 96 px.
        tile: largest side in pixels that the network sees at once.
        seed: of the one random generator.
        half: compute in bfloat16.

    Raises:
        LayerError: no such layer.
        ImageError: the photo is too small for the layer.

    Example:
        convscope.dream(model, "sky.jpg", layer="blocks.4", octaves=4)
        $ convscope dream sky.jpg --layer blocks.4 --out dream.png
    """
    if len(photo) != 1:
        raise OptionError(f"dream works on one photo at a time; {len(photo)} were given.")
    chosen = Settings(preset, "dream", model.preprocessing, tile=tile, **overrides)
    preset, defaults = chosen.name, chosen.preset
    if tile < SMALLEST_TILE:
        raise OptionError(f"tile must be {SMALLEST_TILE} or more; {tile} was given.")
    with Probe(model) as probe:
        original = _photo(probe, photo[0], size, defaults.network_size)
        parsed = parse(layer or late_layer(probe), probe)
        goal, title = _objective(parsed, defaults.objective), title_of(parsed, probe)
    count = defaults.octaves if octaves is None else octaves
    _require_sizes(count, octave_scale)
    sizes = _octave_sizes(
        (original.shape[-2], original.shape[-1]),
        count,
        defaults.octave_scale if octave_scale is None else octave_scale,
    )
    streams = RandomStreams.of(seed, [goal.seed_key], model.device)
    detail = torch.zeros_like(original[..., :1, :1])
    results: list[OptimizationResult] = []
    with Probe(inference_copy(model, goal.layers, half=half)) as probe:
        for octave in track(sizes, "octaves", len(sizes)):
            task = f"dream, octave {len(results) + 1} of {len(sizes)}"
            settings = Settings(
                preset, "dream", model.preprocessing, size=octave, tile=tile, **overrides
            )
            base = _resized(original, octave)
            try:
                result = _octave(probe, goal, settings, streams, base, detail, task)
            except KeyboardInterrupt:  # before the first step of this octave
                if not results:
                    raise
                break
            detail = result.image - base
            results.append(result)
            if result.early_stop is not None:
                break
    image = results[-1].image
    if image.shape != original.shape:  # interrupted before the photo's own size was reached
        image = original + interpolate(detail, original.shape[-2:], mode="bicubic")
    return _result(
        _Dream(title, original, image.clamp(0, 1), results), sizes, bytes_of(photo), chosen.title
    )


@dataclass(frozen=True)
class _Dream:
    """What was dreamt of (a title), the photo before and after (1 c h w), and each octave."""

    title: str
    original: Tensor
    image: Tensor
    octaves: list[OptimizationResult]


def _result(
    dream: _Dream, sizes: list[tuple[int, int]], photos: list[Pixels], preset: str
) -> Result:
    scores = torch.cat([octave.score for octave in dream.octaves], dim=1)
    arrays = {"image": to_numpy(dream.image), "score": to_numpy(scores)}
    snapshots = add_snapshots(arrays, _snapshots(dream))
    change = float((dream.image - dream.original).abs().mean()) * 255
    last = dream.octaves[-1].score[0]
    row: Row = {
        "dreamt_of": dream.title,
        "change": change,
        "first_score": float(last[0]),
        "last_score": float(last[-1]),
        "note": _note(change, last.tolist()),
    }
    details = ImagesDetails(
        titles=[dream.title],
        ended=dream.octaves[-1].early_stop,
        octaves=list(sizes),
        snapshots=snapshots,
        preset=preset,
        notes=notes_of([row]),
    )
    return Result("dream", details, arrays, [row], photos)


def _snapshots(dream: _Dream) -> dict[int, Tensor]:
    """The images on the way by step, counted over all octaves, at the photo's size."""
    snapshots, done = {}, 0
    for octave in dream.octaves:
        for step, image in sorted(octave.snapshots.items()):
            size = (dream.original.shape[-2], dream.original.shape[-1])
            snapshots[done + step] = _resized(image, size).clamp(0, 1)
        done += octave.steps
    return snapshots


def _note(change: float, scores: Sequence[float]) -> str:
    """What went wrong with a dream, in one sentence; nothing where all went well. A score is that
    before its step, so that one alone says nothing of whether it rose."""
    if change < UNCHANGED:
        return (
            f"The photo did not change to speak of ({change:.2g} of 255 levels on average); a"
            " larger rate may help."
        )
    first, last = scores[0], scores[-1]
    if len(scores) > 1 and not last > first:
        return (
            f"The score did not rise at the last size ({first:.3g} to {last:.3g}): the steps are"
            " too large; a smaller rate may help."
        )
    return ""


def _photo(
    probe: Probe, photo: Tensor, size: int | tuple[int, int] | None, at_network_size: bool
) -> Tensor:
    """The photo that is dreamt on (1 c h w)."""
    model = probe.model
    if size is None and at_network_size and max(model.size) <= SMALL_NETWORK:
        return model.fit(photo)
    original = model.match_channels(photo).to(model.device)
    if size is None:
        return original
    if isinstance(size, int):
        factor = size / min(original.shape[-2:])
        size = (round(original.shape[-2] * factor), round(original.shape[-1] * factor))
    return _resized(original, size)


def _objective(parsed: Objective, whole_layer: str | None) -> Objective:
    """What is raised: a unit, a sum, or a whole layer by the preset's own formula."""
    term = parsed.terms[0]
    if whole_layer is None or len(parsed.terms) > 1 or term.kind != "layer":
        return parsed
    return objective(whole_layer, layer=term.layer) * term.weight


def _octave_sizes(size: tuple[int, int], count: int, scale: float) -> list[tuple[int, int]]:
    """Heights and widths from the smallest octave to the photo's own."""
    if count < 1 or scale <= 1:
        raise OptionError(
            f"octaves must be 1 or more and octave_scale above 1; {count} and {scale} were given."
        )
    height, width = size
    return [
        (max(1, round(height / scale**octave)), max(1, round(width / scale**octave)))
        for octave in reversed(range(count))
    ]


def _octave(
    probe: Probe,
    goal: Objective,
    settings: Settings,
    streams: RandomStreams,
    base: Tensor,
    detail: Tensor,
    task: str,
) -> OptimizationResult:
    """Dream at one size: the photo there, with the detail of the smaller octaves put back in."""
    start = (base + interpolate(detail, settings.size, mode="bicubic")).clamp(0, 1)
    parameterization = settings.parameterization(probe, 1, streams, start)
    return optimize(
        probe, [goal], parameterization, streams, settings.config, task=task
    ).require_gradient()


def _resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """An image at another size."""
    if size == tuple(image.shape[-2:]):
        return image
    return interpolate(image, size, mode="bilinear", antialias=True)


def _require_sizes(count: int, scale: float | None) -> None:
    """Refuse a ratio of sizes where there is one size."""
    if scale is not None and count == 1:
        raise OptionError(
            f"octave_scale={scale} is the ratio of two sizes, and there is one; pass octaves=2 or"
            " more."
        )
