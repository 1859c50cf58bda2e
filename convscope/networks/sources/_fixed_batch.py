"""Networks that were exported for a fixed number of images: made to take any number where that is
sound."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from convscope.errors import ModelError
from convscope.networks.layout import first_tensor

TOLERANCE = 1e-4
"""How far a batch of two may be from the two images alone, relative to the largest score."""


class FixedBatch(nn.Module):
    """A network that cannot take another number of images than it was exported for; it says so."""

    def __init__(self, network: nn.Module, count: int, name: str) -> None:
        super().__init__()
        self.network = network
        self.count = count
        self.name = name

    def forward(self, images: Tensor) -> object:
        """Run on `count` images.

        Raises:
            ModelError: another number of images.
        """
        if images.shape[0] != self.count:
            raise ModelError(
                f"{self.name} was exported for {self.count} image(s) at a time and cannot be asked"
                f" about {images.shape[0]} at once; export it with a dynamic batch axis."
            )
        return self.network(images)


def accepts_any_batch_size(network: Callable[[Tensor], object], shape: tuple[int, ...]) -> bool:
    """Whether two images in one batch give what each gives alone; `shape` is that of one image's
    input."""
    images = torch.rand((2, *shape[1:]), generator=torch.Generator().manual_seed(0))
    try:
        with torch.no_grad():
            both = first_tensor(network(images))
            alone = [first_tensor(network(images[place : place + 1])) for place in range(2)]
    except Exception:
        return False
    if both is None or alone[0] is None or alone[1] is None or both.shape[0] != 2:
        return False
    wanted = torch.cat([alone[0], alone[1]])
    return both.shape == wanted.shape and bool(
        (both - wanted).abs().max() <= TOLERANCE * wanted.abs().max().clamp_min(1e-12)
    )
