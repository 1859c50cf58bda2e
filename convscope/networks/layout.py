"""How a layer's output becomes maps: n c h w, whatever the network makes of it.

Convolutional outputs are maps already; a dense output is c maps of 1 x 1; tokens of a transformer
become the grid they were cut from, class and register tokens dropped; windows are laid back where
they came from. The inverse puts changed maps back. What a layer gives is found by looking at one
dry run (`layout_inference.py`), not from a table of names.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from convscope.errors import LayerError
from convscope.networks.concept_file import read_layer
from convscope.networks.concept_layer import is_concept_layer, project, with_projection

MOST_EXTRA_TOKENS = 16
"""More class, distillation and register tokens than any published transformer has."""


Size = tuple[int, int]
"""Height and width in pixels, or rows and columns of a grid."""


@dataclass(frozen=True)
class AxisLayout:
    """How the output of one layer lies in its tensor.

    `channel` and `batch` are axes. Where the first axis counts more than images (windows, tokens),
    `parts` is how many of its rows belong to one image. `extra` tokens at the start and `trailing`
    ones at the end are no places, the others are the `grid` (rows, columns) line by line, or lie
    where `places` (rows * columns) says.
    """

    channel: int = 1
    batch: int = 0
    parts: int = 1
    extra: int = 0
    trailing: int = 0
    grid: Size | None = None
    places: Tensor | None = None

    @property
    def plain(self) -> bool:
        """Whether moving the channel axis is all it takes."""
        return self.grid is None


@dataclass(frozen=True)
class Layout:
    """How the outputs of a network's layers become maps.

    `grid` is the patch grid (rows, columns) where it is known beforehand; `channels_last` says that
    four-dimensional outputs are n h w c. `axis_layouts` has what a dry run found: layer name ->
    an axis layout for each of its calls. The size of the image that ran (height, width) is given
    with each output: it tells 4 x 9 tokens from 6 x 6.
    """

    grid: Size | None = None
    channels_last: bool = False
    axis_layouts: Mapping[str, Sequence[AxisLayout]] = field(default_factory=dict)

    def to_maps(self, output: Tensor, name: str, image_size: Size) -> Tensor:
        """n c h w from a layer's raw output. A gradient of that output goes the same way.

        Raises:
            LayerError: a layer that works in windows ran on another size than the network's own.
        """
        if is_concept_layer(name):
            return project(self.to_maps(output, read_layer(name).layer, image_size), name)
        axis_layout = self.axis_layout(output, name, image_size)
        if output.ndim == 1:
            return output[:, None, None, None]
        if axis_layout.plain:
            return (
                output.flatten(2)[..., None]
                if output.ndim not in (2, 4)
                else self._moved(output, axis_layout)
            )
        tokens, (rows, columns) = self._tokens(output, axis_layout, name, image_size)
        chosen = (
            tokens[:, axis_layout.extra : tokens.shape[1] - axis_layout.trailing]
            if axis_layout.places is None
            else tokens[:, axis_layout.places.to(tokens.device)]
        )
        return chosen.transpose(1, 2).reshape(len(chosen), -1, rows, columns)

    def from_maps(self, maps: Tensor, like: Tensor, name: str, image_size: Size) -> Tensor:
        """The raw output that `maps` (m c h w) stand for; `like` (one image's raw output) is what
        they replace."""
        if is_concept_layer(name):
            layer = read_layer(name).layer
            whole = with_projection(self.to_maps(like, layer, image_size), maps, name)
            return self.from_maps(whole, like, layer, image_size)
        axis_layout = self.axis_layout(like, name, image_size)
        if axis_layout.plain:
            if like.ndim == 4:
                return maps.movedim(1, axis_layout.channel)
            return maps.reshape(maps.shape[0], *like.shape[1:])
        tokens, _ = self._tokens(like, axis_layout, name, image_size)
        tokens_of_maps = maps.flatten(2).transpose(1, 2)
        kept = tokens.expand(maps.shape[0], -1, -1)
        if axis_layout.places is None:
            last = kept[:, kept.shape[1] - axis_layout.trailing :]
            whole = torch.cat([kept[:, : axis_layout.extra], tokens_of_maps, last], dim=1)
        else:
            whole = kept.index_copy(
                1, axis_layout.places.to(kept.device), tokens_of_maps.to(kept.dtype)
            )
        order = _order(axis_layout, like.ndim)
        inner = [like.shape[axis] for axis in order]
        return whole.reshape(-1, *inner[1:]).permute(
            [order.index(axis) for axis in range(like.ndim)]
        )

    def axis_layout(self, output: Tensor, name: str, image_size: Size) -> AxisLayout:
        """What is known of a layer's output, or else the best guess from its shape."""
        base, mark, call = name.partition("#")
        known = self.axis_layouts.get(base)
        if known:
            return known[min(int(call), len(known)) - 1 if mark else -1]
        if output.ndim == 4:
            return AxisLayout(channel=3 if self.channels_last else 1)
        if output.ndim == 3:
            extra, grid = self.token_grid(output.shape[1], image_size) or (0, (output.shape[1], 1))
            return AxisLayout(channel=2, extra=extra, grid=grid)
        return AxisLayout()

    def token_grid(
        self, count: int, image_size: Size, fewest: int = 0, most: int = MOST_EXTRA_TOKENS
    ) -> tuple[int, Size] | None:
        """How many of `count` tokens are no places, and the rows and columns of the rest, from the
        shape of the image."""
        if self.grid is not None and fewest <= count - math.prod(self.grid) <= most:
            return count - math.prod(self.grid), self.grid
        height, width = image_size
        for extra in range(fewest, most + 1):
            places = count - extra
            rows = round(math.sqrt(max(places, 0) * height / width))
            if (
                rows > 1
                and places % rows == 0
                and places // rows > 1
                and abs(rows * width - places // rows * height) < max(height, width)
            ):
                return extra, (rows, places // rows)
        return None

    @staticmethod
    def _moved(output: Tensor, axis_layout: AxisLayout) -> Tensor:
        return (
            output[:, :, None, None] if output.ndim == 2 else output.movedim(axis_layout.channel, 1)
        )

    def _tokens(
        self, output: Tensor, axis_layout: AxisLayout, name: str, image_size: Size
    ) -> tuple[Tensor, Size]:
        """n tokens channels, and the grid; at another size than the dry run's, the grid follows the
        image."""
        moved = output.permute(_order(axis_layout, output.ndim))
        tokens = moved.reshape(max(moved.shape[0] // axis_layout.parts, 1), -1, moved.shape[-1])
        assert axis_layout.grid is not None
        count = tokens.shape[1] - axis_layout.trailing
        if axis_layout.places is None and count - axis_layout.extra == math.prod(axis_layout.grid):
            return tokens, axis_layout.grid
        if (
            axis_layout.places is not None
            and moved.shape[0] % axis_layout.parts == 0
            and int(axis_layout.places.max()) < tokens.shape[1]
        ):
            return tokens, axis_layout.grid
        grid = (
            self.token_grid(count, image_size, axis_layout.extra, axis_layout.extra)
            if axis_layout.places is None and axis_layout.parts == 1
            else None
        )
        if grid is None and (axis_layout.places is not None or axis_layout.parts > 1):
            raise LayerError(
                f"Layer {name!r} works in windows, which are known for the network's own size only;"
                " use that size."
            )
        return tokens, grid[1] if grid else (count - axis_layout.extra, 1)


def _order(axis_layout: AxisLayout, dimensions: int) -> list[int]:
    """The axes with the images first and the channels last."""
    return [
        axis_layout.batch,
        *(
            axis
            for axis in range(dimensions)
            if axis not in (axis_layout.batch, axis_layout.channel)
        ),
        axis_layout.channel,
    ]


def image_size(image: Tensor) -> Size:
    """Height and width of a batch n c h w."""
    return image.shape[-2], image.shape[-1]


@runtime_checkable
class Keyed(Protocol):
    """An output whose parts have names: a dictionary, or what Hugging Face's networks return."""

    def keys(self) -> Iterable[str]: ...

    def __getitem__(self, key: str, /) -> object: ...


def first_tensor(output: object) -> Tensor | None:
    """The tensor of a layer's or network's output: itself, or the first one in a tuple, list, dict
    or dataclass."""
    if isinstance(output, Tensor):
        return output
    parts: Iterable[object]
    if isinstance(output, Keyed):
        parts = [output[key] for key in output.keys()]  # noqa: SIM118 - not every one iterates
    elif isinstance(output, (tuple, list)):
        parts = output
    else:
        parts = list(vars(output).values()) if hasattr(output, "__dict__") else []
    for part in parts:
        tensor = first_tensor(part)
        if tensor is not None:
            return tensor
    return None


def replace_first(output: object, tensor: Tensor) -> object:
    """The same structure with its first tensor replaced."""
    if isinstance(output, Tensor):
        return tensor
    structure: Any = output  # what a network returns; asked by duck typing
    if isinstance(structure, dict) or hasattr(structure, "keys"):
        for key in structure:
            if first_tensor(structure[key]) is not None:
                changed = {other: structure[other] for other in structure}
                changed[key] = replace_first(structure[key], tensor)
                return changed if type(structure) is dict else type(structure)(**changed)
    if isinstance(structure, (tuple, list)):
        parts = list(structure)
        for place, part in enumerate(parts):
            if first_tensor(part) is not None:
                parts[place] = replace_first(part, tensor)
                break
        kind = type(structure)
        return kind(*parts) if hasattr(structure, "_fields") else kind(parts)
    if dataclasses.is_dataclass(structure) or hasattr(structure, "__dict__"):
        changed = copy.copy(structure)
        for key, part in vars(structure).items():
            if first_tensor(part) is not None:
                object.__setattr__(changed, key, replace_first(part, tensor))
                break
        return changed
    return output
