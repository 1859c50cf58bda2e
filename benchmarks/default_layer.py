"""At which layer a CAM finds the class asked about: grid pointing by layer and method.

    python -m benchmarks.default_layer FOLDER

FOLDER holds labeled photos. 40 pictures of 2 x 2 of them for each layer of the embedded network and
each method; writes docs/default_layer.json and, from it, the table of docs/attribution.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import convscope
from benchmarks._page import DOCS, between, write_data
from convscope.attribution.default_layers import default_layer
from convscope.core.files import write_whole
from convscope.probe import Probe

LAYERS = (
    "blocks.4",
    "blocks.5",
    "blocks.6.0.bn1",
    "blocks.6.0.bn2",
    "blocks.6",
    "conv_head",
    "bn2",
)
METHODS = ("grad_cam", "hires_cam", "layer_cam", "xgrad_cam", "grad_cam_plus_plus")
SIGNED = ("grad_cam", "hires_cam", "xgrad_cam")
EARLIER, INSIDE = "blocks.6", "blocks.6.0.bn2"
"""Layers that the text below the table speaks of."""
CHANCE = 0.25
GRIDS = 40
BEGIN, END = "<!-- default layer -->", "<!-- end of default layer -->"
"""Where docs/attribution.md holds the table."""


def measured(photos: Path) -> dict[str, Any]:
    """Grid pointing of every method at every layer, and the layer that is the default."""
    model = convscope.load_model()
    with Probe(model) as probe:
        default = default_layer(probe)
    layers: dict[str, dict[str, float]] = {}
    for layer in LAYERS:
        result = convscope.benchmark_attribution(
            model,
            str(photos),
            methods=METHODS,
            metric="grid_pointing",
            grids=GRIDS,
            alpha_masks=True,
            layer=layer,
        )
        shares = {row["method"]: row["grid_pointing"] for row in result.table}
        layers[layer] = {name: round(shares[name], 4) for name in METHODS}
        print(layer, layers[layer], flush=True)
    return {"pictures": GRIDS, "default": default, "layers": layers}


def markdown(data: dict[str, Any]) -> str:
    """The table of the page, the largest value of each column in bold."""
    layers: dict[str, dict[str, float]] = data["layers"]
    best = {name: max(row[name] for row in layers.values()) for name in METHODS}
    lines = [
        f"`python -m benchmarks.default_layer FOLDER`, {data['pictures']} pictures; the best layer"
        " of each method in bold:",
        "",
        "| layer | " + " | ".join(METHODS) + " |",
        "|---|" + "---|" * len(METHODS),
    ]
    for layer, row in layers.items():
        title = f"{layer} (default)" if layer == data["default"] else layer
        cells = [
            f"**{row[name]:.2f}**" if row[name] == best[name] else f"{row[name]:.2f}"
            for name in METHODS
        ]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *_conclusion(layers)]) + "\n"


def _conclusion(layers: dict[str, dict[str, float]]) -> list[str]:
    """What the table says."""
    earlier, inside = layers[EARLIER], layers[INSIDE]
    return [
        "The last activation is the best place for HiRes-CAM, and the only one where Grad-CAM,"
        " HiRes-CAM and XGrad-CAM agree (only average pooling and a linear layer follow). Methods"
        " that drop negative gradients do better one block earlier"
        f" (`--layer {EARLIER}`; LayerCAM {earlier['layer_cam']:.2f}, Grad-CAM++"
        f" {earlier['grad_cam_plus_plus']:.2f}): after a ReLU nearly every channel speaks for every"
        " class a little, and what speaks against it is what tells classes apart. Grad-CAM inside"
        f" the last block (`{INSIDE}`) reaches {inside['grad_cam']:.2f}, but HiRes-CAM at the same"
        f" place, which does not average the gradient, falls to {inside['hires_cam']:.2f}, far"
        f" below chance ({CHANCE}), so that number does not make it the default.",
    ]


def claims(data: dict[str, Any]) -> dict[str, bool]:
    """What the text below the table says without a number, and whether it holds."""
    layers: dict[str, dict[str, float]] = data["layers"]
    default = data["default"]

    def best(method: str) -> str:
        return max(layers, key=lambda layer: layers[layer][method])

    agreeing = [
        layer
        for layer, row in layers.items()
        if max(row[name] for name in SIGNED) - min(row[name] for name in SIGNED) < 1e-3
    ]
    return {
        "the default is best for HiRes-CAM": best("hires_cam") == default,
        "three methods agree there alone": agreeing == [default],
        "the others do better one block earlier": best("layer_cam")
        == best("grad_cam_plus_plus")
        == EARLIER,
        "HiRes-CAM inside the block is below chance": layers[INSIDE]["hires_cam"] < CHANCE / 2,
    }


def filled(page: str, data: dict[str, Any]) -> str:
    """docs/attribution.md with its table by layer."""
    return between(page, BEGIN, END, markdown(data))


def main() -> None:
    """Measure, and write the data and the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    data = measured(parser.parse_args().folder)
    write_data("default_layer", data)
    page = DOCS / "attribution.md"
    write_whole(page, filled(page.read_text(), data).encode())


if __name__ == "__main__":
    main()
