from __future__ import annotations

from typing import Literal

from convscope.core.ranges import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    Rate,
    Seed,
    Steps,
)
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.results.details import ImagesDetails
from convscope.results.result import Result
from convscope.synthesis.objective import objective
from convscope.synthesis.optimize_batches import BATCH, BatchOptions, optimize_batches
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
    steps: Steps | None = None,
    seed: Seed = 0,
    optimizer: Literal["ascent", "adam", "nadam", "padam"] | None = None,
    rate: Rate | None = None,
    normalize: Literal["none", "rms", "l2", "mean_abs"] | None = None,
    parameterization: str | None = None,
    noise: NonNegativeFloat | None = None,
    transforms: str | None = None,
    jitter: NonNegativeInt | None = None,
    regularizers: str | None = None,
    l2: NonNegativeFloat | None = None,
    blur: NonNegativeFloat | None = None,
    blur_every: PositiveInt | None = None,
    redirect: NonNegativeInt | None = None,
    patience: PositiveInt | None = None,
    snapshots: list[PositiveInt] | None = None,
    show_every: PositiveInt | None = None,
    half: bool = False,
    batch: PositiveInt = BATCH,
) -> Result:
    """A photo as a layer sees it, exaggerated: dot product times cosine with its own features
    (Lucid, 2018).

    `result["image"]` is n 3 h w in [0, 1] at the network's size, `result["score"]` n steps.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        layer: the layer; by default one in the second half of the network.
        preset: caricature.
        power: of the cosine: higher keeps closer to the photo.
        steps: how many steps; the preset's number by default.
        seed: of the one random generator.
        optimizer: ascent, adam, nadam or padam (Adam that evens out the entries only in part).
        rate: step size; by default the preset's, scaled to the range of the network's input.
        normalize: what each image's gradient is divided by: none, rms, l2 or mean_abs.
        parameterization: what the image is made of, instead of the preset's.
        noise: strength of the noise that it starts from.
        transforms: instead of the preset's, such as "pad(16) jitter(8) rotate(5)"; "none" for none.
        jitter: pixels by which the image is moved at random at each step; 0 for none.
        regularizers: instead of the preset's, such as "total_variation 0.5*l1".
        l2: weight of the sum of squares of the network's input (Simonyan et al., 2013).
        blur: sigma in pixels by which the image is blurred between steps; 0 for none.
        blur_every: at every so many steps.
        redirect: for how many steps closed ReLUs let the gradient through.
        patience: stop when no score has risen for so many steps.
        snapshots: steps at which the pictures are kept too, in `result["snapshot"]` (k n 3 h w).
        show_every: keep and show the pictures at every so many steps.
        half: compute in bfloat16.
        batch: images optimized at once.

    Raises:
        LayerError: no such layer.

    Example:
        convscope.caricature(model, "cat.jpg", layer="blocks.4")
        $ convscope caricature cat.jpg --layer blocks.4 --out caricature.png
    """
    settings = Settings(
        preset,
        "caricature",
        model.preprocessing,
        steps=steps,
        size=model.size,
        optimizer=optimizer,
        rate=rate,
        normalize=normalize,
        parameterization=parameterization,
        noise=noise,
        transforms=transforms,
        jitter=jitter,
        regularizers=regularizers,
        l2=l2,
        blur=blur,
        blur_every=blur_every,
        redirect=redirect,
        patience=patience,
        snapshots=snapshots,
        show_every=show_every,
    )
    with Probe(model) as probe:
        name = layer or late_layer(probe)
        optimization = optimize_batches(
            probe,
            [objective("caricature", layer=name, power=power)] * len(photo),
            settings,
            BatchOptions(seed, batch, half, task=f"caricature {name}"),
            reference=probe.activations(model.preprocess(seen_by(probe, photo)), [name]),
        )
    details = ImagesDetails(titles=[name] * len(photo), layer=name, preset=settings.name)
    return images_result("caricature", optimization, details, bytes_of(photo))
