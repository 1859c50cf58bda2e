"""Fooling beside foolbox: how many are fooled, and how small the change is.

    python -m benchmarks.fooling_quality PHOTOS --pairs 100 --out docs/fooling.json

Pairs of a photo and a random target. Convscope's `fool` by its presets `cs231n` and `minimal`;
foolbox with its own steps: L2 PGD at the smallest of a few bounds that fools, image by image, its
attacks with the smallest norm, DDN and FMN, and DeepFool, which goes for any other class, so that
its changes are smaller. Every fooled image is asked about again after rounding to 8 bits, as a PNG
does. foolbox is not told of the rounding, so each of its changes is also stretched by the least
factor at which the rounded image fools. Needs foolbox 3.3.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

import convscope
from benchmarks.speed_rows._missing import missing
from convscope.core.files import write_whole
from convscope.networks.model import Model
from convscope.probe import Probe

BOUNDS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
"""Of PGD, in [0, 1] units."""

LARGEST_FACTOR, HALVINGS = 4.0, 8
"""How far a peer's change is stretched at most, and how finely the least factor is searched."""

PRESETS = ("cs231n", "minimal")


class Classifier(nn.Module):
    """The network from images in [0, 1] to class scores, as foolbox wants it."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.network = model.network.eval()

    def forward(self, image: Tensor) -> Tensor:
        return self.model.scores(self.model(self.model.preprocess(image)))


def photos(folder: Path, size: int) -> list[Tensor]:
    """All pictures of a folder, 1 3 h w; an alpha channel is left out."""
    files = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg")
    )
    return [convscope.load_image(Image.open(path).convert("RGB"), size=size) for path in files]


def rounded(image: Tensor) -> Tensor:
    """As a PNG keeps it."""
    return (image * 255).round() / 255


def describe(
    model: Model, image: Tensor, original: Tensor, wanted: Tensor | None, before: Tensor
) -> dict[str, Any]:
    """The share fooled, before and after rounding to 8 bits, and the size of the changes of those
    fooled."""
    shares = []
    for shown in (image, rounded(image)):
        shares.append(fooled(model, shown, wanted, before))
    change = (rounded(image) - original)[shares[1]].flatten(1)
    return {
        "fooled": float(shares[0].float().mean()),
        "fooled_after_rounding": float(shares[1].float().mean()),
        "median_l2": float(change.norm(dim=1).median()) if len(change) else None,
        "median_linf": float(change.abs().amax(1).median()) if len(change) else None,
    }


def pgd(model: Model, original: Tensor, wanted: Tensor) -> Tensor:
    """For each image the result of the smallest bound that fools it, else of the largest."""
    import foolbox

    network = foolbox.PyTorchModel(Classifier(model).eval(), bounds=(0, 1))
    entries = original.clone()
    left = torch.ones(len(original), dtype=torch.bool)
    for bound in BOUNDS:
        places = left.nonzero()[:, 0]
        for part in places.split(16):
            criterion = foolbox.criteria.TargetedMisclassification(wanted[part])
            _, output, success = foolbox.attacks.L2PGD()(
                network, original[part], criterion, epsilons=bound
            )
            entries[part] = output
            left[part[success]] = False
        if not bool(left.any()):
            break
    return entries


def smallest(name: str, model: Model, original: Tensor, wanted: Tensor) -> Tensor:
    """By one of foolbox's attacks that look for the smallest norm."""
    import foolbox

    network = foolbox.PyTorchModel(Classifier(model).eval(), bounds=(0, 1))
    attack = getattr(foolbox.attacks, name)()
    parts = zip(original.split(16), wanted.split(16), strict=True)
    return torch.cat(
        [
            attack(network, part, foolbox.criteria.TargetedMisclassification(label), epsilons=None)[
                1
            ]
            for part, label in parts
        ]
    )


def stretched(
    model: Model, image: Tensor, original: Tensor, wanted: Tensor | None, before: Tensor
) -> Tensor:
    """The changes multiplied by the least factor at which the rounded image fools, found by
    halving; as they are where none does."""
    change = image - original
    fails = torch.ones(len(image), 1, 1, 1)
    fools = torch.full_like(fails, LARGEST_FACTOR)
    best = image.clone()
    factor = fails
    for _ in range(HALVINGS + 1):
        candidates = rounded((original + factor * change).clamp(0, 1))
        confirmed = fooled(model, candidates, wanted, before).view(-1, 1, 1, 1)
        best = torch.where(confirmed, candidates, best)
        fools = torch.where(confirmed, factor, fools)
        fails = torch.where(confirmed, fails, factor)
        factor = (fails + fools) / 2
    return best


def fooled(model: Model, image: Tensor, wanted: Tensor | None, before: Tensor) -> Tensor:
    """Whether the network says the target, or anything but what it said before."""
    with Probe(model) as probe:
        answers = torch.cat(
            [probe.scores(model.preprocess(part)).argmax(1) for part in image.split(16)]
        )
    return answers == wanted if wanted is not None else answers != before


