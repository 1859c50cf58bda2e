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

import torch
from PIL import Image
from skimage.metrics import structural_similarity

import convscope
from convscope.core.files import write_whole
from convscope.results.pictures import Panel, sheet, to_uint8

LAYERS = ("blocks.0", "blocks.1", "blocks.2", "blocks.3", "blocks.4", "blocks.6")
RATES = (0.01, 0.05)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--photo", default="sample:chelsea")
    options.add_argument("--steps", type=int, default=256)
    options.add_argument("--threads", type=int)
    options.add_argument("--out", type=Path, default=Path("inversion_quality.json"))
    options.add_argument("--sheet", type=Path)
    arguments = options.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    model = convscope.load_model()
    seen = model.fit(convscope.load_image(arguments.photo))[0].permute(1, 2, 0).numpy()
    rows, panels = [], [Panel(Image.fromarray(to_uint8(seen)), "photo")]
    for layer in LAYERS:
        inverted = convscope.invert(model, arguments.photo, layer=layer, steps=arguments.steps)
        plain = [
            convscope.invert(
                model,
                arguments.photo,
                layer=layer,
                steps=arguments.steps,
                preset="plain",
                rate=rate,
            )
            for rate in RATES
        ]
        best = min(plain, key=lambda result: float(result["error"][0]))
        images = [result["image"][0].transpose(1, 2, 0) for result in (inverted, best)]
        likeness = [
            float(structural_similarity(seen, image, channel_axis=2, data_range=1.0))
            for image in images
        ]
        rows.append(
            {
                "layer": layer,
                "error": float(inverted["error"][0]),
                "ssim": likeness[0],
                "plain_error": float(best["error"][0]),
                "plain_ssim": likeness[1],
            }
        )
        panels.append(
            Panel(
                Image.fromarray(to_uint8(images[0])),
                layer,
                f"error {rows[-1]['error']:.3f}, SSIM {likeness[0]:.2f}",
            )
        )
        panels.append(
            Panel(
                Image.fromarray(to_uint8(images[1])),
                "plain pixels",
                f"error {rows[-1]['plain_error']:.3f}, SSIM {likeness[1]:.2f}",
            )
        )
        print(rows[-1], flush=True)
    write_whole(
        arguments.out,
        json.dumps(
            {"photo": arguments.photo, "steps": arguments.steps, "rows": rows}, indent=2
        ).encode(),
    )
    if arguments.sheet:
        arguments.sheet.parent.mkdir(parents=True, exist_ok=True)
        columns = [panels[0], *panels[1::2], panels[0], *panels[2::2]]
        picture = sheet(columns, columns=len(LAYERS) + 1).convert("RGB")
        picture.thumbnail((1500, 1500))
        picture.save(arguments.sheet, quality=84, optimize=True)


if __name__ == "__main__":
    main()
