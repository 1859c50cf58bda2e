"""Whether the heat of a box, a pixel or a mask lies where it was asked: the tables of
docs/questions.md, ours beside pytorch-grad-cam's recipe.

    python -m benchmarks.questions PHOTOS [--scenes 10] [--weights build/questions] [--write]
    python -m benchmarks.questions PHOTOS --pictures     the pictures of the pages only
    python -m benchmarks.questions PHOTOS --only d_rise  rows with this word; the others stay

PHOTOS holds labeled photos whose alpha channel is the object's mask. A detector and a segmenter
are trained on scenes made of them (a few minutes on two cores, kept in the folder of weights), and
asked about scenes with two objects of one class on other backgrounds: the share of the positive
heat that lies inside the box asked about. A method that cannot tell the two apart has half.
"""

from __future__ import annotations

import argparse
import warnings
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from pytorch_grad_cam import EigenCAM, GradCAM, HiResCAM
from pytorch_grad_cam.utils.model_targets import (
    FasterRCNNBoxScoreTarget,
    SemanticSegmentationTarget,
)
from torch import Tensor, nn
from torch.nn import functional

import convscope
from benchmarks._page import between, write_measured
from benchmarks._scenes import NAMES, SIDE, Scene, Scenes
from benchmarks._trained_heads import heads_of
from convscope.networks.model import Model
from convscope.results.arrays import Array
from convscope.results.pictures import Panel, overlay_heat, scale_heat, sheet, to_uint8

PAGE = Path(__file__).parent.parent / "docs" / "questions.md"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
"""Where the page holds the tables."""

LEVELS = [f"backbone.fpn.layer_blocks.{level}" for level in range(3)]
LAST = "backbone.body.blocks.6"
"""The pyramid's levels, and the last layer before it."""

DRISE_MASKS, DRISE_CELLS = 250, 8
"""Fewer and coarser than the method's own, which run the detector 4,000 times a box."""

MIN_OVERLAP = 0.5
"""A box counts as found where a detection of its class overlaps it by at least this (IoU)."""

PICTURED = 1
"""The scene that is drawn."""


@dataclass(frozen=True)
class Question:
    """What is asked of one scene: ours in words, and where heat should lie (h w, bool)."""

    image: Tensor
    target: str
    place: Tensor
    label: int
    box: tuple[float, ...] = ()
    pixel: tuple[int, int] = (0, 0)
    mask: Array | None = None


Contestant = Callable[[Question], Array]
"""From a question to a heatmap (h w) of any size."""


def ours(model: Model, **options: Any) -> Contestant:
    """`explain` with these options; without any, as a user calls it who chooses nothing."""

    def heat(question: Question) -> Array:
        result = convscope.explain(model, question.image[None], target=question.target, **options)
        heatmap: Array = result["heatmap"][0]
        return heatmap

    return heat


def d_rise(model: Model) -> Contestant:
    """D-RISE, less the smallest value of each map: its masks leave a floor everywhere, which its
    authors' figures scale away too."""
    contestant = ours(model, method="d_rise", masks=DRISE_MASKS, cells=DRISE_CELLS)

    def heat(question: Question) -> Array:
        heatmap = contestant(question)
        above: Array = heatmap - heatmap.min()
        return above

    return heat


def theirs(
    kind: type, network: nn.Module, layer: nn.Module, target: Callable[[Question], Any]
) -> Contestant:
    """pytorch-grad-cam with its own target."""

    def heat(question: Question) -> Array:
        with kind(model=network, target_layers=[layer]) as cam:
            heatmap: Array = cam(
                question.image[None].clone().requires_grad_(), targets=[target(question)]
            )[0]
        return heatmap

    return heat


