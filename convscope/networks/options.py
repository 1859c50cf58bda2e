"""What a user says about a network's input and classes, checked."""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from convscope.core.damaged import DAMAGED
from convscope.core.types import Options
from convscope.errors import ConvscopeError, ModelError, OptionError, shown
from convscope.networks.preprocessing import Preprocessing
from convscope.networks.wordnet import with_words
from convscope.photos.pixels import Pixels

LABELS_BYTES = 16 << 20
"""Room for the names of two hundred thousand classes."""

MEAN_IMAGE_BYTES = 256 << 20
"""Room for three channels of 2900 x 2900 doubles: more than any network's input has."""

MeanImage: TypeAlias = str | Path | Pixels | Tensor
"""A mean image: a file, an array or a tensor."""

WHITE = 255.0
"""White in an 8-bit photo: `scale` is said for such pixels, `Preprocessing` works on [0, 1]."""

SCALES_OF_UNIT_PIXELS = (127.0, 127.5, 128.0, 255.0, 256.0)
"""Factors that pixels in [0, 1] are multiplied by; `scale` is that of pixels from 0 to 255."""


def preprocessing(known: Preprocessing, channels: int, changes: Options) -> Preprocessing:
    """What a source knows, with what the user said in its place.

    Raises:
        OptionError: a value that does not fit; ModelError: a mean image that cannot be read.
    """
    values = dict(changes)
    if "size" in changes:
        values = {"crop": 1.0} | values | {"size": size(changes["size"])}
    for name in ("mean", "std"):
        if name in changes:
            values[name] = per_channel(changes[name], name, channels)
    if 0.0 in values.get("std", ()):
        raise OptionError("std has a zero in it, and nothing can be divided by that.")
    if "scale" in changes:
        if not float(changes["scale"]) > 0:
            raise OptionError(
                f"scale must be above 0 (1/255, or 1); {changes['scale']!r} was given."
            )
        if float(changes["scale"]) in SCALES_OF_UNIT_PIXELS:
            raise OptionError(
                f"scale={changes['scale']:g} would make white {changes['scale'] * WHITE:,g}: scale"
                " multiplies pixels from 0 to 255, so 1 leaves them as they are and 1/255 brings"
                " them to [0, 1]."
            )
        values["scale"] = float(changes["scale"]) * WHITE
    if changes.get("resize") == "squash":
        if changes.get("crop", 1) != 1:
            raise OptionError(
                "resize='squash' shows the network the whole photo, so"
                f" crop={changes['crop']:g} cannot be kept; leave one of the two out."
            )
        values["crop"] = 1.0
    elif changes.get("crop", 1) != 1:
        values["resize"] = "crop"
    if not 0 < float(values.get("crop", 1.0)) <= 1:
        raise OptionError(
            f"crop is the share of the photo that is seen, above 0 and up to 1; {changes['crop']!r}"
            " was given."
        )
    if values.get("interpolation", "bicubic") not in ("bicubic", "bilinear", "nearest"):
        raise OptionError(
            f"interpolation is bicubic, bilinear or nearest; {changes['interpolation']!r} was"
            " given."
        )
    if "mean_image" in changes:
        values["mean_image"] = mean_image(
            changes["mean_image"], channels, values.get("scale", known.scale)
        )
    return replace(known, **values)


def size(side: int | Sequence[int]) -> tuple[int, int]:
    """Height and width from one number or two."""
    sides = (side, side) if isinstance(side, int) else tuple(side)
    if len(sides) not in (1, 2) or min(sides) < 1:
        raise OptionError(f"size is one number or height and width, 1 or more; {side!r} was given.")
    return int(sides[0]), int(sides[-1])


def per_channel(values: Sequence[float] | float, what: str, channels: int) -> tuple[float, ...]:
    """One number for all channels or one for each."""
    numbers = (
        (float(values),)
        if isinstance(values, (int, float))
        else tuple(float(value) for value in values)
    )
    if len(numbers) not in (1, channels):
        raise OptionError(
            f"{what} needs 1 or {channels} number(s), one per channel; {len(numbers)} were given."
        )
    return numbers


