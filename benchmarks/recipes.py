"""The classic recipes beside loops written from their formulas, on the networks they are for.

    python benchmarks/recipes.py --out docs/recipes.md --sheet docs/recipes.jpg
    python benchmarks/recipes.py --networks embedded --steps 4

Each job runs twice from the same seed and start: by a literal loop of a few lines, and by the
public verb with the preset of that name. Compared are the score at every step and the final image.
Where a network's input has another range than the one the numbers were published for, both take the
numbers brought to its range (see `Settings`). Weights are random but for the embedded network; the
network of 64 px is the embedded one behind a resize, with pixels from 0 to 255 and a mean image.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter1d
from torch import Tensor, nn
from torch.nn.functional import interpolate

import convscope
from convscope.core.files import write_whole
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.results.result import Result
from convscope.synthesis.random import RandomStreams

PHOTO, SEED, TARGET = "sample:chelsea", 3, 0
IMAGENET_SPAN, BYTE_SPAN = 4.425, 255.0
EDGE = 1e-4
"""How far from 0 and 1 the verbs keep pixels."""

WITHIN = 0.01
"""Largest difference that counts as the same."""


@dataclass(frozen=True)
class Network:
    """A classic network, the layer that is looked at, and a unit of it."""

    name: str
    model: Model
    layer: str

    @cached_property
    def unit(self) -> int:
        """The channel that the photo excites most; of random ones many are dead."""
        with Probe(self.model) as probe:
            photo = self.model.preprocess(self.model.fit(convscope.load_image(PHOTO)))
            maps = probe.activations(photo, [self.layer])[self.layer]
        return int(maps.mean((0, 2, 3)).argmax())

    @property
    def span(self) -> float:
        """How far apart black and white are in its units."""
        return self.model.preprocessing.input_span


@dataclass(frozen=True)
class Run:
    """The score before each step, and the final image (3 h w in [0, 1])."""

    scores: list[float]
    image: Tensor


class Behind64(nn.Module):
    """A network of 224 px that takes 64 px from 0 to 255, a mean image subtracted."""

    mean: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.inner = network
        coarse = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(5))
        mean = 110 + 20 * interpolate(coarse, (64, 64), mode="bilinear")
        self.register_buffer("mean", mean)

    def forward(self, pixels: Tensor) -> Tensor:
        image = (pixels + self.mean) / 255
        scores: Tensor = self.inner(interpolate((image - 0.5) / 0.5, (128, 128), mode="bilinear"))
        return scores


# The literal loops. Each is a few lines: the start, the objective, the step.


def bounds(model: Model) -> tuple[Tensor, Tensor]:
    """What the darkest and the brightest image become in the network's units."""
    dark, bright = (
        model.preprocess(torch.full((1, model.channels, *model.size), value)).float()
        for value in (EDGE, 1 - EDGE)
    )
    return torch.minimum(dark, bright), torch.maximum(dark, bright)


def blurred(image: Tensor, sigma: float) -> Tensor:
    """Blurred by SciPy."""
    array = image.numpy()
    for axis in (2, 3):
        array = gaussian_filter1d(array, sigma, axis=axis, mode="mirror")
    return torch.from_numpy(array)


def class_image(network: Network, steps: int) -> Run:
    """x += rate * d(score - l2 * |x|^2)/dx on a rolled image; clamp; blur every k steps."""
    model = network.model
    small = max(model.size) <= 96
    span, rate, l2, every, jitter = (
        (BYTE_SPAN, 10000.0, 1e-6, 1, 4) if small else (IMAGENET_SPAN, 25.0, 1e-3, 10, 16)
    )
    ratio = network.span / span
    streams = RandomStreams.of(SEED, [f"logit({TARGET}) 0"])
    low, high = bounds(model)
    image = ratio * streams.normal(model.channels, *model.size)
    image = torch.minimum(torch.maximum(image, low), high)
    scores = []
    with Probe(model) as probe:
        for step in range(steps):
            down, right = streams.integers(-jitter, jitter, 2)[0].tolist()
            leaf = image.clone().requires_grad_()
            # The mean image stays in its place while the picture rolls.
            rolled = model.preprocess(model.deprocess(leaf).roll((down, right), (2, 3)))
            score = model.scores(probe.activations_and_output(rolled, [])[1])[0, TARGET]
            (gradient,) = torch.autograd.grad(score - l2 / ratio**2 * leaf.pow(2).sum(), leaf)
            image = torch.minimum(torch.maximum(image + rate * ratio**2 * gradient, low), high)
            if step % every == 0:
                image = blurred(image, 0.5)
            scores.append(score.item())
    return Run(scores, model.deprocess(image)[0])


