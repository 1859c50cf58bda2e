"""What is asked of the scenes of `benchmarks.questions`: about a box, a pixel or a mask, and where
the heat should lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

import convscope
from benchmarks._scenes import SIDE, Scene
from convscope.networks.model import Model
from convscope.results.arrays import Array

MIN_OVERLAP = 0.5
"""A box counts as found where a detection of its class overlaps it by at least this (IoU)."""


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