def labels(source: Sequence[str] | str | Path) -> tuple[str, ...]:
    """Class names, from a list, a text with commas between them, or a text file with one a line;
    WordNet ids (`n02504458`, alone or before the words) become the words with the id behind."""
    if isinstance(source, str) and "," in source and not os.path.exists(source):
        source = source.split(",")
    if not isinstance(source, (str, Path)):
        return tuple(with_words(str(label).strip()) for label in source)
    if not os.path.isfile(source):
        raise ModelError(f"There is no labels file {str(source)!r}.")
    if os.path.getsize(source) > LABELS_BYTES:
        raise ModelError(
            f"The labels file {str(source)!r} has {os.path.getsize(source):,} bytes; one with a"
            f" label a line has at most {LABELS_BYTES:,}."
        )
    try:
        return tuple(
            with_words(line.strip())
            for line in Path(source).read_text(encoding="utf-8").splitlines()
            if line.strip()
        )
    except OSError as error:
        raise ModelError(
            f"The labels file {str(source)!r} cannot be read: {error.strerror or error}."
        ) from None
    except UnicodeDecodeError:
        raise ModelError(
            f"The labels file {str(source)!r} is not a text file (UTF-8, one label a line)."
        ) from None


def mean_image(source: MeanImage, channels: int, scale: float) -> Tensor:
    """A mean image (c h w) from a .npy or .npz file, a picture (then in the units that `scale`
    makes of [0, 1]), an array or a tensor.

    Raises:
        ModelError: it cannot be read, or has another number of channels.
    """
    where = "The mean image"
    if isinstance(source, (str, Path)):
        where = f"The mean image {str(source)!r}"
        try:
            image = (
                _stored_array(source)
                if str(source).endswith((".npy", ".npz"))
                else _picture(source) * scale
            )
        except ConvscopeError as error:
            raise ModelError(f"{where} cannot be used: {error}") from None
        except DAMAGED as error:
            raise ModelError(f"{where} cannot be read: {error}.") from None
    else:
        image = source
    try:
        copied = np.array(image) if isinstance(image, np.ndarray) else image  # may be read-only
        tensor = torch.as_tensor(copied, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError):
        raise ModelError(
            f"{where} must be a file, an array or a tensor; {shown(source)} was given."
        ) from None
    tensor = tensor[None] if tensor.ndim == 2 else tensor
    if tensor.ndim == 3 and tensor.shape[0] != channels and tensor.shape[-1] == channels:
        tensor = tensor.permute(2, 0, 1)
    if tensor.ndim != 3 or tensor.shape[0] != channels:
        shape = " x ".join(map(str, tensor.shape))
        raise ModelError(
            f"{where} is {shape}, but the network takes {channels} channel(s): it must be channels"
            " x height x width."
        )
    return tensor.contiguous()


def _stored_array(path: str | Path) -> Pixels:
    """The array in a .npy file, or the only one in a .npz file.

    The header is read first, since NumPy makes room for whatever it claims.

    Raises:
        ModelError: it is larger than any mean image, or one of several.
    """
    if not os.path.isfile(path):  # reading a pipe or a device might never end
        raise ModelError("it is no file.")
    if str(path).endswith(".npy"):
        return _checked_array(Path(path).read_bytes(), path)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) != 1:
            raise ModelError(f"{str(path)!r} holds {len(members)} arrays, and one is needed.")
        if members[0].file_size > MEAN_IMAGE_BYTES:
            raise _too_large(path)
        return _checked_array(archive.read(members[0]), path)


def _checked_array(data: bytes, path: str | Path) -> Pixels:
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else (np.lib.format.read_array_header_2_0)
    )
    shape, _, dtype = read(stream)
    if math.prod(shape) * dtype.itemsize > MEAN_IMAGE_BYTES:
        raise _too_large(path)
    stream.seek(0)
    array: Pixels = np.load(stream, allow_pickle=False)
    return array


def _too_large(path: str | Path) -> ModelError:
    return ModelError(
        f"{str(path)!r} claims more than {MEAN_IMAGE_BYTES >> 20} MiB, and no mean image has that."
    )


def _picture(path: str | Path) -> Tensor:
    from convscope.photos.load_image import load_image

    return load_image(path)[0]


def channels_of(network: nn.Module) -> int:
    """How many channels a network takes, as its first convolution says; 3 where it has none."""
    first = next((module for module in network.modules() if isinstance(module, nn.Conv2d)), None)
    return first.in_channels if first is not None else 3
