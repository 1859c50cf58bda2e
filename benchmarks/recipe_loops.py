"""The classic recipes as literal loops of a few lines, written from their formulas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor
from torch.nn.functional import interpolate

import convscope
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.synthesis.random import RandomStreams

PHOTO, SEED = "sample:chelsea", 3
IMAGENET_SPAN, BYTE_SPAN = 4.425, 255.0
EDGE = 1e-4
"""How far from 0 and 1 the verbs keep pixels."""

CALIBRATION, SMALLEST_FACTOR = 10, 1e-12
"""Steps in which it shows whether a rate is too large, and where the search for one ends."""


@dataclass(frozen=True)
class Network:
    """A classic network, the layer that is looked at, and whether images of the network's own size
    alone get that far."""

    name: str
    model: Model
    layer: str
    is_fixed: bool = False

    @cached_property
    def unit(self) -> int:
        """The channel that the photo excites most; of random ones many are dead."""
        with Probe(self.model) as probe:
            maps = probe.activations(self.seen, [self.layer])[self.layer]
        return int(maps.mean((0, 2, 3)).argmax())

    @cached_property
    def target(self) -> int:
        """Class 0; where a ReLU behind the scores holds that at 0 (SqueezeNet with random weights),
        the class that noise excites most, other than the photo's."""
        generator = torch.Generator().manual_seed(SEED)
        noise = torch.randn(self.seen.shape, generator=generator) * self.span / IMAGENET_SPAN
        with Probe(self.model) as probe, torch.no_grad():
            scores = [
                self.model.scores(probe.activations_and_output(image, [])[1])[0]
                for image in (self.seen, noise)
            ]
        if all(float(row[0]) != 0 for row in scores):
            return 0
        scores[1][scores[0].argmax()] = -torch.inf
        return int(scores[1].argmax())

    @property
    def span(self) -> float:
        """How far apart black and white are in its units."""
        return self.model.preprocessing.input_span

    @property
    def seen(self) -> Tensor:
        """The photo as it enters the network."""
        return self.model.preprocess(self.model.fit(convscope.load_image(PHOTO)))


@dataclass(frozen=True)
class Trial:
    """How a recipe is run: `factor` times its published rate, from its start moved at random by
    `nudge` of the range between black and white."""

    network: Network
    steps: int
    factor: float = 1.0
    nudge: float = 0.0

    def start(self, image: Tensor) -> Tensor:
        """Where the loop begins, in the network's units."""
        if not self.nudge:
            return image
        noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
        return image + self.nudge * self.network.span * noise


@dataclass(frozen=True)
class Run:
    """The score before each step, and the final image (3 h w in [0, 1])."""

    scores: list[float]
    image: Tensor


def bounds(model: Model) -> tuple[Tensor, Tensor]:
    """What the darkest and the brightest image become in the network's units."""
    dark, bright = (
        model.preprocess(torch.full((1, model.channels, *model.size), value)).float()
        for value in (EDGE, 1 - EDGE)
    )
    return torch.minimum(dark, bright), torch.maximum(dark, bright)


