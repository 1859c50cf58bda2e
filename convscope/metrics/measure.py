"""One or several metrics over the same maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from convscope.core.types import Options
from convscope.errors import OptionError, suggest
from convscope.metrics import registry
from convscope.metrics.metric_input import MetricInput
from convscope.networks.model import Model
from convscope.photos.load_image import PhotoLike, load_photos

MaskLike: TypeAlias = PhotoLike
"""For each photo an image of its size (files, arrays, tensors), white where the object is."""


def check_metrics(names: Sequence[str], options: Options) -> None:
    """Every option must be one that at least one of the metrics takes.

    Raises:
        OptionError: one is not, or there is no such metric.
    """
    known = {parameter.name for name in names for parameter in registry.schema(name).options}
    for option in set(options) - known:
        hint = suggest(option, sorted(known)) if known else "it takes no options."
        raise OptionError(f"{' and '.join(names)} has no option {option!r}; {hint}")


def measure(case: MetricInput, name: str, options: Options) -> Tensor:
    """One metric on a case, one number per image; of the options, those that it takes."""
    schema = registry.schema(name)
    known = {parameter.name for parameter in schema.options}
    values: Tensor = registry.get(name)(
        case, **schema.validate({key: value for key, value in options.items() if key in known})
    )
    return values


def masks_of(
    model: Model, mask: MaskLike | None, photo: list[Tensor], photo_of: Sequence[int]
) -> Tensor | None:
    """One mask per photo (files, arrays; white is the object) as n h w, bool, where the network
    sees it.

    Raises:
        OptionError: another number of masks than photos, or a mask of another size than its photo.
    """
    if mask is None:
        return None
    masks = [picture.mean(1, keepdim=True) for picture in load_photos(mask)]
    if len(masks) != len(photo):
        raise OptionError(
            f"There must be one mask for each photo; {len(masks)} mask(s) and {len(photo)} photo(s)"
            " were given."
        )
    for object_mask, image in zip(masks, photo, strict=True):
        if object_mask.shape[-2:] != image.shape[-2:]:
            sizes = " and ".join(
                f"{height} x {width}"
                for height, width in (image.shape[-2:], object_mask.shape[-2:])
            )
            raise OptionError(f"A mask must have the size of its photo; {sizes} were given.")
    visible = [model.preprocessing.fit(object_mask.to(model.device)) > 0.5 for object_mask in masks]
    return torch.cat([visible[place][:, 0] for place in photo_of])
