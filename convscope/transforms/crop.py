from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from convscope.streams import Streams
from convscope.transforms import register


@register(many=True)
def crop(images: Tensor, streams: Streams, *, count: int = 1, low: float = 1.0, high: float = 1.0, size: int | None = None) -> Tensor:
    """Random square crops, several of each image in a row, resized back (Fel et al., 2023).

    Args:
        count: crops per image; an image's score is the mean over them.
        low: smallest side, as a share of the image's.
        high: largest side.
        size: side of the result in pixels; the image's own by default.
    """
    if count == 1 and low == high == 1.0 and size is None:
        return images
    height, width = (size, size) if size else images.shape[-2:]
    share = streams.uniform(count, low=low, high=high)
    middle = streams.uniform(count, 2, low=-1, high=1) * (1 - share)[..., None]
    theta = torch.zeros(*share.shape, 2, 3, device=images.device)
    theta[..., 0, 0] = theta[..., 1, 1] = share
    theta[..., 2] = middle
    # One call for all crops of an image: they lie side by side in one tall grid.
    grid = affine_grid(theta.flatten(0, 1), [len(images) * count, images.shape[1], height, width], align_corners=False)
    tall = grid.reshape(len(images), count * height, width, 2)
    seen = grid_sample(images, tall, padding_mode="reflection", align_corners=False)
    return seen.unflatten(2, (count, height)).transpose(1, 2).flatten(0, 1)
