"""Feature inversion at six depths: what is left of the features' error, and how much of the photo
is seen.

    python -m benchmarks.inversion_quality --out inversion.json --sheet docs/inversion.jpg

Beside it the same steps from plain pixels with an L2 penalty (preset `plain`, Adam at the better of
two rates). `error` is
||f(x) - f(photo)||^2 / ||f(photo)||^2 of the finished picture, SSIM is to what the network sees of
the photo (scikit-image, RGB).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from skimage.metrics import structural_similarity

import convscope
from convscope.core.files import write_whole
from convscope.networks.model import Model
from convscope.results.pictures import Panel, sheet, to_uint8
from convscope.results.result import Result

LAYERS = ("blocks.0", "blocks.1", "blocks.2", "blocks.3", "blocks.4", "blocks.6")
RATES = (0.01, 0.05)


def options() -> argparse.ArgumentParser:
    """What the command takes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photo", default="sample:chelsea")
    parser.add_argument("--steps", type=int, default=256)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--out", type=Path, default=Path("inversion_quality.json"))
    parser.add_argument("--sheet", type=Path)
    return parser


def inverted(model: Model, photo: str, layer: str, steps: int) -> dict[str, Result]:
    """The photo from one layer: by the default, and from plain pixels at the better rate."""
    plain = [
        convscope.invert(model, photo, layer=layer, steps=steps, preset="plain", rate=rate)
        for rate in RATES
    ]
    return {
        layer: convscope.invert(model, photo, layer=layer, steps=steps),
        "plain pixels": min(plain, key=lambda result: float(result["error"][0])),
    }


def main() -> None:
    """Invert the photo from all layers, and write errors, likeness and the picture."""
    arguments = options().parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    model = convscope.load_model()
    photo = model.fit(convscope.load_image(arguments.photo))[0].permute(1, 2, 0).numpy()
    rows: list[dict[str, Any]] = []
    panels = [Panel(Image.fromarray(to_uint8(photo)), "photo")]
    for layer in LAYERS:
        row: dict[str, Any] = {"layer": layer}
        results = inverted(model, arguments.photo, layer, arguments.steps)
        for prefix, (title, result) in zip(("", "plain_"), results.items(), strict=True):
            image = result["image"][0].transpose(1, 2, 0)
            likeness = structural_similarity(photo, image, channel_axis=2, data_range=1.0)
            error = float(result["error"][0])
            row |= {f"{prefix}error": error, f"{prefix}ssim": float(likeness)}
            caption = f"error {error:.3f}, SSIM {likeness:.2f}"
            panels.append(Panel(Image.fromarray(to_uint8(image)), title, caption))
        rows.append(row)
        print(row, flush=True)
    data = {"photo": arguments.photo, "steps": arguments.steps, "rows": rows}
    write_whole(arguments.out, json.dumps(data, indent=2).encode())
    if arguments.sheet:
        arguments.sheet.parent.mkdir(parents=True, exist_ok=True)
        columns = [panels[0], *panels[1::2], panels[0], *panels[2::2]]
        picture = sheet(columns, columns=len(LAYERS) + 1).convert("RGB")
        picture.thumbnail((1500, 1500))
        picture.save(arguments.sheet, quality=84, optimize=True)


if __name__ == "__main__":
    main()
