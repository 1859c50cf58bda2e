"""Concepts of labeled photos: how many are enough, how stable they are, and whether the important
ones matter, beside CRAFT's authors' code (craft-xai) where that is installed.

    python -m benchmarks.concepts FOLDER --page docs/concepts.md

Each photo is asked about the network's top prediction. Deletion and insertion are areas under the
curve of its probability while concepts are taken away from the layer's activations, or put into
their reconstruction, the most important of that photo first, the same for all rows.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from unittest.mock import MagicMock

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import convscope
from benchmarks import captum_tcav
from benchmarks.captum_tcav import agreement
from convscope.concepts.stability import STABLE, stability
from convscope.core.files import write_whole
from convscope.networks.model import Model
from convscope.photos.fingerprint import fingerprint
from convscope.probe import Probe
from convscope.probe.partial_forward import PartialForward
from convscope.verbs._verb import network_input

Method = Literal["nmf", "ice", "craft", "semi_nmf", "pca", "sparse_autoencoder"]
METHODS: tuple[Method, ...] = ("nmf", "ice", "craft", "semi_nmf", "pca", "sparse_autoencoder")
SEEDS = 5

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """One method at one number of concepts."""

    name: str
    kept: float
    error: float
    stability: float | None
    deletion: float
    insertion: float

    def line(self) -> str:
        stability = "" if self.stability is None else f"{self.stability:.2f}"
        numbers = [f"{self.kept:.0%}", f"{self.error:.2f}", stability]
        numbers += [f"{self.deletion:.3f}", f"{self.insertion:.3f}"]
        return f"| {self.name} | " + " | ".join(numbers) + " |"


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("folder", type=Path, help="photos")
    options.add_argument("--page", type=Path, default=Path("docs/concepts.md"))
    arguments = options.parse_args()
    photos = [Image.open(path).convert("RGB") for path in sorted(arguments.folder.glob("*.png"))]
    model = convscope.load_model()
    chosen = convscope.concepts(model, photos, method="nmf", count=None)
    count = len(chosen["directions"])
    print(f"{count} concepts of nmf are enough", flush=True)
    rows = []
    for method in METHODS:
        rows.append(measured(model, photos, method, count))
        print(rows[-1].line(), flush=True)
    oracle = craft_class()
    if oracle is not None:
        rows.append(measured_oracle(model, photos, chosen.details["layer"], count, oracle))
        print(rows[-1].line(), flush=True)
    tests = agreement(model, photos)
    print(tests, flush=True)
    text = page(len(photos), str(chosen.details["layer"]), count, chosen["curve"], rows)
    text += "\n".join(captum_tcav.markdown(tests))
    write_whole(arguments.page, text.encode())


def measured(model: Model, photos: list[Image.Image], method: Method, count: int) -> Row:
    """A method of `concepts`; the directions of ice are those of nmf, and so is their
    stability."""
    seeds = 1 if method == "ice" else SEEDS
    result = convscope.concepts(
        model, photos, method=method, count=count, importance=True, seeds=seeds
    )
    return Row(
        method,
        float(result["kept"][0]),
        float(result["error"][0]),
        float(result["stability"][0]) if seeds > 1 else None,
        area(result["deletion"]),
        area(result["insertion"]),
    )


def area(curves: Floats) -> float:
    """The mean over photos of the area under curves (n k+1) over [0, 1]."""
    return float(np.trapezoid(curves, dx=1 / (curves.shape[1] - 1), axis=1).mean())


def craft_class() -> Any:
    """The class of craft-xai, or None where it is not installed."""
    # Its sampler imports TensorFlow, which the rest of it for torch does not need.
    sys.modules.setdefault("tensorflow", MagicMock())
    try:
        from craft.craft_torch import Craft
    except ImportError:
        return None
    return Craft


def measured_oracle(
    model: Model, photos: list[Image.Image], layer: Any, count: int, craft: Any
) -> Row:
    """craft-xai on the same photos, layer and number, with its own importance."""
    loaded = [convscope.load_image(photo) for photo in photos]
    image = network_input(model, loaded)
    with Probe(model) as probe:
        partials = [probe.partial_forward(one[None], layer) for one in image]

        known: dict[str, torch.Tensor] = {}

        def latent(batch: torch.Tensor) -> torch.Tensor:
            # Each seed asks for the same crops again.
            key = fingerprint(batch)
            if key not in known:
                known[key] = probe.activations(batch, [layer])[layer].clamp_min(0)
            return known[key]

        runs = []
        for seed in range(SEEDS):
            np.random.seed(seed)  # scikit-learn's generator, where none is given
            oracle = craft(latent, number_of_concepts=count, device="cpu")
            oracle.fit(image)
            runs.append(oracle.W)
        coefficients = oracle.transform(image)
        maps = torch.cat([partial.maps for partial in partials])
        curves = [
            oracle_curves(model, oracle, partial, one, map_)
            for partial, one, map_ in zip(partials, image, coefficients, strict=True)
        ]
    rebuilt = torch.from_numpy(coefficients @ oracle.W).permute(0, 3, 1, 2)
    error = float((maps - rebuilt).norm() / maps.norm())
    kept = float(np.mean([kept for kept, _, _ in curves]))
    return Row(
        "CRAFT's authors' code",
        kept,
        error,
        stability(runs)[0],
        area(np.stack([deletion for _, deletion, _ in curves])),
        area(np.stack([insertion for _, _, insertion in curves])),
    )


def oracle_curves(
    model: Model, oracle: Any, partial: PartialForward, image: torch.Tensor, map_: Floats
) -> tuple[bool, Floats, Floats]:
    """Whether a photo keeps its answer, and the probability as the oracle's concepts go and
    come."""
    index = int(model.scores(partial.output)[0].argmax())
    oracle.latent_to_logit = partial.scores
    importance = oracle.estimate_importance(image[None], index)
    order = np.argsort(-importance, kind="stable")

    def probability(masks: Floats, without: bool) -> Floats:
        chosen = torch.from_numpy((map_[None] * masks[:, None, None]) @ oracle.W)
        maps = chosen.permute(0, 3, 1, 2).float()
        scores = partial.scores(partial.maps - maps if without else maps)
        return np.asarray(model.probabilities(scores)[:, index].numpy(), np.float32)

    chosen = np.zeros((len(order) + 1, len(order)), np.float32)
    for step, concept in enumerate(order, start=1):
        chosen[step:, concept] = 1
    whole = partial.scores(torch.from_numpy(map_ @ oracle.W).permute(2, 0, 1)[None].float())
    return int(whole[0].argmax()) == index, probability(chosen, True), probability(chosen, False)


def page(photos: int, layer: str, count: int, curve: Floats, rows: list[Row]) -> str:
    """The page of the documentation."""
    curve_lines = [f"| {int(number)} | {kept:.0%} |" for number, kept in curve.tolist()]
    known = [row for row in rows if row.stability is not None]
    unstable = [row.name for row in known if (row.stability or 0) < STABLE]
    return "\n".join(
        [
            "# Concepts, measured",
            "",
            f"`python -m benchmarks.concepts FOLDER` on {photos} photos of {photos} classes, at"
            f" `{layer}` of the default network (its last layer with places).",
            "",
            "## How many are enough",
            "",
            "`count=None` takes the smallest number that keeps 95 % of the top predictions when",
            "the layer is replaced by its reconstruction:",
            f"{count} for `nmf`. The numbers it tried:",
            "",
            "| concepts | top predictions kept |",
            "|---:|---:|",
            *curve_lines,
            "",
            f"## Methods at {count} concepts",
            "",
            "| method | kept | error | stability | deletion (lower is better) |"
            " insertion (higher is better) |",
            "|---|---:|---:|---:|---:|---:|",
            *[row.line() for row in rows],
            "",
            "`kept` is the share of top predictions that stay, `error` the relative error of the",
            f"reconstruction, `stability` the mean matched cosine over {SEEDS} seeds (at least 0.9"
            " counts as stable;",
            "the directions of `ice` are those of `nmf`). Deletion and insertion are areas under",
            "the curve of the top prediction's probability while concepts are taken away from the",
            "layer's activations, or put into their reconstruction, the most important of each",
            "photo first, by each method's own importance.",
            "",
            f"Unstable by that: {', '.join(unstable) or 'none'}; the result's note and the printed"
            " table say so.",
            "",
            "The authors' code and `craft` give the same directions and coefficients; what differs"
            " is the order. `concepts` takes",
            "those away last that speak against the answer, which an index of variance does not"
            " tell.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
