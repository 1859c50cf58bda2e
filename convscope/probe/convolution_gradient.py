"""The gradient of a convolution at its input, by forward convolutions, where that is faster on a
processor.

PyTorch's own backward is slow in two places that gradient ascent passes at every step: a strided
convolution that reads the image (few channels in), and depthwise convolutions in bfloat16, above
all strided ones. Input pixels that are congruent modulo the stride are each a plain convolution of
the output's gradient with every stride-th weight (sub-pixel convolution, Shi et al., 2016); these
are interleaved afterwards. The same numbers are added, in another order.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, pixel_shuffle

from convscope.core.types import AutogradContext, Foreign

MAX_CHANNELS = 4
"""Channels in, up to which the dense form pays."""


def install(network: nn.Module) -> None:
    """Give the convolutions of a private, frozen network the faster gradient where there is one; in
    place."""
    for module in network.modules():
        if type(module) is nn.Conv2d or type(module).__name__ == "Conv2dSame":
            forward = _Forward(module)
            if forward.is_faster:
                module.forward = forward


class _Forward:
    """What such a convolution's `forward` becomes; `same` says that it pads as TensorFlow does."""

    def __init__(self, module: Foreign) -> None:
        self.module, self.same = module, type(module).__name__ == "Conv2dSame"
        self.depthwise = bool(module.groups == module.in_channels == module.out_channels > 1)
        self._weights: dict[tuple[torch.dtype, tuple[int, int]], Tensor] = {}

    @property
    def is_faster(self) -> bool:
        """Whether it pays for this convolution."""
        module = self.module
        is_plain = (
            module.dilation == (1, 1)
            and module.padding_mode == "zeros"
            and module.stride[0] == module.stride[1]
        )
        if not is_plain or not (self.same or isinstance(module.padding, tuple)):
            return False
        reads_image = module.groups == 1 and module.in_channels <= MAX_CHANNELS
        return self.depthwise or bool(reads_image and module.stride[0] > 1)

    def __call__(self, image: Tensor) -> Tensor:
        half = torch.is_autocast_enabled("cpu")
        usual = (
            not (image.requires_grad and torch.is_grad_enabled())
            or image.device.type != "cpu"
            or (self.depthwise and not half)
        )
        output: Tensor = self.run(image) if usual else _Convolution.apply(image, self)
        return output

    def run(self, image: Tensor) -> Tensor:
        """The convolution itself."""
        module = self.module
        if not self.same:
            return conv2d(
                image, module.weight, module.bias, module.stride, module.padding, 1, module.groups
            )
        (left, right), (top, bottom) = (
            (part // 2, part - part // 2) for part in self.borders(image.shape[-2:])
        )
        return conv2d(
            pad(image, [left, right, top, bottom]),
            module.weight,
            module.bias,
            module.stride,
            0,
            1,
            module.groups,
        )

    def borders(self, size: torch.Size) -> tuple[int, int]:
        """What TensorFlow's "same" adds to the width and to the height: as much as makes ceil(side
        / stride) outputs."""
        stride, kernel = self.module.stride[0], self.module.kernel_size
        return tuple(
            max((-(-size[axis] // stride) - 1) * stride + kernel[axis] - size[axis], 0)
            for axis in (1, 0)
        )

    def padding(self, size: torch.Size) -> tuple[int, int]:
        """Above and on the left."""
        if not self.same:
            return self.module.padding  # type: ignore[no-any-return]
        across, down = self.borders(size)
        return down // 2, across // 2

    def weights(self, dtype: torch.dtype, padding: tuple[int, int]) -> Tensor:
        """The weights of all congruent sets of pixels, ready for `gradient`."""
        key = dtype, padding
        if key not in self._weights:
            stride = self.module.stride[0]
            split = phases(self.module.weight.detach().to(dtype), stride, padding)
            if self.depthwise:
                self._weights[key] = split.flatten(0, 1).contiguous()
            else:
                dense = split.permute(3, 0, 1, 2, 4, 5).flatten(0, 2)
                self._weights[key] = dense.contiguous(memory_format=torch.channels_last)
        return self._weights[key]

    def gradient(self, above: Tensor, size: torch.Size) -> Tensor:
        """The gradient at the input of this size, from that at the output (n c h w)."""
        stride, padding = self.module.stride[0], self.padding(size)
        weights = self.weights(above.dtype, padding)
        border: list[int] = []
        for axis in (1, 0):
            low, high = reach(self.module.kernel_size[axis], stride, padding[axis])
            border += [high, -(-size[axis] // stride) - low - above.shape[2 + axis]]
        above = pad(above, border)
        if not self.depthwise:
            return pixel_shuffle(conv2d(above, weights), stride)[..., : size[0], : size[1]]
        parts = [
            conv2d(above, weight, groups=above.shape[1]).permute(0, 2, 3, 1) for weight in weights
        ]
        rows = [
            torch.cat(parts[first : first + stride], 3) for first in range(0, len(parts), stride)
        ]
        _, high, wide, channels = parts[0].shape
        gradient = (
            torch.stack(rows, 2)
            .view(-1, high * stride, wide * stride, channels)
            .permute(0, 3, 1, 2)
        )
        return gradient[..., : size[0], : size[1]]


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: AutogradContext, image: Tensor, convolution: _Forward) -> Tensor:
        ctx.convolution, ctx.size, ctx.dtype = convolution, image.shape[-2:], image.dtype
        return convolution.run(image)

    @staticmethod
    def backward(ctx: AutogradContext, *above: Tensor) -> tuple[Tensor, None]:
        return ctx.convolution.gradient(above[0], ctx.size).to(ctx.dtype), None


def reach(kernel: int, stride: int, padding: int) -> tuple[int, int]:
    """By how many output pixels, at least and at most, a set of input pixels is behind the outputs
    that read it."""
    low = min(-((first + padding) // stride) for first in range(stride))
    high = max((kernel - 1 - first - padding) // stride for first in range(stride))
    return low, high


def phases(weight: Tensor, stride: int, padding: tuple[int, int]) -> Tensor:
    """Weights (out in h w) -> stride x stride x out x in x h' x w', one small kernel for each set
    of congruent pixels."""
    (top, left), kernel = padding, weight.shape[-2:]
    (low, high), (first, last) = (reach(kernel[axis], stride, padding[axis]) for axis in (0, 1))
    kernels = weight.new_zeros(stride, stride, *weight.shape[:2], high - low + 1, last - first + 1)
    for row in range(stride):
        for column in range(stride):
            for place in range(kernels.shape[-2]):
                for across in range(kernels.shape[-1]):
                    y, x = (
                        stride * (high - place) + row + top,
                        stride * (last - across) + column + left,
                    )
                    if 0 <= y < kernel[0] and 0 <= x < kernel[1]:
                        kernels[row, column, :, :, place, across] = weight[:, :, y, x]
    return kernels
