"""The classic recipes beside loops written from their formulas, on the networks they are for.

    python -m benchmarks.recipes --out docs/recipes.md --sheet docs/recipes.jpg
    python -m benchmarks.recipes --networks embedded --jobs inversion --steps 8

Each job runs twice from the same seed and start: by a literal loop of a few lines
(`recipe_loops.py`), and by the public verb with the preset of that name. Compared are the score at
every step and the final image. Where a network's input has another range than the one the numbers
were published for, both take the numbers brought to its range (see `Settings`); where the published
rate does not suit a network's own scale of scores, both take it times the power of ten that the
table names. Where the two part, the literal loop runs once more with its start moved by a
millionth of the range: what parts it from itself is rounding.

Weights are random but for the embedded network; the network of 64 px is the embedded one behind a
resize, with pixels from 0 to 255 and a mean image.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import interpolate

import convscope
from benchmarks import recipe_loops as loops
from benchmarks._page import write_measured
from benchmarks.recipe_loops import PHOTO, SEED, Network, Run, Trial, usable_factor
from convscope.networks.model import Model
from convscope.results.pictures import Panel, sheet, to_uint8
from convscope.results.result import Result

EARLY = 5
"""Steps before rounding has grown."""

WITHIN = 0.01
"""Largest difference that counts as the same."""

NUDGE = 1e-6
"""By how much of the range a start is moved to see what rounding does."""

MAGNIFIED = 10.0
"""How many times as far as a nudged loop from itself two curves may be apart by rounding alone."""


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
        normal = (image - 0.5) / 0.5
        scores: Tensor = self.inner(interpolate(normal, (128, 128), mode="bilinear"))
        return scores


def class_image(trial: Trial, rate: float | None) -> Result:
    return convscope.class_image(
        trial.network.model,
        trial.network.target,
        preset="simonyan",
        steps=trial.steps,
        seed=SEED,
        redirect=0,
        rate=rate,
    )


def fool(trial: Trial, rate: float | None) -> Result:
    return convscope.fool(
        trial.network.model,
        PHOTO,
        target=trial.network.target,
        preset="cs231n",
        steps=trial.steps,
        seed=SEED,
        rate=rate,
    )


def invert(trial: Trial, rate: float | None) -> Result:
    return convscope.invert(
        trial.network.model,
        PHOTO,
        layer=trial.network.layer,
        preset="cs231n",
        steps=trial.steps,
        seed=SEED,
        rate=rate,
    )


def dream(trial: Trial, rate: float | None) -> Result:
    model = trial.network.model
    return convscope.dream(
        model,
        model.fit(convscope.load_image(PHOTO)),
        layer=trial.network.layer,
        preset="cs231n",
        steps=trial.steps,
        seed=SEED,
        rate=rate,
    )


def dream_in_octaves(trial: Trial, rate: float | None) -> Result:
    model = trial.network.model
    return convscope.dream(
        model,
        model.fit(convscope.load_image(PHOTO)),
        layer=trial.network.layer,
        steps=trial.steps // 4,
        seed=SEED,
        rate=rate,
    )


def filter_pattern(trial: Trial, rate: float | None) -> Result:
    return convscope.visualize(
        trial.network.model,
        f"{trial.network.layer}:{trial.network.unit}",
        preset="chollet",
        steps=trial.steps,
        size=trial.network.model.size,
        seed=SEED,
        redirect=0,
        rate=rate,
    )


@dataclass(frozen=True)
class Job:
    """A recipe: its literal loop, the verb, the preset, the recipe's own number of steps, and for a
    rate on the gradient itself that rate with the range that it was published for."""

    loop: Callable[[Trial], Run]
    verb: Callable[[Trial, float | None], Result]
    preset: str
    steps: int
    rate: tuple[float, float] | None = None


JOBS = {
    "filter pattern": Job(loops.filter_pattern, filter_pattern, "chollet", 40),
    "class image": Job(
        loops.class_image, class_image, "simonyan", 100, (25.0, loops.IMAGENET_SPAN)
    ),
    "fooling": Job(loops.fool, fool, "cs231n", 100),
    "inversion": Job(loops.invert, invert, "cs231n", 500, (10000.0, loops.BYTE_SPAN)),
    "DeepDream": Job(loops.dream, dream, "cs231n", 200, (5.0, loops.BYTE_SPAN)),
    "DeepDream in octaves": Job(loops.dream_in_octaves, dream_in_octaves, "deepdream", 40),
}


def networks(folder: Path) -> dict[str, Callable[[], Network]]:
    """Name -> a function that opens the network."""

    def behind64() -> Network:
        embedded = convscope.load_model()
        wrapped = Behind64(embedded.network)
        model = convscope.load_model(
            wrapped, size=64, scale=1, mean_image=wrapped.mean[0], labels=embedded.labels
        )
        return Network("64 px, 0 to 255", model, "inner.blocks.2", is_fixed=True)

    def torchvision(name: str, layer: str) -> Callable[[], Network]:
        def load() -> Network:
            model = convscope.load_model(f"torchvision:{name}", weights=False, size=64)
            return Network(name, _with_signal(model), layer)

        return load

    return {
        "embedded": lambda: Network(
            "EfficientNet-Lite0", convscope.load_model(size=112), "blocks.2"
        ),
        "64px": behind64,
        "squeezenet": torchvision("squeezenet1_1", "features.6"),
        "googlenet": torchvision("googlenet", "inception4a"),
        "keras_cats": lambda: Network("Keras 4-conv .h5", _keras_cats(folder), "conv2d_3"),
        "keras_vgg16": lambda: Network(
            "Keras VGG16", _keras_vgg16(folder), "block3_conv1", is_fixed=True
        ),
    }


def _with_signal(model: Model) -> Model:
    """Random weights through which signals keep their size (He et al., 2015)."""
    generator = torch.Generator().manual_seed(1)
    for module in model.network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            fan = module.weight[0].numel()
            with torch.no_grad():
                noise = torch.randn(module.weight.shape, generator=generator)
                module.weight.copy_(noise * (2 / fan) ** 0.5)
    return model


def _keras_vgg16(folder: Path) -> Model:
    from convscope.networks.sources._keras_support import library

    keras = library()
    keras.utils.set_random_seed(0)
    network = keras.applications.VGG16(weights=None, input_shape=(64, 64, 3))
    network.save(folder / "vgg16.keras")
    return convscope.load_model(
        f"keras:{folder}/vgg16.keras", scale=1, bgr=True, mean=[103.939, 116.779, 123.68], std=1
    )


def _keras_cats(folder: Path) -> Model:
    from convscope.networks.sources._keras_support import library

    keras = library()
    keras.utils.set_random_seed(0)
    layers = [keras.Input((96, 96, 3))]
    for place, count in enumerate((32, 64, 128, 128), start=1):
        name = f"conv2d_{place}"
        layers.append(
            keras.layers.Conv2D(
                count, 3, activation="relu", name=name, kernel_initializer="he_normal"
            )
        )
        layers.append(keras.layers.MaxPooling2D(2))
    layers += [keras.layers.Flatten(), keras.layers.Dropout(0.5)]
    layers += [keras.layers.Dense(512, activation="relu", kernel_initializer="he_normal")]
    layers += [keras.layers.Dense(1, activation="sigmoid")]
    keras.Sequential(layers).save(folder / "cats.h5")
    return convscope.load_model(f"keras:{folder}/cats.h5", labels="cat,dog")


def compared(name: str, network: Network, most: int) -> tuple[dict[str, str], list[Image.Image]]:
    """A row of the table, and both pictures."""
    job = JOBS[name]
    factor = usable_factor(job.loop, network, falls=name == "inversion") if job.rate else 1.0
    trial = Trial(network, min(job.steps, most), factor)
    expected = job.loop(trial)
    result = job.verb(trial, None if factor == 1 else factor * _rate_there(job, network))
    scores = result["score"][0]
    count = min(len(scores), len(expected.scores))
    wanted = np.array(expected.scores[:count])
    apart = _apart(wanted, scores[:count])
    image = torch.from_numpy(result["image"][0])
    levels = float((image - expected.image.clamp(0, 1)).abs().mean() * 255)
    is_same = max(apart, levels / 255) <= WITHIN and len(scores) == len(expected.scores)
    row = {
        "job": name,
        "network": network.name,
        "preset": job.preset,
        "steps": str(count),
        "rate": "published" if factor == 1 else f"x {factor:g}",
        "score, first": f"{wanted[0]:.4g}",
        "score, last, literal": f"{wanted[-1]:.4g}",
        "score, last, ours": f"{scores[count - 1]:.4g}",
        f"apart, {EARLY} steps": f"{_apart(wanted[:EARLY], scores[:EARLY]):.3%}",
        "curves apart": f"{apart:.2%}",
        "images apart (levels)": f"{levels:.2f}",
        "same": "yes" if is_same else "no",
        "why not": "" if is_same else _reason(job, trial, expected, list(scores), apart, levels),
        "what ours says": "; ".join(str(entry.get("note", "")) for entry in result.table),
    }
    return row, [_picture(expected.image), _picture(image)]


def _rate_there(job: Job, network: Network) -> float:
    """The published rate in the network's units; class images of small networks have their own."""
    assert job.rate is not None
    rate, span = job.rate
    if job.preset == "simonyan" and max(network.model.size) <= 96:
        rate, span = 10000.0, loops.BYTE_SPAN
    return rate * (network.span / span) ** 2


