from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from convscope.atlas.engines import register
from convscope.core.extras import need
from convscope.errors import ConvscopeError, OptionError

Item = TypeVar("Item")

RETRIES = 5
"""How often a job runs again whose worker was lost."""

WINDOW = 64
"""How many shards of photos Ray Data is given at once, so that listing millions of photos takes no
memory."""

Sent = tuple[list[Any], int, list[str]]
"""The reference to what runs (in a list, so that Ray leaves it one), threads, and where modules are
found."""

_works: dict[str, Any] = {}
"""In a worker: what it was sent, so that its network is prepared once and not once a job."""


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
    with _connected(cluster, address):
        if cores > cluster.cluster_resources().get("CPU", 0):
            raise OptionError(
                f"{cores} threads a worker were asked for, but the cluster has"
                f" {cluster.cluster_resources().get('CPU', 0):.0f} cores."
            )
        gpus = 1 if "cuda" in str(getattr(getattr(work, "model", None), "device", "")) else 0
        try:
            shared = cluster.put(work)
        except (TypeError, AttributeError) as error:
            raise OptionError(
                f"This network cannot be sent to Ray's workers ({error}); use engine='local'."
            ) from None
        run = _data if data else _tasks
        try:
            yield from run(
                cluster,
                ([shared], cores, list(sys.path)),
                items,
                {"num_cpus": cores, "num_gpus": gpus},
            )
        except cluster.exceptions.RayTaskError as error:
            cause = _own(error)
            raise cause from error


def _tasks(
    cluster: Any, sent: Sent, items: Iterable[Item], needs: dict[str, Any]
) -> Iterator[tuple[Item, bytes]]:
    """Every job a task; twice as many are handed out as can run, so that an interrupt has little to
    wait for."""
    job = cluster.remote(_do).options(max_retries=RETRIES, **needs)
    rest = iter(items)
    kind = "num_gpus" if needs["num_gpus"] else "num_cpus"
    width = max(2, 2 * int(cluster.cluster_resources().get(kind[4:-1].upper(), 1) / needs[kind]))
    running = {job.remote(sent, item): item for item in islice(rest, width)}
    try:
        while running:
            (ready,), _ = cluster.wait(list(running), num_returns=1)
            item = running.pop(ready)
            made = cluster.get(ready)
            running |= {job.remote(sent, other): other for other in islice(rest, 1)}
            yield item, made
    finally:
        for left in running:
            cluster.cancel(left)


def _data(
    cluster: Any, sent: Sent, items: Iterable[Item], needs: dict[str, Any]
) -> Iterator[tuple[Item, bytes]]:
    """Shards of photos as rows of a Ray dataset; one actor a worker reads and looks at them."""
    data = need("ray.data", "ray")
    context = data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    rest = iter(items)
    kind = "num_gpus" if needs["num_gpus"] else "num_cpus"
    workers = max(1, int(cluster.cluster_resources().get(kind[4:-1].upper(), 1) / needs[kind]))
    while window := list(islice(rest, WINDOW)):
        rows = data.from_items(
            [{"place": place} for place in range(len(window))], override_num_blocks=len(window)
        )
        handed = cluster.put(window)
        done = rows.map_batches(
            _Worker,
            batch_size=1,
            compute=data.ActorPoolStrategy(min_size=1, max_size=min(workers, len(window))),
            fn_constructor_args=(sent, [handed]),
            **needs,
        )
        for row in done.iter_rows():
            yield window[int(row["place"])], bytes(row["made"])


def _do(sent: Sent, item: Any) -> bytes:
    """One job in a worker."""
    made: bytes = _fetch(sent)(item)
    return made


def _fetch(sent: Sent) -> Any:
    """What was sent, fetched from this node's store once a process."""
    import torch

    (reference,), threads, paths = sent
    name = reference.hex()
    if name not in _works:
        torch.set_num_threads(threads)
        _works.clear()
        # A network of the caller's own is found where he finds it.
        sys.path += [path for path in paths if path not in sys.path]
        _works[name] = need("ray", "ray").get(reference)
    return _works[name]


class _Worker:
    """A Ray Data actor: it holds the network for as long as there are shards."""

    def __init__(self, sent: Sent, handed: list[Any]) -> None:
        self.work = _fetch(sent)
        self.items = need("ray", "ray").get(handed[0])

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {
            "place": batch["place"],
            "made": [self.work(self.items[int(place)]) for place in batch["place"]],
        }


@contextmanager
def _connected(cluster: Any, address: str | None) -> Iterator[None]:
    """A connection to the cluster; one that was there before is used and stays."""
    if cluster.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    own = {} if address is not None else {"include_dashboard": False}
    try:
        cluster.init(address=address, **quiet, **own)
    except ConnectionError as error:
        raise OptionError(
            f"There is no Ray cluster at {address!r}: {str(error).splitlines()[0]}"
        ) from None
    try:
        yield
    finally:
        cluster.shutdown()


def _own(error: Any) -> BaseException:
    """What the job raised, where it is one of our sentences."""
    cause = getattr(error, "cause", None)
    while cause is not None and not isinstance(cause, ConvscopeError):
        cause = getattr(cause, "cause", None) or cause.__cause__
    return cause if isinstance(cause, ConvscopeError) else error