def deep_fool(model: Model, original: Tensor, before: Tensor) -> Tensor:
    """Any other class, by the shortest way."""
    import foolbox

    network = foolbox.PyTorchModel(Classifier(model).eval(), bounds=(0, 1))
    parts = zip(original.split(16), before.split(16), strict=True)
    return torch.cat(
        [
            foolbox.attacks.L2DeepFoolAttack()(network, part, label, epsilons=None)[1]
            for part, label in parts
        ]
    )


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("photos", type=Path, help="a folder of photos")
    options.add_argument("--pairs", type=int, default=100)
    options.add_argument(
        "--peer-pairs",
        type=int,
        help="only the first so many for foolbox, whose search over bounds is slow",
    )
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--threads", type=int)
    options.add_argument("--out", type=Path, default=Path("docs/fooling.json"))
    arguments = options.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if absent := missing("foolbox"):
        raise SystemExit(f"foolbox is {absent}; the extra `bench` has it.")
    model = convscope.load_model()
    seen = photos(arguments.photos, model.size[0])
    original = rounded(torch.cat([seen[place % len(seen)] for place in range(arguments.pairs)]))
    wanted = torch.randint(
        model.classes, (arguments.pairs,), generator=torch.Generator().manual_seed(arguments.seed)
    )
    with Probe(model) as probe:
        before = torch.cat(
            [probe.scores(model.preprocess(part)).argmax(1) for part in original.split(16)]
        )
    few = slice(arguments.peer_pairs)
    part = original[few], wanted[few], before[few]
    table: dict[str, dict[str, Any]] = {}
    for preset in PRESETS:
        image, row = fooled_by(model, preset, original, wanted)
        table[f"Convscope, {preset}"] = describe(model, image, original, wanted, before) | row
        if arguments.peer_pairs and arguments.peer_pairs < arguments.pairs:
            row = describe(model, image[few], *part)
            table[f"Convscope, {preset}, on the peers' pairs"] = row
        print(preset, table[f"Convscope, {preset}"], flush=True)
    table |= peers_rows(model, *part)
    data = {"pairs": arguments.pairs, "peer_pairs": len(part[0]), "rows": table}
    print(markdown(data))
    write_whole(arguments.out, json.dumps(data, indent=2).encode())


def peers_rows(
    model: Model, original: Tensor, wanted: Tensor, before: Tensor
) -> dict[str, dict[str, Any]]:
    """foolbox's attacks, each as it is and stretched until the rounded image fools."""
    images = {
        "L2 PGD": (pgd(model, original, wanted), wanted),
        "DDN": (smallest("DDNAttack", model, original, wanted), wanted),
        "FMN": (smallest("L2FMNAttack", model, original, wanted), wanted),
        "DeepFool, any other class": (deep_fool(model, original, before), None),
    }
    table = {}
    for name, (image, target) in images.items():
        longer = stretched(model, image, original, target, before)
        table[f"foolbox, {name}"] = describe(model, image, original, target, before)
        table[f"foolbox, {name}, stretched"] = describe(model, longer, original, target, before)
    return table


def fooled_by(
    model: Model, preset: str, original: Tensor, wanted: Tensor
) -> tuple[Tensor, dict[str, Any]]:
    """The images of one preset, the steps that they took, and whether the first one's PNG fools."""
    images, steps = [], []
    still_fools = None
    for first in range(0, len(original), 20):
        result = convscope.fool(
            model,
            list(original[first : first + 20].split(1)),
            target=wanted[first : first + 20].tolist(),
            preset=preset,
        )
        images.append(torch.from_numpy(result["image"]))
        steps += [row["steps"] for row in result.table if row["fooled"]]
        if still_fools is None:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "fooled.png"
                result.save(path, plain=True)
                answer = convscope.predict(model, path, top=1).table[0]["index"]
            still_fools = answer == int(wanted[0])
    return torch.cat(images), {
        "median_steps": float(np.median(steps)),
        "most_steps": max(steps),
        "first_saved_png_still_fools": still_fools,
    }


def markdown(data: dict[str, Any]) -> str:
    """The table of the documentation."""
    lines = [
        "## Fooling beside foolbox",
        "",
        f"{data['pairs']} pairs of a photo and a random target class, the embedded network; sizes"
        " of the change in [0, 1] units, over the images that were fooled, after rounding"
        " to 8 bits as a PNG keeps them. foolbox 3.3.4 with its own numbers of steps,"
        f" {data['peer_pairs']} pairs: PGD at the first of the bounds"
        f' {", ".join(map(str, BOUNDS))} that fools; "stretched" is the same change times the'
        " least factor at which the rounded image fools: foolbox is not told of the rounding.",
        "",
        "| who | fooled | also after rounding | median L2 | median Linf | median steps | most |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in data["rows"].items():
        sizes = [
            "" if row[key] is None else f"{row[key]:.3f}" for key in ("median_l2", "median_linf")
        ]
        steps = [f"{row[key]:.0f}" if key in row else "" for key in ("median_steps", "most_steps")]
        shares = [f"{100 * row[key]:.0f} %" for key in ("fooled", "fooled_after_rounding")]
        lines.append("| " + " | ".join([name, *shares, *sizes, *steps]) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
