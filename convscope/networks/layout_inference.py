"""What one dry run says about how each layer's output lies: channel axis, tokens, windows.

Kinds that leave no doubt (a convolution, a dense layer) say it themselves; a view shows it by its
strides; else the shape of the image does, and where even that is ambiguous, the layers that ran
before. Windows are found by looking up every vector that goes into them among those of the map they
were cut from, so that shifts, grids and padding need no rule.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

import torch
from torch import Tensor, nn

from convscope.networks.layout import MOST_EXTRA_TOKENS, AxisLayout, Layout, first_tensor

_FIRST = (
    nn.modules.conv._ConvNd,
    nn.modules.batchnorm._NormBase,
    nn.modules.pooling._MaxPoolNd,
    nn.modules.pooling._AvgPoolNd,
    nn.modules.pooling._AdaptiveAvgPoolNd,
    nn.modules.pooling._AdaptiveMaxPoolNd,
)
"""Kinds whose second axis holds the channels."""

ChannelOrder = Literal["first", "last"]
"""Whether channels follow the batch or stand last."""

REMEMBERED = 6
"""How many maps back the origin of a window is looked for."""


def channel_order(module: nn.Module) -> ChannelOrder | None:
    """Where a kind of module has its channels, if that leaves no doubt."""
    if isinstance(module, _FIRST):
        return "first"
    is_norm_of_last = type(module) is nn.LayerNorm and len(module.normalized_shape) == 1
    return "last" if isinstance(module, nn.Linear) or is_norm_of_last else None


class LayoutInference:
    """Sees every layer of one run on one image, and says each output's form."""

    def __init__(
        self, layout: Layout, image_size: tuple[int, int], detection_tokens: int = 0
    ) -> None:
        self._layout = layout
        self._detection_tokens = detection_tokens
        self._image_size = image_size
        self._grids: list[tuple[int, int]] = []
        self._axes: dict[tuple[int, ...], int] = {}
        self._strides: dict[int, tuple[int, int]] = {}
        self._recent: deque[tuple[Tensor, tuple[int, int]]] = deque(maxlen=REMEMBERED)
        self._windows: dict[tuple[int, ...], tuple[Tensor, tuple[int, int]]] = {}

    def before_module(self, module: nn.Module, inputs: object) -> None:
        """To be called before a module runs: windows are known by what goes into them."""
        entered = first_tensor(inputs)
        if entered is not None and entered.ndim > 2:
            self._look_up(entered)

    def infer(self, order: ChannelOrder | None, inputs: object, output: Tensor) -> AxisLayout:
        """The form of what `module` made of `given`; to be called in the order in which modules
        end."""
        if output.ndim > 2:
            self._look_up(output)
        if output.ndim > 3:
            axis_layout = self._four(order, output)
        elif output.ndim == 3:
            axis_layout = self._three(order, output)
        elif output.ndim == 2 and output.shape[0] > 1:
            axis_layout = self._listed(output)
        else:
            axis_layout = AxisLayout()
        self._remember(output, axis_layout)
        return axis_layout

    def _four(self, order: ChannelOrder | None, output: Tensor) -> AxisLayout:
        channel = self._channel_axis(order, output) if output.ndim == 4 else output.ndim - 1
        parts, inner = output.shape[0], output.numel() // (output.shape[0] * output.shape[channel])
        if parts == 1 and output.ndim == 4 and _without(output, channel) not in self._windows:
            return AxisLayout(channel=channel)
        return self._windowed(output, channel, (parts, inner))

    def _channel_axis(self, order: ChannelOrder | None, output: Tensor) -> int:
        if self._layout.channels_last:
            return 3
        if order is not None:
            return 1 if order == "first" else 3
        shape = tuple(output.shape)
        stride, count = self._strides.get(output.untyped_storage().data_ptr(), (0, 0))
        same = [axis for axis in (1, 3) if output.stride(axis) == stride and shape[axis] == count]
        if len(same) == 1:
            return same[0]
        fits = {axis: self._fits(*_without(output, axis)[1:]) for axis in (1, 3)}
        if fits[1] == fits[3]:
            fits = {axis: _without(output, axis) in self._windows for axis in (1, 3)}
        if fits[1] != fits[3]:
            return 1 if fits[1] else 3
        return self._axes.get(shape, 1)

    def _fits(self, rows: int, columns: int) -> bool:
        """Whether so many rows and columns may be those of the image."""
        height, width = self._image_size
        return (
            rows <= height
            and columns <= width
            and abs(rows * width - columns * height) < max(height, width)
        )

    def _three(self, order: ChannelOrder | None, output: Tensor) -> AxisLayout:
        batch, second, third = output.shape
        if order == "first":
            return AxisLayout(channel=1, parts=batch, grid=(batch * third, 1))
        if batch == second == 1:
            return AxisLayout(channel=2, grid=(1, 1))
        if batch == 1 and self._detection_tokens and (layout := self._with_detections(second)):
            return layout
        if batch == 1 and (places := self._grid_of(second)):
            return AxisLayout(channel=2, extra=places[0], grid=places[1])
        if second == 1 and batch > 1 and (places := self._grid_of(batch)):
            return AxisLayout(channel=2, batch=1, extra=places[0], grid=places[1])
        if batch == 1 and (places := self._grid_of(third, most=0)):
            return AxisLayout(channel=1, extra=places[0], grid=places[1])
        return (
            AxisLayout(channel=2, grid=(second, 1))
            if batch == 1
            else self._windowed(output, 2, (batch, second))
        )

    def _with_detections(self, count: int) -> AxisLayout | None:
        """Patches behind a class token and before the detection tokens (as YOLOS has them), or the
        detection tokens alone; None for neither."""
        trailing = self._detection_tokens
        if count == trailing:
            return AxisLayout(channel=2, grid=(count, 1))
        for grid in reversed(self._grids):
            extra = count - trailing - math.prod(grid)
            if extra in (0, 1):
                return AxisLayout(channel=2, extra=extra, trailing=trailing, grid=grid)
        return None

    def _listed(self, output: Tensor) -> AxisLayout:
        """Tokens without a batch axis: as many rows as an image has places."""
        places = self._grid_of(output.shape[0], guess=False)
        return (
            AxisLayout(channel=1, parts=output.shape[0], extra=places[0], grid=places[1])
            if places
            else AxisLayout()
        )

    def _grid_of(
        self, count: int, most: int = MOST_EXTRA_TOKENS, guess: bool = True
    ) -> tuple[int, tuple[int, int]] | None:
        """Extra tokens and grid for so many tokens: a grid seen before if one fits, the latest of
        those that fit best."""
        fitting = [
            (count - math.prod(grid), -age, grid)
            for age, grid in enumerate(self._grids)
            if 0 <= count - math.prod(grid) <= most
        ]
        fitting = [entry for entry in fitting if math.prod(entry[2]) > 1]
        if fitting:
            extra, _, grid = min(fitting)
            return extra, grid
        return self._layout.token_grid(count, self._image_size, most=most) if guess else None

    def _windowed(self, output: Tensor, channel: int, shown: tuple[int, int]) -> AxisLayout:
        """Windows laid back where they came from; as `shown` (windows, tokens) where that is not
        known."""
        places, grid = self._windows.get(_without(output, channel), (None, shown))
        return AxisLayout(channel=channel, parts=output.shape[0], grid=grid, places=places)

    def _look_up(self, windows: Tensor) -> None:
        """Find where the vectors of windows (k tokens c, k rows columns c, k c rows columns ...)
        came from."""
        if windows.shape[0] == 1 and (windows.ndim == 3 or tuple(windows.shape) in self._axes):
            return
        for channel in (windows.ndim - 1, 1) if windows.ndim == 4 else (windows.ndim - 1,):
            fitting = [
                entry
                for entry in self._recent
                if entry[0].shape[1] == windows.shape[channel]
                and entry[0].numel() <= windows.numel()
            ]
            if not fitting or _without(windows, channel)[1:] == fitting[-1][1]:
                continue
            where = {
                row: place
                for place, row in enumerate(_rows(windows.movedim(channel, -1).flatten(0, -2)))
            }
            for tokens, grid in reversed(fitting):
                places = [where.get(row) for row in _rows(tokens)]
                if None not in places and len(set(places)) == len(places):
                    self._windows[_without(windows, channel)] = (torch.tensor(places), grid)
                    return

    def _remember(self, output: Tensor, axis_layout: AxisLayout) -> None:
        if output.ndim == 4 and output.shape[0] == 1 and axis_layout.plain:
            maps = output.movedim(axis_layout.channel, 1)
            self._axes[tuple(output.shape)] = axis_layout.channel
            self._strides[output.untyped_storage().data_ptr()] = (
                output.stride(axis_layout.channel),
                output.shape[axis_layout.channel],
            )
            tokens, grid = maps[0].flatten(1).T, (maps.shape[2], maps.shape[3])
            if self._fits(*grid):
                self._grids = [*(other for other in self._grids if other != grid), grid]
        elif (
            output.ndim == 3
            and output.shape[0] == 1
            and axis_layout.channel == 2
            and axis_layout.grid is not None
        ):
            last = output.shape[1] - axis_layout.trailing
            tokens, grid = output[0, axis_layout.extra : last], axis_layout.grid
        else:
            return
        if min(grid) > 1:
            self._recent.append((tokens.detach().clone(), grid))
            self._windows = {
                key: window for key, window in self._windows.items() if window[1] != grid
            }


def _without(tensor: Tensor, channel: int) -> tuple[int, ...]:
    """The shape but for the channels."""
    return tuple(size for axis, size in enumerate(tensor.shape) if axis != channel)


def _rows(tokens: Tensor) -> list[bytes]:
    """Each vector of `tokens` (n c) as something that can be looked up."""
    return [row.tobytes() for row in tokens.detach().float().cpu().contiguous().numpy()]
