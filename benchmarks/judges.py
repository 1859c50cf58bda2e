"""Judges of feature visualizations that nothing was optimized against, used by every comparison.

A picture (1 3 h w in [0, 1]) of a unit is scored by the unit's mean activation over fresh copies
of the picture that three independent programs draw (ours, Lucent's, torchvision's), and as it is.
A picture of a class is also scored by the log-probability that two other networks give the class
(EfficientNet-Lite1 and Lite2). `readability` follows Zimmermann et al. (2024): does another
network tell, from pictures of what a unit wants and of its opposite, which of two photos excites
the unit? `appearance` describes the picture without any network: contrast, saturation, and the
slope of its spectrum.

All random numbers come from generators of the judges' own, the same for every contestant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

import convscope
from convscope.atlas.unit_cards.readability import evidence
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.settings import Settings
from convscope.synthesis.transforms import apply

COPIES = 16
SEED = 10_000

DEGREES = 5
SCALES = (0.95, 1.05)
SHIFT = 24 / 224
"""Distill's angles and scales. The shift is 16 and 8 pixels either way, twice as far as Distill's
two jitters, which move by half of their size, reach together."""

OTHER_NETWORKS = ("embedded:efficientnet_lite1", "embedded:efficientnet_lite2")

Judge = Callable[[Model, str, Tensor], float]


def activation_of(model: Model, unit: str, images: Tensor) -> Tensor:
    """The mean activation of `layer:index` on each image (n), at the images' own size."""
    layer, _, index = unit.rpartition(":")
    with Probe(model) as probe, torch.no_grad():
        maps = probe.activations(model.preprocess(images), [layer])[layer]
    return maps[:, int(index)].flatten(1).mean(1)


def our_copies(model: Model, unit: str, image: Tensor) -> float:
    """Mean over copies by Convscope's transforms of the preset `distill`."""
    transforms = Settings("distill", "visualize").config.transforms
    streams = RandomStreams(range(SEED, SEED + COPIES))
    copies = apply(image.expand(COPIES, -1, -1, -1), streams, transforms)
    return float(activation_of(model, unit, copies).mean())


def lucent_copies(model: Model, unit: str, image: Tensor, *, cut: bool = False) -> float:
    """Mean over copies by Lucent's own transforms, each at the size it comes out with.

    Lucent's `jitter` moves the picture and keeps the size, where Lucid's cuts it: a picture of 224
    pixels comes out with 243 to 269, a quarter of which is gray or black border. With `cut` the
    middle of the copy counts alone, as large as the picture was.
    """
    from lucent.optvis import transform

    steps = lucent_transforms(transform)
    if cut:
        steps.append(lambda copy: _middle(copy, image.shape[-2], image.shape[-1]))
    state = np.random.get_state()
    np.random.seed(SEED)
    try:
        scores = []
        for _ in range(COPIES):
            copy = image
            for step in steps:
                copy = step(copy)
            scores.append(float(activation_of(model, unit, copy)))
    finally:
        np.random.set_state(state)
    return float(np.mean(scores))


