"""A photo with as many channels as a network takes."""

from __future__ import annotations

from torch import Tensor

from convscope.errors import ImageError


def match_channels(photo: Tensor, channels: int, name: str) -> Tensor:
    """A photo (n c h w) with `channels` channels: gray is repeated, color averaged where one is
    wanted. `name` is the network's, for the message.

    Raises:
        ImageError: there is no such way.
    """
    if photo.shape[1] == channels:
        return photo
    if channels == 1 and photo.shape[1] == 3:
        return photo.mean(1, keepdim=True)
    if channels == 3 and photo.shape[1] == 1:
        return photo.expand(-1, 3, -1, -1)
    raise ImageError(f"The photo has {photo.shape[1]} channel(s), but {name} takes {channels}.")