def clipped(image: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Within what valid pixels become."""
    return torch.minimum(torch.maximum(image, low), high)


def blurred(image: Tensor, sigma: float) -> Tensor:
    """Blurred by SciPy."""
    array = image.numpy()
    for axis in (2, 3):
        array = gaussian_filter1d(array, sigma, axis=axis, mode="mirror")
    return torch.from_numpy(array)


def rolled(model: Model, image: Tensor, streams: RandomStreams, most: int) -> Tensor:
    """The picture moved at random, round the edges; a mean image stays in its place."""
    down, right = streams.integers(-most, most, 2)[0].tolist()
    return model.preprocess(model.deprocess(image).roll((down, right), (2, 3)))


def class_image(trial: Trial) -> Run:
    """x += rate * d(score - l2 * |x|^2)/dx on a rolled image; clamp; blur every k steps."""
    model = trial.network.model
    span, rate, l2, every, jitter = (
        (BYTE_SPAN, 10000.0, 1e-6, 1, 4)
        if max(model.size) <= 96
        else (IMAGENET_SPAN, 25.0, 1e-3, 10, 16)
    )
    ratio = trial.network.span / span
    streams = RandomStreams.of(SEED, [f"logit({trial.network.target}) 0"])
    low, high = bounds(model)
    image = trial.start(ratio * streams.normal(model.channels, *model.size))
    image = clipped(image, low, high)
    scores = []
    with Probe(model) as probe:
        for step in range(trial.steps):
            leaf = image.clone().requires_grad_()
            moved = rolled(model, leaf, streams, jitter)
            score = model.scores(probe.activations_and_output(moved, [])[1])[
                0, trial.network.target
            ]
            (gradient,) = torch.autograd.grad(score - l2 / ratio**2 * leaf.pow(2).sum(), leaf)
            image = clipped(image + trial.factor * rate * ratio**2 * gradient, low, high)
            if step % every == 0:
                image = blurred(image, 0.5)
            scores.append(score.item())
    return Run(scores, model.deprocess(image)[0])


def fool(trial: Trial) -> Run:
    """x += rate * g / ||g||; the network sees 8 bits."""
    model = trial.network.model
    ratio = trial.network.span / IMAGENET_SPAN
    low, high = bounds(model)
    photo = model.fit(convscope.load_image(PHOTO))
    image = trial.start(model.preprocess((photo * 255).round() / 255))
    scores = []
    with Probe(model) as probe:
        for _ in range(trial.steps):
            image = clipped(image, low, high)
            leaf = model.preprocess((model.deprocess(image) * 255).round() / 255).requires_grad_()
            output = model.scores(probe.activations_and_output(leaf, [])[1])
            scores.append(output[0, trial.network.target].item())
            if int(output.argmax()) == trial.network.target:
                return Run(scores, model.deprocess(leaf.detach())[0])
            (gradient,) = torch.autograd.grad(output[0, trial.network.target], leaf)
            image = image + trial.factor * ratio * gradient / gradient.norm()
    image = clipped(image, low, high)
    return Run(scores, ((model.deprocess(image) * 255).round() / 255).clamp(0, 1)[0])


def invert(trial: Trial) -> Run:
    """x -= rate * d(|f(x) - f(photo)|^2 + l2 * |x|^2)/dx; clip; blur."""
    network, model = trial.network, trial.network.model
    ratio = network.span / BYTE_SPAN
    low, high = bounds(model)
    streams = RandomStreams.of(SEED, [f"squared_distance({network.layer}) 0"])
    image = trial.start(ratio * streams.normal(model.channels, *model.size))
    image = clipped(image, low, high)
    scores = []
    with Probe(model) as probe:
        wanted = probe.activations(network.seen, [network.layer])[network.layer]
        for _ in range(trial.steps):
            leaf = image.clone().requires_grad_()
            loss = (probe.activations(leaf, [network.layer])[network.layer] - wanted).pow(2).sum()
            penalty = 1e-7 / ratio**2 * leaf.pow(2).sum()
            (gradient,) = torch.autograd.grad(loss + penalty, leaf)
            image = clipped(image - trial.factor * 10000 * ratio**2 * gradient, low, high)
            image = blurred(image, 0.5)
            scores.append(-loss.item())
    return Run(scores, model.deprocess(image)[0])


def dream(trial: Trial) -> Run:
    """x += rate * d(half the sum of squares)/dx on a rolled image; clip."""
    network, model = trial.network, trial.network.model
    ratio = network.span / BYTE_SPAN
    low, high = bounds(model)
    streams = RandomStreams.of(SEED, [f"half_sum_of_squares({network.layer})"])
    image = trial.start(network.seen)
    scores = []
    with Probe(model) as probe:
        for _ in range(trial.steps):
            image = clipped(image, low, high)
            leaf = image.clone().requires_grad_()
            moved = rolled(model, leaf, streams, 16)
            score = probe.activations(moved, [network.layer])[network.layer].pow(2).sum() / 2
            (gradient,) = torch.autograd.grad(score, leaf)
            image = image + trial.factor * 5 * ratio**2 * gradient
            scores.append(score.item())
    return Run(scores, model.deprocess(clipped(image, low, high))[0])


def dream_in_octaves(trial: Trial) -> Run:
    """Four sizes, each 1.4 of the last, the smaller ones' detail put back in; ten steps each of
    1.5 / 255 * g / mean|g| on a rolled image."""
    network, model = trial.network, trial.network.model
    streams = RandomStreams.of(SEED, [network.layer])
    photo = model.deprocess(trial.start(model.preprocess(model.fit(convscope.load_image(PHOTO)))))
    height, width = photo.shape[-2:]
    detail = torch.zeros_like(photo[..., :1, :1])
    scores = []
    image = photo
    with Probe(model) as probe:
        for octave in (3, 2, 1, 0):
            size = round(height / 1.4**octave), round(width / 1.4**octave)
            base = photo
            if octave:
                base = interpolate(photo, size, mode="bilinear", antialias=True)
            image = base + interpolate(detail, size, mode="bicubic")
            image = image.clamp(EDGE, 1 - EDGE)
            for _ in range(trial.steps // 4):
                leaf = image.clone().requires_grad_()
                down, right = streams.integers(-32, 32, 2)[0].tolist()
                moved = leaf.roll((down, right), (2, 3))
                if network.is_fixed:
                    moved = interpolate(moved, model.size, mode="bilinear")
                moved = model.preprocess(moved)
                maps = probe.activations(moved, [network.layer])[network.layer]
                score = maps.pow(2).mean() / 2
                (gradient,) = torch.autograd.grad(score, leaf)
                image = image + trial.factor * 1.5 / 255 * gradient / gradient.abs().mean()
                image = image.clamp(EDGE, 1 - EDGE)
                scores.append(score.item())
            detail = image - base
    return Run(scores, image[0])


def filter_pattern(trial: Trial) -> Run:
    """x += g / (rms(g) + 1e-5), from gray with a little noise, in units of 0 to 255."""
    network, model = trial.network, trial.network.model
    streams = RandomStreams.of(SEED, [f"{network.layer}:{network.unit} 0"])
    image = 128 + 20 * streams.uniform(model.channels, *model.size)
    if trial.nudge:
        image = trial.start(image / 255 * network.span) / network.span * 255
    scores = []
    with Probe(model) as probe:
        for _ in range(trial.steps):
            leaf = (image / 255).requires_grad_()
            maps = probe.activations(model.preprocess(leaf), [network.layer])[network.layer]
            score = maps[0, network.unit].mean()
            (gradient,) = torch.autograd.grad(score, leaf)
            image = image + trial.factor * gradient / (gradient.pow(2).mean().sqrt() + 1e-5)
            scores.append(score.item())
    image = image[0]
    image = (image - image.mean()) / (image.std(correction=0) + 1e-5) * 0.1 + 0.5
    return Run(scores, image.clamp(0, 1))


def usable_factor(loop: Callable[[Trial], Run], network: Network, *, falls: bool) -> float:
    """A power of ten: 1 where the published rate suits the network, else what the rate is
    multiplied by so that its first step moves a pixel by about a level, and that, where the score
    is an error (`falls`), it goes down.

    Rates on the gradient itself were published for one network, whose scores and maps have sizes of
    their own.
    """
    trial = Trial(network, 1)
    first = loop(replace(trial, factor=1e-30)).image
    moved = float((loop(trial).image - first).abs().mean()) * 255
    factor = 1.0 if 0.1 <= moved <= 10 else 10.0 ** round(-torch.tensor(moved).log10().item())
    while falls and factor > SMALLEST_FACTOR:
        scores = loop(replace(trial, steps=CALIBRATION, factor=factor)).scores
        if sum(after > before for before, after in pairwise(scores)) >= CALIBRATION - 2:
            break
        factor /= 10
    return factor
