"""A bound on how far an image may be from a photo, that follows whether the image fools."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NormBound(nn.Module):
    """A parameterization made of pixels whose images keep an L2 distance in [0, 1] units from the
    photos that they started from: the decoupled norm of Rony et al. (2019).

    Args:
        parameterization: what is moved by the optimizer, with its `project`.
        original: the photos, n c h w in [0, 1].
        step: share by which `update` makes the distances larger or smaller.
        bound: the first distance.
    """

    def __init__(
        self, parameterization: nn.Module, original: Tensor, step: float, bound: float = 1.0
    ) -> None:
        super().__init__()
        self.parameterization = parameterization
        self.step = step
        self.bound = torch.full((len(original),), bound, device=original.device)
        self._original = original
        self._start = [weight.detach().clone() for weight in parameterization.parameters()]

    def forward(self) -> Tensor:
        image: Tensor = self.parameterization()
        return image

    @torch.no_grad()
    def project(self) -> None:
        """Bring the images to their distances after a step, then back to valid pixels."""
        norm = (self.parameterization() - self._original).flatten(1).norm(dim=1)
        # An image that is still the photo has no direction.
        factor = torch.where(norm > 0, self.bound / norm.clamp(min=1e-12), 1.0)
        for weight, start in zip(self.parameterization.parameters(), self._start, strict=True):
            change = (weight - start) * factor.view(-1, *[1] * (weight.ndim - 1))
            weight.copy_(start + change)
        self.parameterization.project()  # type: ignore[operator]

    def update(self, fools: Tensor) -> None:
        """Bring images that fool (n, bool) closer to their photos, and let the others go
        further."""
        self.bound = self.bound * torch.where(fools, 1 - self.step, 1 + self.step)
        self.project()
