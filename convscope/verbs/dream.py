from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from convscope.errors import OptionError
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.results.arrays import to_numpy
from convscope.results.details import ImagesDetails
from convscope.results.result import Result
from convscope.synthesis.objective import Objective
from convscope.synthesis.optimize import optimize
from convscope.synthesis.parse import parse
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.result import OptimizationResult
from convscope.synthesis.settings import Overrides, Settings
from convscope.verbs._synthesis import late_layer
from convscope.verbs._verb import PhotoLike, bytes_of, verb

TILE = 512
"""Largest side that the network sees at once; a larger one needs more memory and finds larger
forms."""

SMALLEST_TILE = 32
"""Below it hardly anything of a tile is left beside the margins it shares with its neighbors."""


@verb
def dream(
    model: Model,
    photo: PhotoLike,
    *,
    layer: str | None = None,
    preset: str = "deepdream",
    octaves: int | None = None,
    octave_scale: float | None = None,
    steps: int | None = None,
    rate: float | None = None,
    tile: int = TILE,
    seed: int = 0,
    half: bool = False,
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
        rate: step size, in units of 1 for the whole range of a pixel.
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
    original = model.match_channels(photo[0]).to(model.device)
    overrides: Overrides = {"steps": steps, "rate": rate, "tile": tile}
    defaults = Settings(preset, "dream", **overrides).preset
    sizes = _octave_sizes(
        (original.shape[-2], original.shape[-1]),
        defaults.octaves if octaves is None else octaves,
        defaults.octave_scale if octave_scale is None else octave_scale,
    )
    if tile < SMALLEST_TILE:
        raise OptionError(f"tile must be {SMALLEST_TILE} or more; {tile} was given.")
    with Probe(model) as probe:
        objective = parse(layer or late_layer(probe), probe)
    streams = RandomStreams.of(seed, [objective.seed_key], model.device)
    detail = torch.zeros_like(original[..., :1, :1])
    results: list[OptimizationResult] = []
    with Probe(inference_copy(model, objective.layers, half=half)) as probe:
        for size in sizes:
            task = f"dream, octave {len(results) + 1} of {len(sizes)}"
            settings = Settings(preset, "dream", **(overrides | {"size": size}))
            base = _resized(original, size)
            result = _octave(probe, objective, settings, streams, base, detail, task)
            detail = result.image - base
            results.append(result)
            if result.early_stop is not None:
                break
    image = results[-1].image
    if image.shape != original.shape:  # interrupted before the photo's own size was reached
        image = original + interpolate(detail, original.shape[-2:], mode="bicubic")
    arrays = {
        "image": to_numpy(image.clamp(0, 1)),
        "score": to_numpy(torch.cat([result.score for result in results], dim=1)),
    }
    details = ImagesDetails(
        titles=[objective.title], ended=results[-1].early_stop, octaves=list(sizes)
    )
    return Result("dream", details, arrays, photos=bytes_of(photo))


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
    objective: Objective,
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
        probe, [objective], parameterization, streams, settings.config, task=task
    ).require_gradient()


def _resized(original: Tensor, size: tuple[int, int]) -> Tensor:
    """The photo at the size of an octave."""
    if size == tuple(original.shape[-2:]):
        return original
    return interpolate(original, size, mode="bilinear", antialias=True)
