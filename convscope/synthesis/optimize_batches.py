"""Many objectives in batches through the one loop, on a prepared copy of the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from convscope.core.progress import offer, track
from convscope.errors import OptionError
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.synthesis.objective import Objective
from convscope.synthesis.optimize import optimize
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.result import OptimizationResult, StopReason, joined
from convscope.synthesis.settings import Settings

BATCH = 16
"""Images optimized at once; more gain little on a CPU and cost memory."""


@dataclass(frozen=True)
class BatchOptions:
    """What the verbs of synthesis share. `group` neighbors always stand in one batch."""

    seed: int
    batch: int = BATCH
    half: bool = False
    group: int = 1
    task: str = "optimization"

    @property
    def images(self) -> int:
        """Images in one batch, a multiple of the group."""
        return max(self.group, self.batch // self.group * self.group)


def optimize_batches(
    probe: Probe,
    objectives: Sequence[Objective],
    settings: Settings,
    options: BatchOptions,
    *,
    start: Tensor | None = None,
    reference: Mapping[str, Tensor] | None = None,
) -> OptimizationResult:
    """Optimize one image for each objective, so many at a time.

    `start` and the entries of `reference` hold one image for all, or one for each. The images come
    back as the preset shows them.

    Raises:
        OptionError: no objective, or a batch below 1.
        DeadUnitError: no gradient reaches the image for any of them; where some have one, the
            others come out gray.
    """
    if not objectives:
        raise OptionError("Nothing was asked for: the list of units or targets is empty.")
    if options.batch < 1:
        raise OptionError(f"batch must be 1 or more; {options.batch} was given.")
    layers = list(dict.fromkeys(name for objective in objectives for name in objective.layers))
    seed_keys = RandomStreams.keys([objective.seed_key for objective in objectives])
    results: list[OptimizationResult] = []

    def preview(step: int, images: Callable[[], Tensor]) -> None:
        offer(options.task, step, settings.config.steps, lambda: settings.shown(images()))

    with Probe(inference_copy(probe.model, layers, half=options.half)) as fast_probe:
        starts = range(0, len(objectives), options.images)
        for first in track(starts, "batches", len(starts)):
            part = slice(first, first + options.images)
            streams = RandomStreams.of(options.seed, seed_keys[part], probe.model.device)
            count = len(streams)
            parameterization = settings.parameterization(
                probe, count, streams, _images_of(start, part, count)
            )
            try:
                result = optimize(
                    fast_probe,
                    objectives[part],
                    parameterization,
                    streams,
                    settings.config,
                    reference={
                        name: _of_part(maps, part) for name, maps in (reference or {}).items()
                    },
                    preview=preview,
                    task=_title(options, part, len(objectives)),
                )
            except KeyboardInterrupt:  # before the first step of this batch
                if not results:
                    raise
                break
            results.append(result)
            if result.stop_reason is StopReason.INTERRUPTED:
                break
    whole = joined(results).require_gradient()
    whole.image = torch.cat([settings.shown(result.image) for result in results])
    return whole


def _images_of(images: Tensor | None, part: slice, count: int) -> Tensor | None:
    """A part's own images to start from; a single one is repeated."""
    if images is None:
        return None
    return images.expand(count, -1, -1, -1) if len(images) == 1 else images[part]


def _of_part(maps: Tensor, part: slice) -> Tensor:
    """A part's own reference; a single one serves all."""
    return maps if len(maps) == 1 else maps[part]


def _title(options: BatchOptions, part: slice, count: int) -> str:
    if count <= options.images:
        return options.task
    return f"{options.task} {part.start + 1} to {min(part.stop, count)} of {count}"
