"""Are unit cards right? Names of the last layer's units, planted filters, effects.

    python -m benchmarks.unit_cards PHOTOS     writes docs/unit_cards.json and docs/atlas.md's table

PHOTOS is a folder of photos with labels.csv (file, imagenet_index) and the object's mask in the
alpha channel. The sample photos that come with scikit-image are put beside them, without labels.
The unit of every class that occurs is right where its card bears the class's name. Gabor filters
are planted in a first convolution, and the tuning curves should find them; what silencing a unit
does should be what a hook on the network does that sets its map to zero.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

import convscope
from benchmarks._page import between
from convscope import atlas
from convscope.atlas.unit_cards.effects import silence
from convscope.core.files import write_whole
from convscope.networks.model import Model
from convscope.photos.load_image import load_photos
from convscope.photos.samples import SAMPLES
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy

DOCS = Path(__file__).parent.parent / "docs"
BEGIN, END = "<!-- unit cards:start -->", "<!-- unit cards:end -->"
"""Where docs/atlas.md holds the table."""

STRIDES = (1, 2, 3)
FILTERS = 8
"""Planted for each stride, with and without a ReLU."""

LAYERS, UNITS = ("blocks.1", "blocks.3", "blocks.5"), 8
"""Whose effects are measured again by a hook: so many units of each."""


def write_photos(source: Path, folder: Path) -> list[int]:
    """The photos as opaque pictures, the samples, and beside the folder a table of labels, which
    are the numbers of the classes; these."""
    with (source / "labels.csv").open(newline="") as file:
        labels = {row["file"]: row["imagenet_index"] for row in csv.DictReader(file)}
    for name in labels:
        # The alpha channel is a mask, and not to be composited.
        pixels = np.asarray(Image.open(source / name).convert("RGBA"))
        Image.fromarray(np.ascontiguousarray(pixels[:, :, :3])).save(folder / name)
    for name, load in SAMPLES.items():
        Image.fromarray(load()).convert("RGB").save(folder / f"sample-{name}.png")
    with (folder.parent / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("photo", "label"), *labels.items()])
    return sorted({int(label) for label in labels.values()})


def measured_names(model: Model, source: Path) -> dict[str, Any]:
    """What the unit of each class that occurs is called."""
    with tempfile.TemporaryDirectory() as place:
        photos, out = Path(place, "photos"), str(Path(place, "atlas"))
        photos.mkdir()
        classes = write_photos(source, photos)
        num_photos = len(list(photos.iterdir()))
        table = str(photos.parent / "labels.csv")
        atlas.cards(model, str(photos), out, layers="head", labels=table, judge="none", silenced=0)
        names = {row["unit"]: row["name"] for row in atlas.open(out).all_cards()}
    rows = [{"label": model.label(index), "name": names[index]} for index in classes]
    return {"labeled": num_photos - len(SAMPLES), "others": len(SAMPLES), "classes": rows}


def measured_filters() -> dict[str, float]:
    """The largest errors of the tuning curves of planted Gabor filters, in degrees and octaves."""
    from tests.atlas.test_tuning import curves, gabor, network_of

    degrees, octaves, count = [], [], 0
    for stride in STRIDES:
        for layer, activation in (("0", None), ("1", nn.ReLU())):
            generator = np.random.default_rng(stride)
            planted = [
                (float(generator.uniform(0, 180)), 2 ** float(generator.uniform(-3.5, -1.9)), phase)
                for phase in np.linspace(0, math.pi, FILTERS)
            ]
            kernels = torch.stack([gabor(*each)[None].expand(3, -1, -1) for each in planted])
            card = curves(network_of(kernels, stride, activation), layer)
            for unit, (orientation, frequency, _) in enumerate(planted):
                tuned = card(unit)
                away = abs(tuned["orientation"].preferred[0] - orientation) % 180
                degrees.append(min(away, 180 - away))
                preferred = tuned["spatial_frequency"].preferred[0]
                octaves.append(abs(math.log2(preferred / frequency)))
                count += 1
    return {"filters": count, "degrees": max(degrees), "octaves": max(octaves)}


def measured_effects(model: Model) -> dict[str, float]:
    """The largest difference between a card's effects and a hook's, in score units, beside the
    largest effect."""
    image = model.preprocess(model.fit(load_photos("sample:chelsea")[0]))
    differences, effects = [], []
    for layer in LAYERS:
        with Probe(inference_copy(model, [layer])) as probe:
            changes = silence(probe, layer, [(image, list(range(UNITS)))])
        before = _hooked_scores(model, image, layer, -1)
        for unit, (change, _) in changes.items():
            expected = _hooked_scores(model, image, layer, unit) - before
            differences.append(float((change - expected).abs().max()))
            effects.append(float(expected.abs().max()))
    return {"units": len(effects), "difference": max(differences), "largest": max(effects)}


def _hooked_scores(model: Model, image: Tensor, layer: str, unit: int) -> Tensor:
    """The scores with one unit's map at zero, by a hook on the network as it is."""

    def mute(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        keep = torch.arange(output.shape[1]) != unit
        return output * keep[:, None, None]

    handle = model.modules[layer].register_forward_hook(mute)
    try:
        with torch.no_grad():
            scores: Tensor = model.network.eval()(image)[0].double()
            return scores
    finally:
        handle.remove()


def markdown(data: dict[str, Any]) -> str:
    """The table of docs/atlas.md."""
    names, filters, effects = data["names"], data["filters"], data["effects"]
    right = sum(row["name"] == row["label"] for row in names["classes"])
    total = len(names["classes"])
    return "\n".join(
        [
            "| what | measured | wanted |",
            "|---|---|---|",
            "| units of the last layer called by their class, of the classes that occur in"
            f" {names['labeled']} labeled photos and {names['others']} others | {right} of {total}"
            f" ({right / total:.1%}) | at least 90 % |",
            f"| {filters['filters']} Gabor filters planted in a first convolution, strides"
            f" {STRIDES[0]} to {STRIDES[-1]}, with and without ReLU: largest error |"
            f" {filters['degrees']:.2f} degrees, {filters['octaves']:.3f} octaves | 5 degrees,"
            " 0.1 octaves |",
            f"| effects of {effects['units']} units against a hook that sets their maps to zero:"
            f" largest difference, where the largest effect is {effects['largest']:.2f} of score |"
            f" {effects['difference']:.1e} | 1e-5 |",
            "",
            "Written by `python -m benchmarks.unit_cards PHOTOS`; the tests"
            " (`tests/atlas/test_cards.py`, `tests/atlas/test_tuning.py`) hold the last two.",
        ]
    )


def filled(page: str, data: dict[str, Any]) -> str:
    """docs/atlas.md with its table."""
    return between(page, BEGIN, END, markdown(data))


def main() -> None:
    """Measure, and write the data and the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    model = convscope.load_model()
    data = {
        "names": measured_names(model, parser.parse_args().photos),
        "filters": measured_filters(),
        "effects": measured_effects(model),
    }
    print(markdown(data))
    write_whole(DOCS / "unit_cards.json", (json.dumps(data, indent=1) + "\n").encode())
    page = DOCS / "atlas.md"
    write_whole(page, filled(page.read_text(), data).encode())


if __name__ == "__main__":
    main()
