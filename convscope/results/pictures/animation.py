"""An ascent as a moving picture."""

from __future__ import annotations

import io
from dataclasses import replace

from PIL import Image

from convscope.core.ranges import PositiveInt
from convscope.errors import OptionError
from convscope.results.details import ImagesDetails
from convscope.results.pictures import register
from convscope.results.pictures.images import images
from convscope.results.result import Result

HOLD = 8
"""The last frame is shown so many times as long as the others."""


@register()
def animation(result: Result, *, milliseconds: PositiveInt = 120) -> Image.Image:
    """The snapshots of an ascent one after the other, as a picture with several frames.

    Reads `snapshot` (`k n 3 h w` in [0, 1]) and from the details `snapshots`, the steps they were
    taken at.

    Args:
        milliseconds: how long each frame is shown.

    Raises:
        OptionError: there are no snapshots.
    """
    if "snapshot" not in result:
        raise OptionError(
            "There are no snapshots to animate; name the steps to keep, such as 1, 10 and 100"
            " (--snapshots 1,10,100)."
        )
    frames = []
    details = result.details_as(ImagesDetails)
    for step, image in zip(details.snapshots, result["snapshot"], strict=True):
        titles = [f"{title}, step {step}" for title in details.titles]
        frame = replace(result, arrays={"image": image}, details=replace(details, titles=titles))
        frames.append(images(frame).convert("RGB"))
    buffer = io.BytesIO()
    durations = [milliseconds] * (len(frames) - 1) + [milliseconds * HOLD]
    frames[0].save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        loop=0,
        lossless=True,
    )
    return Image.open(buffer)