class LogitsOf(nn.Module):
    """A segmenter's logits alone, as pytorch-grad-cam's tutorial wraps it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network(image)["out"]
        return logits


def box_contestants(model: Model) -> dict[str, Contestant]:
    network: Any = model.network

    def target(question: Question) -> Any:
        return FasterRCNNBoxScoreTarget([question.label], [np.array(question.box)])

    body = network.backbone.body.blocks[6]
    return {
        "Convscope, by default": ours(model),
        "Convscope, layer_cam over the pyramid": ours(model, method="layer_cam", layer=LEVELS),
        "Convscope, hires_cam over the pyramid": ours(model, method="hires_cam", layer=LEVELS),
        "Convscope, hires_cam before the pyramid": ours(model, method="hires_cam", layer=LAST),
        "Convscope, grad_cam before the pyramid": ours(model, method="grad_cam", layer=LAST),
        "Convscope, saliency": ours(model, method="saliency"),
        f"Convscope, d_rise ({DRISE_MASKS} masks, less its minimum)": d_rise(model),
        "pytorch-grad-cam, EigenCAM (its tutorial)": theirs(EigenCAM, network, body, target),
        "pytorch-grad-cam, GradCAM": theirs(GradCAM, network, body, target),
        "pytorch-grad-cam, HiResCAM": theirs(HiResCAM, network, body, target),
    }


def map_contestants(model: Model) -> dict[str, Contestant]:
    network: Any = LogitsOf(model.network)

    def target(question: Question) -> Any:
        mask = question.mask
        if mask is None:
            mask = np.zeros((SIDE, SIDE), np.float32)
            mask[question.pixel[1], question.pixel[0]] = 1
        return SemanticSegmentationTarget(question.label, mask)

    body = network.network.backbone.body.blocks[6]
    finest = "backbone.fpn.layer_blocks.0"
    return {
        "Convscope, by default": ours(model),
        "Convscope, layer_cam at the finest level": ours(model, method="layer_cam", layer=finest),
        "Convscope, hires_cam before the pyramid": ours(model, method="hires_cam", layer=LAST),
        "Convscope, grad_cam before the pyramid": ours(model, method="grad_cam", layer=LAST),
        "Convscope, saliency": ours(model, method="saliency"),
        "pytorch-grad-cam, GradCAM (its tutorial)": theirs(GradCAM, network, body, target),
        "pytorch-grad-cam, HiResCAM": theirs(HiResCAM, network, body, target),
    }


def box_questions(model: Model, scenes: list[Scene]) -> Iterator[Question]:
    """Each of the twins that the detector sees."""
    for scene in scenes:
        rows = convscope.predict(model, scene.image[None], top=20).table
        for box, label in zip(scene.boxes, scene.labels, strict=True):
            for row in rows:
                corners = tuple(float(row[name]) for name in ("x1", "y1", "x2", "y2"))
                if row["index"] == int(label) and overlap(box, corners) >= MIN_OVERLAP:
                    place = inside(box.tolist())
                    yield Question(scene.image, f"box:{row['box']}", place, int(label), box=corners)
                    break


def pixel_questions(model: Model, scenes: list[Scene]) -> Iterator[Question]:
    """The pixel in the middle of each twin, where the segmenter sees its class."""
    for scene in scenes:
        seen = enlarged(convscope.predict(model, scene.image[None])["segmentation"][0], "nearest")
        for mask, box, label in zip(scene.masks, scene.boxes, scene.labels, strict=True):
            rows, columns = torch.nonzero(mask & (torch.from_numpy(seen) == label), as_tuple=True)
            if not len(rows):
                continue
            middle = int(
                ((rows - box[1::2].mean()) ** 2 + (columns - box[::2].mean()) ** 2).argmin()
            )
            pixel = int(columns[middle]), int(rows[middle])
            target = f"pixel:{pixel[0]},{pixel[1]}@{int(label)}"
            yield Question(scene.image, target, inside(box.tolist()), int(label), pixel=pixel)


def mask_questions(model: Model, scenes: list[Scene]) -> Iterator[Question]:
    """The first object's class, in scenes of two classes."""
    for scene in scenes:
        seen = convscope.predict(model, scene.image[None])["segmentation"][0]
        label = int(scene.labels[0])
        mask = (enlarged(seen, "nearest") == label).astype(np.float32)
        if mask.any():
            target = f"mask:{label}"
            yield Question(scene.image, target, inside(scene.boxes[0].tolist()), label, mask=mask)


def overlap(box: Tensor, corners: tuple[float, ...]) -> float:
    """Intersection over union."""
    from torchvision.ops import box_iou

    return float(box_iou(box[None], torch.tensor([corners])))


def inside(box: list[float]) -> Tensor:
    """The pixels of a box (h w)."""
    place = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    left, top, right, bottom = (round(corner) for corner in box)
    place[top:bottom, left:right] = True
    return place


def enlarged(heatmap: Array, mode: str = "bilinear") -> Array:
    """A heatmap at the scene's size."""
    how = {} if mode == "nearest" else {"align_corners": False}
    larger = functional.interpolate(
        torch.from_numpy(heatmap)[None, None].float(), (SIDE, SIDE), mode=mode, **how
    )
    pixels: Array = larger[0, 0].numpy()
    return pixels


def share_inside(heatmap: Array, place: Tensor) -> float:
    """The share of the positive heat that lies there; 0 where there is none."""
    heat = enlarged(heatmap).clip(0)
    return float(heat[place.numpy()].sum() / max(heat.sum(), 1e-30))


def measure(
    contestants: dict[str, Contestant], questions: list[Question]
) -> dict[str, list[float]]:
    shares: dict[str, list[float]] = defaultdict(list)
    for question in questions:
        for name, heat in contestants.items():
            shares[name].append(share_inside(heat(question), question.place))
    return shares


def table(
    title: str, shares: dict[str, list[float]], questions: list[Question], rows: list[str]
) -> str:
    """One table in Markdown, the best first; `rows` are those of other methods, measured before."""
    area = np.mean([float(question.place.float().mean()) for question in questions])
    lines = [
        f"### {title}",
        "",
        f"{len(questions)} questions; heat spread evenly would be {area:.0%}.",
        "",
        "| method | inside | standard deviation |",
        "|---|---|---|",
    ]
    measured = [
        f"| {name} | {np.mean(values):.1%} | {np.std(values):.1%} |"
        for name, values in shares.items()
    ]
    return "\n".join([*lines, *sorted([*measured, *rows], key=_share_in, reverse=True)]) + "\n"