def _apart(wanted: np.ndarray, scores: np.ndarray) -> float:
    """The largest difference of two curves, relative to the largest score."""
    return float(np.abs(scores - wanted).max() / max(np.abs(wanted).max(), 1e-12))


def _reason(
    job: Job, trial: Trial, expected: Run, ours: Sequence[float], apart: float, levels: float
) -> str:
    """What rounding alone does to the literal loop, and whether that explains the difference."""
    nudged = job.loop(replace(trial, nudge=NUDGE))
    count = min(len(nudged.scores), len(expected.scores))
    curves = _apart(np.array(expected.scores[:count]), np.array(nudged.scores[:count]))
    itself = float((nudged.image - expected.image).abs().mean() * 255)
    explained = apart <= max(WITHIN, MAGNIFIED * curves) and levels <= max(
        255 * WITHIN, MAGNIFIED * itself
    )
    verdict = "rounding" if explained else "**unexplained**"
    return (
        f"{verdict}: ours is within 1 % for the first {_alike(expected.scores, ours)} steps; the"
        " literal loop from a start moved by a millionth is for the first"
        f" {_alike(expected.scores, nudged.scores)}, and parts from itself by {curves:.2%} and"
        f" {itself:.2f} levels"
    )


def _alike(wanted: Sequence[float], scores: Sequence[float]) -> int:
    """For how many steps two curves are within 1 % of the largest score."""
    count = min(len(wanted), len(scores))
    first, second = np.array(wanted[:count]), np.array(scores[:count])
    far = np.abs(first - second) > WITHIN * max(np.abs(first).max(), 1e-12)
    return int(far.argmax()) if far.any() else count


