"""The listing of a source's photos, in shards: what a pass that was killed loses at most is one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from convscope.photos.sources.entry import Entry
from convscope.photos.sources.place import PhotoSource

SHARD_SIZE = 512
"""Photos of a shard."""


@dataclass(frozen=True)
class Shard:
    """Some photos in a row: which of the listing's shards they are."""

    number: int
    entries: tuple[Entry, ...]

    def photo(self, place: int) -> int:
        """The number by which the photo at that place is known."""
        return self.number * SHARD_SIZE + place


@dataclass(frozen=True)
class Survey:
    """How many photos a source has, and the hash of their names, sizes and labels."""

    count: int
    digest: str


def survey(source: PhotoSource) -> Survey:
    """Count and hash a source's listing."""
    hasher = hashlib.sha256()
    count = 0
    for entry in source.walk():
        hasher.update(f"{entry.name}\0{entry.size}\0{entry.label}\n".encode())
        count += 1
    return Survey(count, hasher.hexdigest()[:32])


def shards(source: PhotoSource, done: Collection[int]) -> Iterator[Shard]:
    """The listing cut into shards, without those that are done."""
    entries = source.walk()
    number = 0
    while batch := tuple(islice(entries, SHARD_SIZE)):
        if number not in done:
            yield Shard(number, batch)
        number += 1


def announce_ahead(pending: Iterable[Shard], announce: Callable[[Shard], None]) -> Iterator[Shard]:
    """The shards, each handed out when the one after it has been announced."""
    current: Shard | None = None
    for shard in pending:
        if current is not None:
            announce(shard)
            yield current
        current = shard
    if current is not None:
        yield current
