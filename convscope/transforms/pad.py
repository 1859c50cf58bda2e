from __future__ import annotations

from dataclasses import replace

from convscope.streams import Streams
from convscope.transforms import Frame, register


@register(affine=True)
def pad(frame: Frame, streams: Streams, *, pixels: int = 12, fill: float | None = 0.5) -> Frame:
    """A border around the image, so that moving it does not cut it (Olah et al., 2017: 16; Lucid: 12).

    Args:
        pixels: width of the border.
        fill: its grey value in [0, 1]; None mirrors the image.
    """
    return replace(frame, size=(frame.size[0] + 2 * pixels, frame.size[1] + 2 * pixels), fill=fill)