def fool(network: Network, steps: int) -> Run:
    """x += rate * g / ||g||; the network sees 8 bits."""
    model = network.model
    ratio = network.span / IMAGENET_SPAN
    low, high = bounds(model)
    photo = model.fit(convscope.load_image(PHOTO))
    image = model.preprocess((photo * 255).round() / 255)
    scores = []
    with Probe(model) as probe:
        for _ in range(steps):
            image = torch.minimum(torch.maximum(image, low), high)
            leaf = model.preprocess((model.deprocess(image) * 255).round() / 255).requires_grad_()
            output = model.scores(probe.activations_and_output(leaf, [])[1])
            scores.append(output[0, TARGET].item())
            if int(output.argmax()) == TARGET:
                return Run(scores, model.deprocess(leaf.detach())[0])
            (gradient,) = torch.autograd.grad(output[0, TARGET], leaf)
            image = image + ratio * gradient / gradient.norm()
    image = torch.minimum(torch.maximum(image, low), high)
    return Run(scores, ((model.deprocess(image) * 255).round() / 255).clamp(0, 1)[0])


def invert(network: Network, steps: int) -> Run:
    """x -= rate * d(|f(x) - f(photo)|^2 + l2 * |x|^2)/dx; clip; blur."""
    model = network.model
    ratio = network.span / BYTE_SPAN
    low, high = bounds(model)
    streams = RandomStreams.of(SEED, [f"squared_distance({network.layer}) 0"])
    image = ratio * streams.normal(model.channels, *model.size)
    image = torch.minimum(torch.maximum(image, low), high)
    scores = []
    with Probe(model) as probe:
        photo = model.preprocess(model.fit(convscope.load_image(PHOTO)))
        wanted = probe.activations(photo, [network.layer])[network.layer]
        for _ in range(steps):
            leaf = image.clone().requires_grad_()
            loss = (probe.activations(leaf, [network.layer])[network.layer] - wanted).pow(2).sum()
            penalty = 1e-7 / ratio**2 * leaf.pow(2).sum()
            (gradient,) = torch.autograd.grad(loss + penalty, leaf)
            image = torch.minimum(torch.maximum(image - 10000 * ratio**2 * gradient, low), high)
            image = blurred(image, 0.5)
            scores.append(-loss.item())
    return Run(scores, model.deprocess(image)[0])


def dream(network: Network, steps: int) -> Run:
    """x += rate * d(half the sum of squares)/dx on a rolled image; clip."""
    model = network.model
    ratio = network.span / BYTE_SPAN
    low, high = bounds(model)
    streams = RandomStreams.of(SEED, [f"half_sum_of_squares({network.layer})"])
    image = model.preprocess(model.fit(convscope.load_image(PHOTO)))
    scores = []
    with Probe(model) as probe:
        for _ in range(steps):
            image = torch.minimum(torch.maximum(image, low), high)
            down, right = streams.integers(-16, 16, 2)[0].tolist()
            leaf = image.clone().requires_grad_()
            rolled = model.preprocess(model.deprocess(leaf).roll((down, right), (2, 3)))
            score = probe.activations(rolled, [network.layer])[network.layer].pow(2).sum() / 2
            (gradient,) = torch.autograd.grad(score, leaf)
            image = image + 5 * ratio**2 * gradient
            scores.append(score.item())
    return Run(scores, model.deprocess(torch.minimum(torch.maximum(image, low), high))[0])


def filter_pattern(network: Network, steps: int) -> Run:
    """x += g / (rms(g) + 1e-5), from gray with a little noise, in units of 0 to 255."""
    model = network.model
    streams = RandomStreams.of(SEED, [f"{network.layer}:{network.unit} 0"])
    image = 128 + 20 * streams.uniform(model.channels, *model.size)
    scores = []
    with Probe(model) as probe:
        for _ in range(steps):
            leaf = (image / 255).requires_grad_()
            maps = probe.activations(model.preprocess(leaf), [network.layer])[network.layer]
            score = maps[0, network.unit].mean()
            (gradient,) = torch.autograd.grad(score, leaf)
            image = image + gradient / (gradient.pow(2).mean().sqrt() + 1e-5)
            scores.append(score.item())
    image = image[0]
    image = (image - image.mean()) / (image.std(correction=0) + 1e-5) * 0.1 + 0.5
    return Run(scores, image.clamp(0, 1))


