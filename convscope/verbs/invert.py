from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.results.result import Result
from convscope.synthesis.batches import BATCH, optimize_batches
from convscope.synthesis.objective import objective
from convscope.synthesis.settings import Settings, numpy
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
    changes = {
        "size": model.size,
        "rate": rate,
        "parameterization": parameterization,
        "regularizers": regularizers,
    }
    settings = Settings(preset, "invert", steps=steps, **changes)
    parts = [settings]
    if (
        "polish" in settings.data
        and rate is None
        and parameterization is None
        and settings.steps > 1
    ):
        second = dict(settings.data["polish"])
        later = max(1, round(settings.steps * second.pop("share")))
        parts = [
            Settings(preset, "invert", steps=count, **{**changes, **own})
            for count, own in ((settings.steps - later, {}), (later, second))
        ]
    seen = torch.cat([model.fit(one) for one in photo])
    images, scores, errors, titles = [], [], [], []
    with Probe(model) as probe:
        wanted = [layer] if isinstance(layer, str) else list(layer or probe.layers.spread(4))
        names = [
            name
            for text in wanted
            for part in text.split(",")
            for name in probe.layers.match(part.strip())
        ]
        references = probe.activations(model.preprocess(seen), names)
        for name in names:
            image, score = None, []
            for part in parts:
                found = optimize_batches(
                    model,
                    [objective("match", layer=name)] * len(photo),
                    part,
                    seed=seed,
                    batch=batch,
                    half=half,
                    start=image,
                    reference={name: references[name]},
                    what=f"invert {name}",
                )
                image = found.image
                score.append(found.score)
                if found.ended:
                    break
            maps, reference = (
                probe.activations(model.preprocess(found.image), [name])[name].flatten(1),
                references[name].flatten(1),
            )
            error = (maps - reference).pow(2).sum(1) / reference.pow(2).sum(1).clamp_min(1e-12)
            images.append(numpy(found.image))
            scores.append(numpy(torch.cat(score, dim=1)))
            errors.append(numpy(error))
            titles += [f"{name}, error {value:.3f}" for value in error.tolist()]
    short = min(score.shape[1] for score in scores)
    arrays = {
        "image": np.concatenate(images),
        "score": np.concatenate([score[:, :short] for score in scores]),
        "error": np.concatenate(errors),
    }
    table = [
        {"layer": title.rpartition(",")[0], "error": float(value)}
        for title, value in zip(titles, arrays["error"], strict=True)
    ]
    return Result(
        "invert", "images", arrays, table, bytes_of(photo), {"titles": titles, "layers": names}
    )
