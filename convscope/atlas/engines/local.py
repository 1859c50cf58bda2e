from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from convscope.atlas.engines import register
from convscope.errors import OptionError

Item = TypeVar("Item")


@register()
def local(
    work: Callable[[Item], bytes],
    items: Iterable[Item],
    *,
    address: str | None = None,
    threads: int | None = None,
    data: bool = False,
) -> Iterator[tuple[Item, bytes]]:
    """In this process, one job after the other, on the network's device.

    Args:
        address: of no use here.
        threads: of the processor; torch's own number by default.
    """
    import torch

    if address is not None:
        raise OptionError(
            f"The local engine takes no address, but {address!r} was given; use engine='ray'."
        )
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        for item in items:
            yield item, work(item)
    finally:
        torch.set_num_threads(before)