# The same by the public verbs.


def ours_class_image(network: Network, steps: int) -> Result:
    return convscope.class_image(
        network.model, TARGET, preset="simonyan", steps=steps, seed=SEED, redirect=0
    )


def ours_fool(network: Network, steps: int) -> Result:
    return convscope.fool(
        network.model, PHOTO, target=TARGET, preset="cs231n", steps=steps, seed=SEED
    )


def ours_invert(network: Network, steps: int) -> Result:
    return convscope.invert(
        network.model, PHOTO, layer=network.layer, preset="cs231n", steps=steps, seed=SEED
    )


def ours_dream(network: Network, steps: int) -> Result:
    photo = network.model.fit(convscope.load_image(PHOTO))
    return convscope.dream(
        network.model, photo, layer=network.layer, preset="cs231n", steps=steps, seed=SEED
    )


def ours_filter_pattern(network: Network, steps: int) -> Result:
    return convscope.visualize(
        network.model,
        f"{network.layer}:{network.unit}",
        preset="chollet",
        steps=steps,
        size=network.model.size,
        seed=SEED,
        redirect=0,
    )


JOBS: dict[str, tuple[Callable[[Network, int], Run], Callable[[Network, int], Result], str]] = {
    "filter pattern": (filter_pattern, ours_filter_pattern, "chollet"),
    "class image": (class_image, ours_class_image, "simonyan"),
    "fooling": (fool, ours_fool, "cs231n"),
    "inversion": (invert, ours_invert, "cs231n"),
    "DeepDream": (dream, ours_dream, "cs231n"),
}
"""Job -> the literal loop, the verb, and the preset."""


def networks(folder: Path) -> dict[str, Callable[[], Network]]:
    """Name -> a function that opens the network."""

    def behind64() -> Network:
        embedded = convscope.load_model()
        wrapped = Behind64(embedded.network)
        model = convscope.load_model(
            wrapped, size=64, scale=1, mean_image=wrapped.mean[0], labels=embedded.labels
        )
        return Network("64 px, 0 to 255", model, "inner.blocks.2")

    def torchvision(name: str, layer: str) -> Callable[[], Network]:
        return lambda: Network(
            name, convscope.load_model(f"torchvision:{name}", weights=False), layer
        )

    return {
        "embedded": lambda: Network("EfficientNet-Lite0", convscope.load_model(), "blocks.2"),
        "64px": behind64,
        "squeezenet": torchvision("squeezenet1_1", "features.6"),
        "googlenet": torchvision("googlenet", "inception4a"),
        "keras_vgg16": lambda: Network("Keras VGG16", _keras_vgg16(folder), "block3_conv1"),
        "keras_cats": lambda: Network("Keras 4-conv .h5", _keras_cats(folder), "conv2d_3"),
    }


def _keras_vgg16(folder: Path) -> Model:
    from convscope.networks.sources._keras_support import library

    keras = library()
    keras.utils.set_random_seed(0)
    keras.applications.VGG16(weights=None).save(folder / "vgg16.keras")
    return convscope.load_model(
        f"keras:{folder}/vgg16.keras", scale=1, bgr=True, mean=[103.939, 116.779, 123.68], std=1
    )


def _keras_cats(folder: Path) -> Model:
    from convscope.networks.sources._keras_support import library

    keras = library()
    keras.utils.set_random_seed(0)
    layers = [keras.Input((150, 150, 3))]
    for place, count in enumerate((32, 64, 128, 128), start=1):
        layers.append(keras.layers.Conv2D(count, 3, activation="relu", name=f"conv2d_{place}"))
        layers.append(keras.layers.MaxPooling2D(2))
    layers += [keras.layers.Flatten(), keras.layers.Dropout(0.5)]
    layers += [keras.layers.Dense(512, activation="relu")]
    layers += [keras.layers.Dense(1, activation="sigmoid")]
    keras.Sequential(layers).save(folder / "cats.h5")
    return convscope.load_model(f"keras:{folder}/cats.h5")


