from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import relu

from convscope.concepts import register
from convscope.concepts.factors import Factors, Floats
from convscope.core.progress import track
from convscope.core.ranges import PositiveInt, Rate, Seed, Steps

BATCH_ROWS = 1024
"""Activations in one step."""

DEAD_AFTER = 50
"""Steps without firing after which a code counts as dead and learns from what the others leave."""

AUXILIARY = 1 / 32
"""Weight of the dead codes' loss (Gao et al., 2024)."""


@register(overcomplete=True)
def sparse_autoencoder(
    activations: Floats,
    count: int,
    *,
    seed: Seed = 0,
    steps: Steps = 600,
    active: PositiveInt = 8,
    rate: Rate = 3e-3,
) -> Factors:
    """A dictionary that may be larger than the layer, of which few directions are active at each
    place: a TopK sparse autoencoder (Gao et al., 2024).

    Directions have length 1 and come in the order of their energy; coefficients are non-negative,
    at most `active` of them above zero at a place. Codes that stop firing learn from the residual,
    as in the paper; those that never fire in the end have coefficients of zero.

    Args:
        seed: of the start and the batches.
        steps: of Adam.
        active: directions at one place, the largest.
        rate: of Adam.

    Example:
        convscope.concepts(model, photos, method="sparse_autoencoder", count=640)
    """
    offset = activations.mean(0)
    centered = torch.from_numpy(np.ascontiguousarray(activations - offset))
    # In units of the mean length, so that the rate fits any layer.
    scale = float(centered.square().sum(1).mean().sqrt().clamp_min(1e-12))
    with torch.enable_grad():
        coder = _train(centered / scale, count, min(active, count), seed, steps, rate)
    with torch.no_grad():
        codes = torch.cat([coder.encode(rows) for rows in torch.split(centered / scale, 65_536)])
        directions = coder.unit_directions()
    order = codes.square().sum(0).argsort(descending=True, stable=True)
    return Factors(
        np.asarray((codes[:, order] * scale).numpy(), np.float32),
        np.asarray(directions[order].numpy(), np.float32),
        np.asarray(offset, np.float32),
    )


@dataclass(frozen=True)
class _Coder:
    """Encoder (k c) with its bias (k), decoder (k c), and how many codes are active."""

    encoder: Tensor
    bias: Tensor
    decoder: Tensor
    active: int

    def unit_directions(self) -> Tensor:
        """The decoder's rows at length 1."""
        return _unit(self.decoder)

    def potentials(self, rows: Tensor) -> Tensor:
        """Every code before the largest are chosen (n k)."""
        potentials: Tensor = relu(rows @ self.encoder.T + self.bias)
        return potentials

    def encode(self, rows: Tensor) -> Tensor:
        """The largest codes of each row, the others zero (n k)."""
        return _largest(self.potentials(rows), self.active)


def _unit(directions: Tensor) -> Tensor:
    unit: Tensor = directions / directions.norm(dim=1, keepdim=True).clamp_min(1e-12)
    return unit


def _largest(codes: Tensor, count: int) -> Tensor:
    values, places = codes.topk(count, dim=1)
    return torch.zeros_like(codes).scatter(1, places, values)


def _train(rows: Tensor, count: int, active: int, seed: int, steps: int, rate: float) -> _Coder:
    generator = torch.Generator().manual_seed(seed)
    # Codes that start on activations are alive from the start.
    drawn = torch.randint(len(rows), (count,), generator=generator)
    noise = torch.randn(count, rows.shape[1], generator=generator) / rows.shape[1] ** 0.5
    start = _unit(rows[drawn] + 0.1 * noise)
    coder = _Coder(
        start.clone().requires_grad_(),
        torch.zeros(count, requires_grad=True),
        start.clone().requires_grad_(),
        active,
    )
    optimizer = torch.optim.Adam([coder.encoder, coder.bias, coder.decoder], lr=rate)
    idle = torch.zeros(count, dtype=torch.long)
    for step in track(range(steps), "sparse autoencoder", steps):
        for group in optimizer.param_groups:
            # Constant, then down to zero over the last fifth, as in the paper.
            group["lr"] = rate * min(1.0, 5 * (steps - step) / steps)
        batch = rows
        if len(rows) > BATCH_ROWS:
            batch = rows[torch.randint(len(rows), (BATCH_ROWS,), generator=generator)]
        loss, fired = _loss(coder, batch, idle > DEAD_AFTER)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        idle = torch.where(fired, 0, idle + 1)
    return coder


def _loss(coder: _Coder, rows: Tensor, is_dead: Tensor) -> tuple[Tensor, Tensor]:
    """The squared error of a batch, with what the dead codes make of the residual; and which codes
    fired."""
    potentials, directions = coder.potentials(rows), coder.unit_directions()
    codes = _largest(potentials, coder.active)
    residual = rows - codes @ directions
    loss = residual.square().sum(1).mean()
    num_dead = int(is_dead.sum())
    if num_dead:
        linear = (rows @ coder.encoder.T + coder.bias)[:, is_dead]
        revived = _largest(linear, min(coder.active, num_dead)) @ directions[is_dead]
        loss = loss + AUXILIARY * (residual.detach() - revived).square().sum(1).mean()
    return loss, (codes > 0).any(0)
