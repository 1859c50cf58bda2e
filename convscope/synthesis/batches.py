"""Objectives in batches through the one ascent, on a prepared copy of the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from convscope.errors import OptionError
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.results.result import Result
from convscope.synthesis.objective import Objective
from convscope.synthesis.optimize import OptimizationResult, optimize
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.settings import Settings, numpy

BATCH = 16
"""Images optimized at once; more gain little on a CPU and cost memory."""


@dataclass
class BatchResult:
    """All images of a call, put together again from their batches."""

    image: Tensor
    pieces: list[OptimizationResult]
    parts: list[Sequence[Objective]]

    @property
    def score(self) -> Tensor:
        """n steps; as many steps as the shortest batch made."""
        short = min(piece.score.shape[1] for piece in self.pieces)
        return torch.cat([piece.score[:, :short] for piece in self.pieces])

    @property
    def ended(self) -> str | None:
        """Why it ended early, if it did."""
        return next((piece.ended for piece in self.pieces if piece.ended), None)

    @property
    def dead(self) -> list[int]:
        """The places of the images whose unit no gradient reaches; they are plain gray."""
        flags = [
            str(each) in piece.dead
            for piece, part in zip(self.pieces, self.parts, strict=True)
            for each in part
        ]
        return [place for place, flag in enumerate(flags) if flag]

    def result(self, verb: str, *, titles: Sequence[str], **details: Any) -> Result:
        """As the verbs give it back."""
        arrays = {"image": numpy(self.image), "score": numpy(self.score)}
        if all(piece.transparency is not None for piece in self.pieces):
            arrays["transparency"] = numpy(
                torch.cat(
                    [piece.transparency for piece in self.pieces if piece.transparency is not None]
                )
            )
        kept = sorted(set.intersection(*(set(piece.snapshots) for piece in self.pieces)))
        if kept:
            arrays["snapshot"] = numpy(
                torch.stack(
                    [torch.cat([piece.snapshots[step] for piece in self.pieces]) for step in kept]
                ).clamp(0, 1)
            )
        named = [
            f"{title} (dead)" if place in self.dead else title for place, title in enumerate(titles)
        ]
        more = {"titles": named, "snapshots": kept, "ended": self.ended, "dead": self.dead}
        return Result(verb, "images", arrays, details={**more, **details})


def optimize_batches(
    model: Model,
    objectives: Sequence[Objective],
    settings: Settings,
    *,
    seed: int,
    batch: int = BATCH,
    half: bool = False,
    start: Tensor | None = None,
    reference: dict[str, Tensor] | None = None,
    done: Callable[[Tensor, Any], bool] | None = None,
    together: int = 1,
    what: str = "ascent",
) -> BatchResult:
    """Climb each objective, `batch` at a time; `together` neighbors always share a batch. `start`
    and the entries of `reference` hold one image for all, or one for each.

    Raises:
        OptionError: no objective, or a batch below 1.
        DeadUnitError: no gradient reaches the image for any of them; where some have one, the
            others come out gray.
    """
    if not objectives:
        raise OptionError("Nothing was asked for: the list of units or targets is empty.")
    if batch < 1:
        raise OptionError(f"batch must be 1 or more; {batch} was given.")
    fast = inference_copy(
        model, list(dict.fromkeys(name for each in objectives for name in each.layers)), half=half
    )
    keys = RandomStreams.keys([str(each) for each in objectives])
    per = max(together, batch // together * together)
    pieces = []
    with Probe(fast) as probe:
        for first in range(0, len(objectives), per):
            part = slice(first, min(first + per, len(objectives)))
            count = part.stop - part.start
            streams = RandomStreams.of(seed, keys[part], model.device)
            begun = (
                None
                if start is None
                else start.expand(count, -1, -1, -1)
                if len(start) == 1
                else start[part]
            )
            own = {
                name: maps if len(maps) == 1 else maps[part]
                for name, maps in (reference or {}).items()
            }
            parameterization = settings.parameterization(model, count, streams, begun)
            title = (
                what
                if len(objectives) <= per
                else f"{what} {first + 1} to {part.stop} of {len(objectives)}"
            )
            pieces.append(
                optimize(
                    probe,
                    objectives[part],
                    parameterization,
                    streams,
                    settings.config(),
                    reference=own,
                    done=done,
                    what=title,
                )
            )
            if pieces[-1].ended and "interrupted" in str(pieces[-1].ended):
                break
    parts = [objectives[first : first + per] for first in range(0, len(pieces) * per, per)]
    if all(len(piece.dead) == len(piece.image) for piece in pieces):
        pieces[0].living()
    image = torch.cat([settings.shown(piece) for piece in pieces])
    return BatchResult(image, pieces, parts)
