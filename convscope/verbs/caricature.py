from __future__ import annotations

from typing import Unpack

from convscope.core.ranges import (
    PositiveInt,
    Seed,
)
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.results.details import ImagesDetails
from convscope.results.result import Result
from convscope.synthesis.objective import objective
from convscope.synthesis.optimize_batches import BATCH, BatchOptions, optimize_batches
from convscope.synthesis.overrides import ImageOverrides
from convscope.synthesis.settings import Settings
from convscope.verbs._synthesis import images_result, late_layer, seen_by
from convscope.verbs._verb import PhotoLike, bytes_of, verb


@verb
def caricature(
    model: Model,
    photo: PhotoLike,
    *,
    layer: str | None = None,
    preset: str = "caricature",
    power: float = 1.0,
    seed: Seed = 0,
    half: bool = False,
    batch: PositiveInt = BATCH,
    **overrides: Unpack[ImageOverrides],
) -> Result:
    """A photo as a layer sees it, exaggerated: dot product times cosine with its own features
    (Lucid, 2018).

    `result["image"]` is n 3 h w in [0, 1] at the network's size, `result["score"]` n steps.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        layer: the layer; by default one in the second half of the network; concept:NAME or
            concept:NAME/3 exaggerates only what is along saved concepts.
        preset: caricature.
        power: of the cosine: higher keeps closer to the photo.
        seed: of the one random generator.
        half: compute in bfloat16.
        batch: images optimized at once.

    Raises:
        LayerError: no such layer.

    Example:
        convscope.caricature(model, "cat.jpg", layer="blocks.4")
        $ convscope caricature cat.jpg --layer blocks.4 --out caricature.png
    """
    settings = Settings(preset, "caricature", model.preprocessing, size=model.size, **overrides)
    with Probe(model) as probe:
        name = layer or late_layer(probe)
        optimization = optimize_batches(
            probe,
            [objective("caricature", layer=name, power=power)] * len(photo),
            settings,
            BatchOptions(seed, batch, half, task=f"caricature {name}"),
            reference=probe.activations(model.preprocess(seen_by(probe, photo)), [name]),
        )
    details = ImagesDetails(titles=[name] * len(photo), layer=name, preset=settings.title)
    return images_result("caricature", optimization, details, bytes_of(photo))
