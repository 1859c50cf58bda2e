"""What a metric looks at, and what several metrics do with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from convscope.attribution.batches import chunks
from convscope.attribution.maps import enlarge
from convscope.attribution.method import Method
from convscope.errors import OptionError
from convscope.probe import Probe
from convscope.questions.target import Target


@dataclass(frozen=True)
class MetricInput:
    """Images with their heatmaps.

    `image` is n c h w (network input), `target` has one choice per image, `heatmap` is n h w at the
    image's size, raw. `mask` (n h w, bool) is where the object is, `method` can be run again,
    `seed` is that of the one generator. Metrics that make a curve leave it in `curves` (n steps).
    """

    probe: Probe
    image: Tensor
    target: Target
    heatmap: Tensor
    mask: Tensor | None = None
    method: Method | None = None
    seed: int = 0
    curves: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(
        cls, probe: Probe, image: Tensor, target: Target, heatmap: Tensor, **more: object
    ) -> MetricInput:
        """With the heatmap (n h w, any size) brought to the image's size, bilinear."""
        heatmap = heatmap.float().to(image.device)
        if heatmap.shape[-2:] != image.shape[-2:]:
            heatmap = enlarge(heatmap[:, None], image.shape[-2:])[:, 0]
        return cls(probe, image, target.expand(len(image)), heatmap, **more)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[tuple[Tensor, Target, Tensor]]:
        """Image (1 c h w), target and heatmap (h w), one after the other."""
        for place in range(len(self.image)):
            yield self.image[place : place + 1], self.target.at(place), self.heatmap[place]

    def probabilities(self, images: SwappedImages, target: Target, batch: int, what: str) -> Tensor:
        """The target's probability for each of many images of one case; contrasts and callables are
        used as they are."""
        wanted = target.as_probability()
        parts = [
            wanted(self.probe.output(self.probe.channels_last(images[part])))
            for part in chunks(len(images), batch, what)
        ]
        return torch.cat(parts)

    @property
    def where(self) -> Tensor:
        """The mask.

        Raises:
            OptionError: there is none, or it is empty in an image.
        """
        if self.mask is None:
            raise OptionError(
                "This metric needs to know where the object is; give mask=, an image that is white"
                " there."
            )
        if not bool(self.mask.flatten(1).any(1).all()):
            raise OptionError(
                "The mask is empty where the network looks, so nothing can be pointed at."
            )
        return self.mask

    @property
    def required_method(self) -> Method:
        """The method.

        Raises:
            OptionError: it is not known.
        """
        if self.method is None:
            raise OptionError(
                "This metric runs the method again, so the result must come from explain with a"
                " single method."
            )
        return self.method


def order(heatmap: Tensor) -> Tensor:
    """Pixel numbers of a heatmap (h w) from the hottest to the coldest."""
    return heatmap.flatten().argsort(descending=True, stable=True)


def swapped(image: Tensor, other: Tensor, pixels: Tensor, steps: int) -> SwappedImages:
    """`image` (1 c h w) with the first 0, 1/steps, ... and then all of `pixels` taken from `other`:
    steps + 1 images."""
    return SwappedImages(image, other, pixels, steps)


class SwappedImages:
    """The images of `swapped`, made where they are asked for: a slice gives n c h w."""

    def __init__(self, image: Tensor, other: Tensor, pixels: Tensor, steps: int) -> None:
        self._image, self._other = image, other
        counts = torch.linspace(0, len(pixels), steps + 1).round().long()
        self._counts = counts.to(pixels.device)
        self._rank = torch.empty_like(pixels)
        self._rank[pixels] = torch.arange(len(pixels), device=pixels.device)

    def __len__(self) -> int:
        return len(self._counts)

    def __getitem__(self, part: slice) -> Tensor:
        counts = self._counts[part]
        masks = self._rank[None] < counts[:, None]
        return torch.where(
            masks.view(len(counts), 1, *self._image.shape[-2:]), self._other, self._image
        )


def area(curve: Tensor) -> Tensor:
    """The area under a curve over [0, 1] by trapezoids."""
    return (curve.sum() - (curve[0] + curve[-1]) / 2) / (len(curve) - 1)