def compared(job: str, network: Network, steps: int) -> tuple[dict[str, str], list[Image.Image]]:
    """A row of the table, and both pictures."""
    literal, verb, preset = JOBS[job]
    expected, result = literal(network, steps), verb(network, steps)
    scores = result["score"][0]
    count = min(len(scores), len(expected.scores))
    wanted = np.array(expected.scores[:count])
    size = max(np.abs(wanted).max(), 1e-12)
    apart = float(np.abs(scores[:count] - wanted).max() / size)
    image = torch.from_numpy(result["image"][0])
    levels = float((image - expected.image.clamp(0, 1)).abs().mean() * 255)
    same = apart <= WITHIN and levels <= 255 * WITHIN and len(scores) == len(expected.scores)
    row = {
        "job": job,
        "network": network.name,
        "preset": preset,
        "steps": str(count),
        "score, first": f"{wanted[0]:.4g}",
        "score, last, literal": f"{wanted[-1]:.4g}",
        "score, last, ours": f"{scores[count - 1]:.4g}",
        "curves apart": f"{apart:.2%}",
        "images apart (levels)": f"{levels:.2f}",
        "same": "yes" if same else "no",
        "why not": "" if same else reason(wanted, scores[:count]),
        "what ours says": "; ".join(str(entry.get("note", "")) for entry in result.table),
    }
    return row, [_picture(expected.image), _picture(image)]


def reason(wanted: np.ndarray, scores: np.ndarray) -> str:
    """Why two curves part, as far as the curves themselves say it."""
    size = max(np.abs(wanted).max(), 1e-12)
    start = float(np.abs(scores[:2] - wanted[:2]).max() / size)
    if wanted[-1] < wanted[0] and scores[-1] < scores[0]:
        return "both diverge: the recipe's rate is too large for this network"
    if start <= WITHIN / 10:
        return f"rounding ({start:.0e} after one step) grows: large steps on a network with kinks"
    return "**unexplained**"


def _picture(image: Tensor, side: int = 160) -> Image.Image:
    array = (image.detach().clamp(0, 1).permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    return Image.fromarray(array).resize((side, side), Image.Resampling.LANCZOS)


def sheet(rows: list[tuple[str, list[Image.Image]]], columns: int = 5) -> Image.Image:
    """Literal on the left, ours on the right, a title above."""
    wide, high = 330, 182
    page = Image.new("RGB", (columns * wide, -(-len(rows) // columns) * high), "white")
    draw = ImageDraw.Draw(page)
    for place, (title, pictures) in enumerate(rows):
        left, top = place % columns * wide, place // columns * high
        draw.text((left + 2, top + 4), title, fill="black")
        for index, picture in enumerate(pictures):
            page.paste(picture, (left + index * 162, top + 20))
    return page


def markdown(rows: list[dict[str, str]], steps: int) -> str:
    """The page with the table."""
    head = list(rows[0])
    lines = [
        "# The classic recipes, beside loops written from their formulas",
        "",
        f"Written by `benchmarks/recipes.py` (at most {steps} steps each; the recipes' own numbers"
        " are in the presets). Same seed and start. Both sides take rates brought to the range of"
        " the network's input. Apart: the largest difference of the two score curves, relative to"
        " the largest score; the mean difference of the two images in levels of 255.",
        "",
        "![Literal on the left, ours on the right](recipes.jpg)",
        "",
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(row.values()) + " |" for row in rows),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Run all jobs on all networks."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--networks", default=None, help="names with commas; all by default")
    options.add_argument("--steps", type=int, default=10)
    options.add_argument("--out", type=Path, default=None)
    options.add_argument("--sheet", type=Path, default=None)
    arguments = options.parse_args()
    rows, pictures = [], []
    with tempfile.TemporaryDirectory() as folder:
        known = networks(Path(folder))
        for name in arguments.networks.split(",") if arguments.networks else known:
            network = known[name]()
            for job in JOBS:
                row, both = compared(job, network, arguments.steps)
                rows.append(row)
                pictures.append((f"{job}, {network.name}", both))
                print(" | ".join(row.values()), flush=True)
    if arguments.out:
        write_whole(arguments.out, markdown(rows, arguments.steps).encode())
    if arguments.sheet:
        sheet(pictures).save(arguments.sheet, quality=88)


if __name__ == "__main__":
    main()