def _share_in(row: str) -> float:
    return float(row.split("|")[2].strip().removesuffix("%"))


def earlier_rows(title: str, names: Collection[str]) -> list[str]:
    """The rows of a table of the page that are of none of these methods."""
    section = (
        PAGE.read_text().partition(f"### {title}\n")[2].partition("\n###")[0].partition(END)[0]
    )
    rows = [row for row in section.splitlines() if row.startswith("| ") and "%" in row]
    return [row for row in rows if row.split("|")[1].strip() not in names]


def models(weights: Path, photos: str) -> tuple[Model, Model, Model]:
    """The detector, the segmenter and the regressor."""
    labels = Scenes(photos).labels
    networks = heads_of(weights, photos)
    detector, segmenter = (
        convscope.load_model(networks[name], size=SIDE, labels=labels, mean=mean, std=mean)
        for name, mean in (("detector", None), ("segmenter", 0.5))
    )
    regressor = convscope.load_model(
        networks["regressor"], size=SIDE, task="regression", labels=["objects", "share covered"]
    )
    return detector, segmenter, regressor


def draw(model: Model, scene: Scene) -> None:
    """The picture of the page: both boxes of a scene, asked of three contestants."""
    contestants = box_contestants(model)
    shown = [
        "Convscope, by default",
        "pytorch-grad-cam, HiResCAM",
        "pytorch-grad-cam, GradCAM",
        "pytorch-grad-cam, EigenCAM (its tutorial)",
    ]
    photo = to_uint8(scene.image.permute(1, 2, 0).numpy())
    panels = []
    for question in box_questions(model, [scene]):
        asked = Image.fromarray(photo.copy())
        ImageDraw.Draw(asked).rectangle(question.box, outline="#d62728", width=3)
        panels.append(Panel(asked, question.target, "asked about"))
        for name in shown:
            heat = scale_heat(enlarged(contestants[name](question)), "layer").share
            share = share_inside(contestants[name](question), question.place)
            method = name.partition(", ")
            picture = Image.fromarray(overlay_heat(photo, heat, alpha=0.6))
            panels.append(Panel(picture, method[2], f"{method[0]}: {share:.0%} inside"))
    picture = sheet(panels, columns=len(shown) + 1)
    picture.thumbnail((1400, 1400))
    picture.save(PAGE.with_suffix(".jpg"), quality=82, optimize=True)


def draw_gallery(detector: Model, segmenter: Model, regressor: Model, scene: Scene) -> None:
    """The pictures of the gallery that need trained heads."""
    photo = scene.image[None]
    label = int(scene.labels[0])
    pictures = {
        "detector_boxes": convscope.predict(detector, photo),
        "detector_heat": convscope.explain(detector, photo, target=["box:0", "box:1"]),
        "segmenter_masks": convscope.predict(segmenter, photo),
        "segmenter_heat": convscope.explain(segmenter, photo, target=f"mask:{label}"),
        "regressor_values": convscope.predict(regressor, photo),
        "regressor_heat": convscope.explain(regressor, photo, target=["value:0", "value:1"]),
    }
    for name, result in pictures.items():
        picture = result.picture().convert("RGB")
        picture.thumbnail((900, 900))
        picture.save(PAGE.parent / "gallery" / f"{name}.jpg", quality=82, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("photos")
    parser.add_argument("--scenes", type=int, default=10)
    parser.add_argument("--weights", type=Path, default=Path("build/questions"))
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    parser.add_argument(
        "--only",
        help="measure the methods whose name has this word; the other rows of the page stay",
    )
    parser.add_argument("--pictures", action="store_true", help="draw the pages' pictures only")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    detector, segmenter, regressor = models(arguments.weights, arguments.photos)
    drawing, rng = Scenes(arguments.photos, is_test=True), np.random.default_rng(1)
    twins = [drawing.twins(rng) for _ in range(arguments.scenes)]
    if arguments.pictures:
        draw(detector, twins[PICTURED])
        draw_gallery(detector, segmenter, regressor, twins[PICTURED])
        return
    pairs = [
        drawing.draw(rng, rng.choice(np.arange(1, len(NAMES) + 1), 2, replace=False).tolist())
        for _ in range(arguments.scenes)
    ]
    parts = []
    for title, questions, contestants in (
        (
            "A box beside another of its class",
            box_questions(detector, twins),
            box_contestants(detector),
        ),
        (
            "A pixel of an object beside another of its class",
            pixel_questions(segmenter, twins),
            map_contestants(segmenter),
        ),
        (
            "The mask of a class beside an object of another",
            mask_questions(segmenter, pairs),
            map_contestants(segmenter),
        ),
    ):
        asked = list(questions)
        if arguments.only:
            contestants = {
                name: heat for name, heat in contestants.items() if arguments.only in name
            }
        rows = earlier_rows(title, contestants) if arguments.only else []
        parts.append(table(title, measure(contestants, asked), asked, rows))
        print(parts[-1], flush=True)
    if arguments.write:
        page = between(PAGE.read_text(), BEGIN, END, "\n".join(parts))
        write_measured(PAGE, page, "benchmarks.questions PHOTOS --write")


if __name__ == "__main__":
    main()
