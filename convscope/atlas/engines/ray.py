from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from convscope.atlas.engines import register
from convscope.core.extras import need
from convscope.core.types import Foreign
from convscope.errors import ConvscopeError, OptionError

Item = TypeVar("Item")

RETRIES = 5
"""How often a job runs again whose worker was lost."""

WINDOW = 64
"""How many shards of photos Ray Data is given at once, so that listing millions of photos takes no
memory."""

Work = Callable[[object], bytes]

_work_cache: dict[str, Work] = {}
"""In a worker: the work it was sent, so that its network is prepared once and not once a job."""


@dataclass(frozen=True)
class SharedWork:
    """How a worker gets its work: the reference (in a list, so that Ray does not resolve it), the
    worker's threads, and where modules are found."""

    reference: list[Foreign]
    threads: int
    paths: list[str]

    def fetch(self) -> Work:
        """The work, fetched from this node's store once a process."""
        import torch

        (reference,) = self.reference
        name = reference.hex()
        if name not in _work_cache:
            torch.set_num_threads(self.threads)
            _work_cache.clear()
            # A network of the caller's own is found where the caller finds it.
            sys.path += [path for path in self.paths if path not in sys.path]
            _work_cache[name] = need("ray", "ray").get(reference)
        return _work_cache[name]


@register()
def ray(
    work: Callable[[Item], bytes],
    items: Iterable[Item],
    *,
    address: str | None = None,
    threads: int | None = None,
    data: bool = False,
) -> Iterator[tuple[Item, bytes]]:
    """On a Ray cluster, or on this machine's cores; photos go through Ray Data. The network travels
    once a node.

    Args:
        address: of the cluster, such as "auto" or "ray://host:10001"; without one, one is started
            here.
        threads: processor cores for each worker, 1 by default; a worker takes a whole GPU where the
            network is on one.
    """
    cluster = need("ray", "ray")
    cores = threads or 1
    with _connection(cluster, address):
        if cores > cluster.cluster_resources().get("CPU", 0):
            raise OptionError(
                f"{cores} threads a worker were asked for, but the cluster has"
                f" {cluster.cluster_resources().get('CPU', 0):.0f} cores."
            )
        gpus = 1 if "cuda" in str(getattr(getattr(work, "model", None), "device", "")) else 0
        try:
            reference = cluster.put(work)
        except (TypeError, AttributeError) as error:
            raise OptionError(
                f"This network cannot be sent to Ray's workers ({error}); use engine='local'."
            ) from None
        run = _run_dataset if data else _run_tasks
        try:
            yield from run(
                cluster,
                SharedWork([reference], cores, list(sys.path)),
                items,
                {"num_cpus": cores, "num_gpus": gpus},
            )
        except cluster.exceptions.RayTaskError as error:
            cause = _our_error(error)
            raise cause from error


def _run_tasks(
    cluster: Foreign, work: SharedWork, items: Iterable[Item], needs: dict[str, Foreign]
) -> Iterator[tuple[Item, bytes]]:
    """Every job a task; twice as many are handed out as can run, so that an interrupt has little to
    wait for."""
    job = cluster.remote(_run_job).options(max_retries=RETRIES, **needs)
    waiting = iter(items)
    kind = "num_gpus" if needs["num_gpus"] else "num_cpus"
    width = max(2, 2 * int(cluster.cluster_resources().get(kind[4:-1].upper(), 1) / needs[kind]))
    running = {job.remote(work, item): item for item in islice(waiting, width)}
    try:
        while running:
            (ready,), _ = cluster.wait(list(running), num_returns=1)
            item = running.pop(ready)
            result = cluster.get(ready)
            running |= {job.remote(work, other): other for other in islice(waiting, 1)}
            yield item, result
    finally:
        for unfinished in running:
            cluster.cancel(unfinished)


def _run_dataset(
    cluster: Foreign, work: SharedWork, items: Iterable[Item], needs: dict[str, Foreign]
) -> Iterator[tuple[Item, bytes]]:
    """Shards of photos as rows of a Ray dataset; one actor a worker reads and scans them."""
    data = need("ray.data", "ray")
    context = data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    waiting = iter(items)
    kind = "num_gpus" if needs["num_gpus"] else "num_cpus"
    workers = max(1, int(cluster.cluster_resources().get(kind[4:-1].upper(), 1) / needs[kind]))
    while window := list(islice(waiting, WINDOW)):
        rows = data.from_items(
            [{"place": place} for place in range(len(window))], override_num_blocks=len(window)
        )
        reference = cluster.put(window)
        done = rows.map_batches(
            _Worker,
            batch_size=1,
            compute=data.ActorPoolStrategy(min_size=1, max_size=min(workers, len(window))),
            fn_constructor_args=(work, [reference]),
            **needs,
        )
        for row in done.iter_rows():
            yield window[int(row["place"])], bytes(row["data"])


def _run_job(work: SharedWork, item: object) -> bytes:
    """One job in a worker."""
    return work.fetch()(item)


class _Worker:
    """A Ray Data actor: it holds the network for as long as there are shards."""

    def __init__(self, work: SharedWork, items: list[Foreign]) -> None:
        self.work = work.fetch()
        self.items = need("ray", "ray").get(items[0])

    def __call__(self, batch: dict[str, Foreign]) -> dict[str, Foreign]:
        return {
            "place": batch["place"],
            "data": [self.work(self.items[int(place)]) for place in batch["place"]],
        }


@contextmanager
def _connection(cluster: Foreign, address: str | None) -> Iterator[None]:
    """A connection to the cluster; one that was there before is used and stays."""
    if cluster.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    quiet: dict[str, Foreign] = {"log_to_driver": False, "logging_level": "ERROR"}
    local: dict[str, Foreign] = {} if address is not None else {"include_dashboard": False}
    try:
        cluster.init(address=address, **quiet, **local)
    except ConnectionError as error:
        raise OptionError(
            f"There is no Ray cluster at {address!r}: {str(error).splitlines()[0]}"
        ) from None
    try:
        yield
    finally:
        cluster.shutdown()


def _our_error(error: Foreign) -> BaseException:
    """What the job raised, where it is one of our sentences."""
    cause = getattr(error, "cause", None)
    while cause is not None and not isinstance(cause, ConvscopeError):
        cause = getattr(cause, "cause", None) or cause.__cause__
    return cause if isinstance(cause, ConvscopeError) else error
