"""Captum's methods under our verb: on one image at a time, with our targets, and on a copy where
Captum changes modules."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from convscope.attribution.batches import singles
from convscope.core.quiet import without_warnings
from convscope.errors import ComputeError, ConvscopeError, ExtraError, OptionError
from convscope.probe import Probe
from convscope.questions.target import Target


class Scored(nn.Module):
    """A network that gives the target's score instead of its output."""

    def __init__(self, probe: Probe, target: Target, *, copied: bool) -> None:
        super().__init__()
        model = copy.copy(probe.model)
        if copied:
            model.network = copy.deepcopy(model.network)
            for module in model.network.modules():
                if isinstance(getattr(module, "inplace", None), bool):
                    module.inplace = False  # type: ignore[assignment]
        self.network = model.network
        self._model = model
        self._dtype = model.state.dtype
        self._target = target

    def forward(self, image: Tensor) -> Tensor:
        """One score per image, n 1."""
        # Captum draws its random points in 32 bits.
        return self._target(self._model(image.to(self._dtype)))[:, None]


def attribute(
    probe: Probe,
    image: Tensor,
    target: Target,
    name: str,
    *,
    arguments: Callable[[Tensor], dict[str, object]],
    copied: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Run `captum.attr.NAME` on each image; `given` says with which arguments.

    Raises:
        ExtraError: captum is not installed.
        ComputeError: Captum cannot do it on this network; its reason is in the message.
    """
    try:
        from captum import attr
    except ImportError:
        raise ExtraError("captum", "captum") from None
    heatmaps = []
    for single, single_target in singles(image, target, generator):
        scored = Scored(probe, single_target, copied=copied)
        try:
            # Captum warns of the hooks and flags that it sets itself.
            with torch.enable_grad(), _seeded(generator), without_warnings:
                maps = getattr(attr, name)(scored).attribute(
                    single.detach().clone(), target=0, **arguments(single)
                )
        except ConvscopeError:
            raise
        except (
            RuntimeError,
            AssertionError,
            TypeError,
            ValueError,
            AttributeError,
            KeyError,
        ) as error:
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise ComputeError(
                f"Captum's {name} cannot work on {probe.model.name}: {said}"
            ) from error
        heatmaps.append(maps.detach().float())
    return torch.cat(heatmaps)


def enough(name: str, samples: int, cells: int) -> None:
    """A linear model of all cells needs at least as many samples.

    Raises:
        OptionError: there are fewer.
    """
    if samples < cells * cells:
        raise OptionError(
            f"{name}: {cells} x {cells} cells need at least {cells * cells} samples; {samples} was"
            " given."
        )


def cells_of(image: Tensor, cells: int) -> Tensor:
    """A grid of cells x cells numbered from 0, 1 1 h w: Captum's feature mask."""
    row, column = (
        torch.arange(side, device=image.device) * cells // side for side in image.shape[-2:]
    )
    return (row[:, None] * cells + column)[None, None]


@contextmanager
def _seeded(generator: torch.Generator | None) -> Iterator[None]:
    """Captum draws from the global generators: seed them from ours, and put them back."""
    if generator is None:
        yield
        return
    seed = int(torch.randint(2**31, (1,), generator=generator, device=generator.device))
    before = np.random.get_state()
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            np.random.seed(seed)
            yield
    finally:
        np.random.set_state(before)
