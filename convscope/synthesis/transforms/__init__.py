"""Transforms: a unit's picture should still excite it when it is moved, turned or blurred a little
(Olah et al., 2017).

A transform is a function in a file of its own name, drawn anew at each step, per image. There are
two kinds:

    (images, streams, *, parameters) -> images    anything differentiable
    (frame, streams, *, parameters) -> frame      trait `affine`: moves the frame through which
                                                  the image is seen

The first kind may give several of each image, next to each other. Neighboring affine ones are
multiplied out first, so that jitter, scale and rotate together cost one resampling. Beyond the
image they show black, as Lucid's do: a picture made with gray there holds less well where a photo
is moved. At strength 0 every transform is the identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from convscope.core.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from convscope.synthesis.config import PartSpec
    from convscope.synthesis.random import RandomStreams


@dataclass(frozen=True)
class TransformTraits:
    """What is known of a transform before it runs. `affine`: it moves the frame through which the
    image is seen, so that neighbors can be multiplied out. `alpha`: it takes an image with opacity
    and gives one without."""

    affine: bool = False
    alpha: bool = False


registry = Registry(__name__, "transform", TransformTraits)
register = registry.register


@dataclass(frozen=True)
class Frame:
    """The view on an image: `matrix` (n 3 3) takes a point of the view, in pixels from its center,
    to a point of the image, in pixels from the image's center. `size` is the view's height and
    width, `fill` the gray value of what lies beyond the image. With `corner` (n 2) the image is
    first cut to `held` (height, width) from there.
    """

    matrix: Tensor
    size: tuple[int, int]
    fill: float = 0.0
    corner: Tensor | None = None
    held: tuple[int, int] = (0, 0)
    whole: bool = False

    @property
    def untouched(self) -> bool:
        """Whether it still is the whole image."""
        return self.corner is None and self.whole

    def after(self, matrix: Tensor) -> Frame:
        """The view through a further map (n 3 3) of its points."""
        return replace(self, matrix=self.matrix @ matrix, whole=False)


def apply(images: Tensor, streams: RandomStreams, transforms: Sequence[PartSpec]) -> Tensor:
    """All transforms in order on a batch (n c h w); the result may be larger or smaller, or hold
    several crops of each image."""
    frame: Frame | None = None
    for name, options in transforms:
        function = registry.get(name)
        if registry.traits(name).affine:
            frame = function(frame or _whole(images), streams, **options)
            continue
        if frame is not None:
            images, frame = resample(images, frame), None
        images = function(images, streams, **options)
        if len(images) > len(streams):
            streams = streams.repeated(len(images) // len(streams))
    return images if frame is None else resample(images, frame)


def _whole(images: Tensor) -> Frame:
    import torch

    height, width = images.shape[-2:]
    return Frame(
        torch.eye(3, device=images.device).expand(len(images), 3, 3), (height, width), whole=True
    )


def resample(images: Tensor, frame: Frame) -> Tensor:
    """Images seen through a frame, by bilinear resampling; differentiable."""
    import torch

    if frame.corner is not None:
        (tall, wide), corners = frame.held, frame.corner.tolist()
        cuts = [
            image[:, top : top + tall, left : left + wide]
            for image, (top, left) in zip(images, corners, strict=True)
        ]
        images = torch.stack(cuts)
    height, width = images.shape[-2:]
    rows, columns = frame.size
    if (
        rows == height
        and columns == width
        and bool((frame.matrix == torch.eye(3, device=images.device)).all())
    ):
        return images
    # From pixels about the centers to grid_sample's -1 .. 1 over the whole extent.
    into = torch.diag(torch.tensor([2 / width, 2 / height, 1.0], device=images.device))
    outof = torch.diag(torch.tensor([columns / 2, rows / 2, 1.0], device=images.device))
    theta = (into @ frame.matrix @ outof)[:, :2]
    # affine_grid's numbers; as a sum of a row and a column it costs a tenth.
    across, down = (
        ((torch.arange(count, device=images.device) * 2 + 1) / count - 1)
        for count in (columns, rows)
    )
    grid = (
        theta[:, None, None, :, 0] * across[:, None]
        + (theta[:, :, 1, None] * down + theta[:, :, 2, None]).mT[:, :, None]
    ).to(images)
    beyond = frame.fill
    resampled = torch.nn.functional.grid_sample(
        images - beyond if beyond else images, grid, padding_mode="zeros", align_corners=False
    )
    return resampled + beyond if beyond else resampled
