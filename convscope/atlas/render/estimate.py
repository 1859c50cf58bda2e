"""How long a build takes and how large it becomes, from a few steps of one batch a layer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from convscope.atlas.render.jobs import RenderJob
from convscope.atlas.render.renderer import Renderer
from convscope.atlas.store.summary import Summary
from convscope.core.quantities import format_bytes, format_duration, pluralize

TRIAL_STEPS = 4
"""Steps of the batch that each layer's time is estimated from; the first is not counted."""


def estimate_build(
    renderer: Renderer, jobs: list[RenderJob], missing: list[RenderJob], threads: int | None
) -> Summary:
    """The time and the bytes of what is missing, layer by layer."""
    table: list[dict[str, str | int | float]] = []
    seconds = size = 0.0
    with _num_threads(threads):
        for layer in dict.fromkeys(job.layer for job in missing):
            layer_jobs = [job for job in missing if job.layer == layer]
            per_picture = _seconds_per_picture(renderer, layer_jobs[0])
            layer_seconds = per_picture * sum(len(job) for job in layer_jobs)
            seconds += layer_seconds
            table.append(
                {
                    "layer": layer,
                    "units": sum(job.num_units for job in layer_jobs),
                    "seconds_per_picture": round(per_picture, 3),
                    "seconds": round(layer_seconds, 1),
                }
            )
        if missing:
            middle = missing[len(missing) // 2]
            size = len(renderer(middle)) / len(middle) * sum(len(job) for job in missing)
    total, num_missing = (sum(job.num_units for job in some) for some in (jobs, missing))
    sentence = (
        f"{pluralize(total, 'unit')}, {num_missing:,} to make: about {format_duration(seconds)}"
        f" with one worker on this machine, and {format_bytes(size)}."
    )
    details = {
        "units": total,
        "missing": num_missing,
        "seconds": round(seconds, 1),
        "bytes": round(size),
    }
    return Summary(sentence, table, details)


def _seconds_per_picture(renderer: Renderer, job: RenderJob) -> float:
    renderer.prepare(job)
    steps = min(TRIAL_STEPS, job.spec.steps)
    units = list(range(job.first, job.last))
    renderer.optimize(job, units, 1)
    started = time.perf_counter()
    renderer.optimize(job, units, steps)
    return (time.perf_counter() - started) / steps / len(job) * job.spec.steps


@contextmanager
def _num_threads(threads: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