def _picture(image: Tensor) -> Image.Image:
    return Image.fromarray(to_uint8(image.detach().clamp(0, 1).permute(1, 2, 0).numpy()))


def markdown(rows: list[dict[str, str]], most: int) -> str:
    """The page with the table."""
    head = list(rows[0])
    same = sum(row["same"] == "yes" for row in rows)
    lines = [
        "# The classic recipes, beside loops written from their formulas",
        "",
        "`python -m benchmarks.recipes` writes this page. Every job runs as long as its recipe"
        f" says, at most {most} steps, from the same seed and start, by a literal loop of a"
        " few lines and by the verb with the preset. Both take rates brought to the range of"
        " the network's input, and, where the published rate on the bare gradient does not suit a"
        " network's own scale of scores, times the power of ten in the column *rate*. Apart: the"
        " largest difference of the two score curves, relative to the largest score; the mean"
        " difference of the two images in levels of 255. Weights are random (He) but for the"
        " embedded network, which is also the one behind 64 px with pixels from 0 to 255 and a mean"
        " image.",
        "",
        f"{same} of {len(rows)} rows are the same within 1 %. Of the others the column *why not*"
        " says what rounding alone does: the literal loop again, its start moved by a millionth of"
        " the range.",
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
    options.add_argument("--jobs", default=None, help="names with commas; all by default")
    options.add_argument("--steps", type=int, default=128, help="at most so many")
    options.add_argument("--out", type=Path, default=None)
    options.add_argument("--sheet", type=Path, default=None)
    arguments = options.parse_args()
    rows, panels = [], []
    with tempfile.TemporaryDirectory() as folder:
        known = networks(Path(folder))
        for name in arguments.networks.split(",") if arguments.networks else known:
            network = known[name]()
            for job in arguments.jobs.split(",") if arguments.jobs else JOBS:
                row, both = compared(job, network, arguments.steps)
                rows.append(row)
                panels += [
                    Panel(picture.resize((112, 112)), title)
                    for picture, title in zip(both, (job, network.name), strict=True)
                ]
                print(" | ".join(row.values()), flush=True)
            if arguments.out:
                write_measured(arguments.out, markdown(rows, arguments.steps), "benchmarks.recipes")
            if arguments.sheet:
                sheet(panels, columns=12).convert("RGB").save(arguments.sheet, quality=86)


if __name__ == "__main__":
    main()