def _middle(image: Tensor, height: int, width: int) -> Tensor:
    """The middle `height` x `width` pixels, or all there are."""
    top = max(0, (image.shape[-2] - height) // 2)
    left = max(0, (image.shape[-1] - width) // 2)
    return image[..., top : top + height, left : left + width]


def lucent_transforms(transform: Any) -> list[Callable[[Tensor], Tensor]]:
    """Distill's transforms as Lucent's module `transform` has them."""
    return [
        transform.pad(16, mode="constant", constant_value=0.5),
        transform.jitter(16),
        transform.random_scale([1, 0.975, 1.025, 0.95, 1.05]),
        transform.random_rotate(list(range(-5, 6))),
        transform.jitter(8),
    ]


def torchvision_affine(model: Model, unit: str, image: Tensor) -> float:
    """Mean over copies by torchvision's RandomAffine, gray beyond the picture."""
    from torchvision.transforms import InterpolationMode, v2

    move = v2.RandomAffine(
        degrees=DEGREES,
        translate=(SHIFT, SHIFT),
        scale=SCALES,
        interpolation=InterpolationMode.BILINEAR,
        fill=0.5,
    )
    return _mean_over(move, model, unit, image)


def torchvision_crop(model: Model, unit: str, image: Tensor) -> float:
    """Mean over copies by torchvision's RandomResizedCrop of 80 to 100 % of the area."""
    from torchvision.transforms import v2

    cut = v2.RandomResizedCrop(image.shape[-2:], scale=(0.8, 1.0), ratio=(0.95, 1.05))
    return _mean_over(cut, model, unit, image)


def _mean_over(
    transform: Callable[[Tensor], Tensor], model: Model, unit: str, image: Tensor
) -> float:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        copies = torch.cat([transform(image) for _ in range(COPIES)]).clamp(0, 1)
    return float(activation_of(model, unit, copies).mean())


def as_it_is(model: Model, unit: str, image: Tensor) -> float:
    """The picture itself, at the network's size."""
    return float(activation_of(model, unit, resized(image, model.size)))


JUDGES: dict[str, Judge] = {
    "our copies": our_copies,
    "Lucent's copies": lucent_copies,
    "Lucent's copies, cut": partial(lucent_copies, cut=True),
    "torchvision affine": torchvision_affine,
    "torchvision crop": torchvision_crop,
    "as it is": as_it_is,
}
"""Every judge gives the unit's mean activation; more is better."""


@cache
def other_network(spec: str) -> Model:
    """A network that no picture was optimized for."""
    return convscope.load_model(spec)


def transfer(index: int, image: Tensor) -> dict[str, float]:
    """The log-probability that each other network gives a class for the picture."""
    return {
        spec.rpartition("_")[2]: _log_probability(other_network(spec), index, image)
        for spec in OTHER_NETWORKS
    }


def _log_probability(model: Model, index: int, image: Tensor) -> float:
    with Probe(model) as probe, torch.no_grad():
        scores = probe.scores(model.preprocess(resized(image, model.size)))
    return float(scores.log_softmax(1)[0, index])


def resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """The picture at another size, with anti-aliasing where it gets smaller."""
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    return torch.nn.functional.interpolate(
        image, size, mode="bicubic", antialias=True, align_corners=False
    ).clamp(0, 1)


def embedding(model: Model, images: Tensor, layer: str | None = None) -> Tensor:
    """Unit-length features (n c) of a network's last layer with places, averaged over them."""
    with Probe(model) as probe, torch.no_grad():
        name = layer or probe.layers.last_spatial()
        assert name is not None
        maps = probe.activations(model.preprocess(resized(images, model.size)), [name])[name]
    return torch.nn.functional.normalize(maps.flatten(2).mean(2), dim=1)


def readability(
    high: Tensor, low: Tensor, strong: Tensor, weak: Tensor, judge: Model | None = None
) -> float:
    """The share of pairs of photos that pictures of a unit sort rightly (Zimmermann et al., 2024).

    `high` and `low` (n 3 h w) are what excites the unit and what does the opposite, `strong` and
    `weak` (m 3 h w) photos that excite it much and little. A pair is sorted rightly where the
    strong photo is nearer to `high` than the weak one, compared with their nearness to `low`:
    nearness is the mean cosine of another network's features. Chance is 0.5.
    """
    judge = judge or other_network(OTHER_NETWORKS[-1])
    attracting, repelling = embedding(judge, high), embedding(judge, low)
    for_strong, for_weak = (
        evidence(embedding(judge, photos), attracting, repelling) for photos in (strong, weak)
    )
    margin = for_strong[:, None] - for_weak[None]
    return float((margin > 0).float().mean())


def appearance(image: Tensor) -> dict[str, float]:
    """What a picture looks like: `contrast` is the standard deviation of its brightness,
    `saturated` the share of values within 1 % of black or white, and `slope` that of its power
    spectrum over frequency, both in logarithms (photos have about -2)."""
    gray = image.mean(1)[0]
    saturated = ((image < 0.01) | (image > 0.99)).float().mean()
    return {
        "contrast": float(gray.std()),
        "saturated": float(saturated),
        "slope": spectrum_slope(gray),
    }


def spectrum_slope(gray: Tensor) -> float:
    """The slope of log power over log frequency of one channel (h w), by least squares over the
    rings from 2 cycles a picture to half the highest frequency."""
    height, width = gray.shape
    window = torch.hann_window(height)[:, None] * torch.hann_window(width)[None]
    power = torch.fft.fft2((gray - gray.mean()) * window).abs().pow(2)
    rows = torch.fft.fftfreq(height, 1 / height)[:, None]
    columns = torch.fft.fftfreq(width, 1 / width)[None]
    radius = (rows.pow(2) + columns.pow(2)).sqrt().round().long()
    rings = torch.arange(2, min(height, width) // 4)
    total = torch.zeros(int(radius.max()) + 1).index_add_(0, radius.flatten(), power.flatten())
    count = torch.bincount(radius.flatten(), minlength=len(total))
    mean_power = (total[rings] / count[rings]).clamp_min(1e-20).log()
    frequency = rings.float().log()
    frequency = frequency - frequency.mean()
    return float((frequency * (mean_power - mean_power.mean())).sum() / frequency.pow(2).sum())


def photo_crops(photos: Sequence[Tensor], side: int, count: int) -> Tensor:
    """Random square crops (count 3 side side) of photos (each 1 3 h w), always the same ones."""
    generator = torch.Generator().manual_seed(SEED)
    crops = []
    for place in range(count):
        photo = photos[place % len(photos)]
        height, width = photo.shape[-2:]
        edge = int(min(height, width) * (0.3 + 0.6 * torch.rand(1, generator=generator)))
        top = int(torch.randint(height - edge + 1, (1,), generator=generator))
        left = int(torch.randint(width - edge + 1, (1,), generator=generator))
        crops.append(resized(photo[:, :, top : top + edge, left : left + edge], (side, side)))
    return torch.cat(crops)
