"""TCAV through the public verb beside Captum's, on the same splits of the same photos.

Striped textures against crops of photographs: for how many photos does the score of the top
prediction rise along the concept? Captum's classifiers, too, are trained on all photos of a split.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

import convscope
from convscope.concepts.tcav import example_sets
from convscope.networks.model import Model
from convscope.photos.samples import sample
from convscope.verbs._verb import network_input

LAYER = "blocks.4"
EXAMPLES, RANDOM = 12, 120
BACKDROPS = ("astronaut", "coffee", "rocket", "chelsea", "cat-and-coffee")


@dataclass(frozen=True)
class Agreement:
    """The mean share of photos whose score rises along the concept, over all splits."""

    layer: str
    photos: int
    splits: int
    verb: float
    captum: float


class Averaged(nn.Module):
    """A network in which the mean of a layer's maps over places passes through `average`, whose
    gradient is then that of the mean, as the verb takes it."""

    def __init__(self, network: nn.Module, layer: str) -> None:
        super().__init__()
        self.network, self.average = network, nn.Identity()
        self.layer = network.get_submodule(layer)

    def forward(self, image: Tensor) -> Tensor:
        """The scores."""

        def through(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
            mean = output.mean((2, 3), keepdim=True)
            passed: Tensor = self.average(mean.flatten(1))
            return output - mean.detach() + passed[..., None, None]

        handle = self.layer.register_forward_hook(through)
        try:
            scores: Tensor = self.network(image)
            return scores
        finally:
            handle.remove()


def textures(generator: np.random.Generator, side: int) -> NDArray[np.uint8]:
    """Stripes of two random colors, at any angle."""
    rows, columns = np.mgrid[:side, :side] / side
    angle = generator.uniform(0, np.pi)
    wave = np.sin(
        2 * np.pi * generator.uniform(6, 14) * (rows * np.sin(angle) + columns * np.cos(angle))
    )
    first, second = generator.integers(0, 256, (2, 3))
    return np.asarray(np.where(wave[..., None] > 0, first, second), np.uint8)


def crops(generator: np.random.Generator, side: int) -> NDArray[np.uint8]:
    """A square of one of scikit-image's photographs."""
    name = BACKDROPS[int(generator.integers(len(BACKDROPS)))]
    photo = Image.fromarray(sample(name)).convert("RGB")
    size = int(generator.integers(96, min(photo.size)))
    left, top = (int(generator.integers(0, length - size + 1)) for length in photo.size)
    return np.asarray(photo.crop((left, top, left + size, top + size)).resize((side, side)))


def agreement(model: Model, photos: list[Image.Image]) -> Agreement:
    """The verb's share and Captum's."""
    from captum.concept import TCAV, Concept
    from captum.concept._utils import classifier

    generator = np.random.default_rng(0)
    side = model.size[0]
    pictures = {
        "stripes": [textures(generator, side) for _ in range(EXAMPLES)],
        "random": [crops(generator, side) for _ in range(RANDOM)],
    }
    image = network_input(model, [convscope.load_image(photo) for photo in photos])
    with torch.no_grad():
        targets = model.scores(model.network(image)).argmax(1)
    with tempfile.TemporaryDirectory() as scratch:
        for kind, group in pictures.items():
            folder = Path(scratch) / kind / kind
            folder.mkdir(parents=True)
            for number, pixels in enumerate(group):
                Image.fromarray(pixels).save(folder / f"{number:04d}.png")
        paths = {name: str(Path(scratch) / name) for name in pictures}
        result = convscope.concepts(
            model,
            photos,
            layer=LAYER,
            method="tcav",
            examples=paths["stripes"],
            random=paths["random"],
        )
        counts = {paths[name]: len(group) for name, group in pictures.items()}

        def numbers(source: str) -> dict[str, NDArray[np.float32]]:
            return {"": np.arange(counts[source])[:, None].astype(np.float32)}

        _, sets = example_sets(numbers, paths["stripes"], paths["random"], 0)
        inputs = {
            kind: network_input(model, [convscope.load_image(each) for each in group])
            for kind, group in pictures.items()
        }
        network = Averaged(model.network, LAYER)
        shares = []
        with patch.object(classifier, "_train_test_split", lambda x, y, test_split: (x, x, y, y)):
            for number, places in enumerate(sets):
                random = inputs["random"][places[:, 0].astype(int)]
                groups = [
                    Concept(0, "stripes", [inputs["stripes"]]),
                    Concept(1, "random", [random]),
                ]
                oracle = TCAV(network, ["average"], save_path=str(Path(scratch) / str(number)))
                # Of the order in which scikit-learn's classifier takes the photos.
                np.random.seed(0)
                scores = oracle.interpret(image, [groups], target=targets)
                shares.append(float(scores["0-1"]["average"]["sign_count"][0]))
    return Agreement(
        LAYER, len(photos), len(shares), float(result.table[0]["tcav"]), float(np.mean(shares))
    )


def markdown(row: Agreement) -> list[str]:
    """The section of the page."""
    return [
        "## TCAV beside Captum's",
        "",
        f"The share of {row.photos} photos whose top prediction's score rises along *stripes* at"
        f" `{row.layer}`, over {row.splits} splits against crops of photographs, the same for both"
        f" (averages over places in both):",
        "",
        "| convscope | Captum | difference |",
        "|---:|---:|---:|",
        f"| {row.verb:.3f} | {row.captum:.3f} | {abs(row.verb - row.captum):.3f} |",
        "",
    ]
