"""From a photo in [0, 1] to what a network takes, and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from convscope.photos.resize import resize, resize_shorter_and_crop, visible_box

Interpolation = Literal["bicubic", "bilinear", "nearest"]

ResizeMode = Literal["crop", "squash"]
"""How a photo comes to the network's size: its shorter side is resized and the middle cut out, or
both sides are resized, whatever that does to its proportions (Keras's `target_size`)."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Channel statistics of ImageNet's training photos, as torchvision's networks expect them."""


@dataclass(frozen=True)
class Preprocessing:
    """From a photo in [0, 1] to the network's input.

    The shorter side is resized so that the center crop of `size` (height, width) is the share
    `crop` of it, or with `resize` "squash" the whole photo is brought to `size`; then `(image *
    scale - mean) / std`, with the channels reversed first where `bgr` is set, and with `mean_image`
    (c h w, in the scaled units) subtracted where there is one.
    """

    size: tuple[int, int] = (224, 224)
    crop: float = 1.0
    interpolation: Interpolation = "bicubic"
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    scale: float = 1.0
    bgr: bool = False
    mean_image: Tensor | None = field(default=None, compare=False)
    resize: ResizeMode = "crop"

    def fit(self, photo: Tensor) -> Tensor:
        """The part of a photo (n c h w in [0, 1]) that the network sees, at the network's size."""
        if self.resize == "squash":
            return resize(photo, self.size, self.interpolation)
        return resize_shorter_and_crop(photo, self.size, self.crop, self.interpolation)

    @property
    def input_span(self) -> float:
        """How far apart black and white are in the network's units, the mean over channels: 1 for
        images in [0, 1], 255 for pixels from 0 to 255, 4.4 for ImageNet's mean and deviation."""
        return sum(self.scale / std for std in self.std) / len(self.std)

    def box(self, height: int, width: int) -> tuple[float, float, float, float]:
        """Where that part lies in the photo: top, left, height, width in photo pixels."""
        if self.resize == "squash":
            return 0.0, 0.0, float(height), float(width)
        return visible_box(height, width, self.size, self.crop)

    def normalize(self, image: Tensor) -> Tensor:
        """Image in [0, 1] to network input; differentiable."""
        if self.bgr:
            image = image.flip(1)
        image = image * self.scale if self.scale != 1.0 else image
        if self.mean_image is not None:
            mean = self.mean_image.to(image)[None]
            if mean.shape[-2:] != image.shape[-2:]:
                mean = nn.functional.interpolate(
                    mean, image.shape[-2:], mode="bilinear", align_corners=False
                )
            image = image - mean
        return (image - self._column(self.mean, image)) / self._column(self.std, image)

    def denormalize(self, image: Tensor) -> Tensor:
        """The inverse of `normalize`."""
        image = image * self._column(self.std, image) + self._column(self.mean, image)
        if self.mean_image is not None:
            mean = self.mean_image.to(image)[None]
            if mean.shape[-2:] != image.shape[-2:]:
                mean = nn.functional.interpolate(
                    mean, image.shape[-2:], mode="bilinear", align_corners=False
                )
            image = image + mean
        image = image / self.scale
        return image.flip(1) if self.bgr else image

    @staticmethod
    def _column(values: tuple[float, ...], image: Tensor) -> Tensor:
        return torch.tensor(values, dtype=image.dtype, device=image.device)[None, :, None, None]
