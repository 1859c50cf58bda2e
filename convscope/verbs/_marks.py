"""What was asked about, as a part of the photo: boxes in its pixels, pixels, masks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from convscope.networks.model import Model
from convscope.questions.box import BoxQuestion
from convscope.questions.mask import MaskQuestion
from convscope.questions.pixel import PixelQuestion
from convscope.questions.question import Question
from convscope.results.arrays import Array, to_numpy
from convscope.results.marks import Mark


def box_in_photo(
    model: Model, corners: Sequence[float], input_size: tuple[int, int], photo: Tensor
) -> tuple[float, float, float, float]:
    """A box (x1, y1, x2, y2) of what the network saw, in the photo's pixels; `input_size` (height,
    width) is what its coordinates go up to."""
    top, left, height, width = model.preprocessing.box(photo.shape[-2], photo.shape[-1])
    x1, y1, x2, y2 = corners
    return (
        left + x1 / input_size[1] * width,
        top + y1 / input_size[0] * height,
        left + x2 / input_size[1] * width,
        top + y2 / input_size[0] * height,
    )


def mark_of(
    model: Model, question: Question, input_size: tuple[int, int], photo: Tensor
) -> Mark | None:
    """Where a question with nothing left open points; None where it points at no part of the
    photo."""
    if isinstance(question, BoxQuestion) and question.box is not None:
        size = (1, 1) if question.is_relative else input_size
        return Mark("box", box_in_photo(model, question.box, size, photo))
    if isinstance(question, PixelQuestion):
        return Mark("pixel", (question.x + 0.5, question.y + 0.5))
    if isinstance(question, MaskQuestion) and question.mask is not None:
        return Mark("mask")
    return None


def masks_of(questions: Sequence[Question]) -> dict[str, Array]:
    """The places of all masks as the array `mask` (n h w, 0 where another question was asked);
    nothing where there is none."""
    masks = [
        question.mask.float().cpu()
        if isinstance(question, MaskQuestion) and question.mask is not None
        else None
        for question in questions
    ]
    known = [mask for mask in masks if mask is not None]
    if not known:
        return {}
    blank = torch.zeros_like(known[0])
    return {"mask": to_numpy(torch.stack([blank if mask is None else mask for mask in masks]))}
