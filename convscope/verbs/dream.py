from __future__ import annotations

import torch
from torch.nn.functional import interpolate

from convscope.errors import OptionError
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.results.result import Result
from convscope.synthesis.objective import parse
from convscope.synthesis.optimize import optimize
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.settings import Settings, numpy
from convscope.verbs._verb import PhotoLike, bytes_of, verb

TILE = 512
"""Largest side that the network sees at once; a larger one needs more memory and finds larger
forms."""


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
    original = model.channelled(photo[0]).to(model.device)
    settings = Settings(preset, "dream", steps=steps, size=tuple(original.shape[-2:]), rate=rate)
    count = octaves if octaves is not None else int(settings.data.get("octaves", 1))
    factor = (
        octave_scale if octave_scale is not None else float(settings.data.get("octave_scale", 1.4))
    )
    if count < 1 or factor <= 1 or tile < 32:
        raise OptionError(
            f"octaves must be 1 or more, octave_scale above 1 and tile 32 or more; {count},"
            f" {factor} and {tile} were given."
        )
    with Probe(model) as probe:
        given = layer or probe.layers.spread(4)[-2:][0]
        wanted = parse(given, model, probe.layers)
    streams = RandomStreams.of(seed, [str(wanted)], model.device)
    height, width = original.shape[-2:]
    sizes = [
        (max(1, round(height / factor**back)), max(1, round(width / factor**back)))
        for back in reversed(range(count))
    ]
    detail = torch.zeros_like(original[..., :1, :1])
    scores, ended = [], None
    with Probe(inference_copy(model, wanted.layers, half=half)) as probe:
        for octave, size in enumerate(sizes, start=1):
            base = (
                interpolate(original, size, mode="bilinear", antialias=True)
                if size != (height, width)
                else original
            )
            begun = (base + interpolate(detail, size, mode="bicubic")).clamp(0, 1)
            parameterization = Settings(preset, "dream", size=size).parameterization(
                model, 1, streams, begun
            )
            made = optimize(
                probe,
                [wanted],
                parameterization,
                streams,
                settings.config(tile=tile),
                what=f"dream, octave {octave} of {count}",
            ).living()
            detail, ended = made.image - base, made.ended
            scores.append(made.score)
            if ended:
                break
    image = (
        original + interpolate(detail, (height, width), mode="bicubic")
        if detail.shape != original.shape
        else made.image
    ).clamp(0, 1)
    details = {"titles": [wanted.title], "ended": ended, "octaves": [list(size) for size in sizes]}
    return Result(
        "dream",
        "images",
        {"image": numpy(image), "score": numpy(torch.cat(scores, dim=1))},
        [],
        bytes_of(photo),
        details,
    )
