"""Photos read ahead in threads, while the network runs on those before them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from convscope.atlas.scan import listing
from convscope.atlas.scan.listing import Shard
from convscope.errors import ConvscopeError, ImageError
from convscope.photos.load_image import load_photos
from convscope.photos.sources.entry import Entry
from convscope.photos.sources.place import PhotoSource

BATCHES_AHEAD = 2
"""Batches that are read while the network runs."""

NUM_READERS = 2
"""Threads that read; decoding leaves Python's lock."""


@dataclass(frozen=True)
class ReadPhoto:
    """A photo at the network's size (1 c h w), or why it could not be read."""

    entry: Entry
    image: Tensor | None
    reason: str = ""


@dataclass(frozen=True)
class ReadBatch:
    """Photos in a row, and the place of the first one in its shard."""

    first: int
    photos: list[ReadPhoto]

    def readable(self) -> list[int]:
        """The places, in this batch, of the photos that could be read."""
        return [place for place, photo in enumerate(self.photos) if photo.image is not None]

    def images(self) -> Tensor:
        """The photos that could be read (n c h w)."""
        return torch.cat([photo.image for photo in self.photos if photo.image is not None])

    def skipped(self) -> list[tuple[str, str]]:
        """Name and reason of those that could not."""
        return [(photo.entry.name, photo.reason) for photo in self.photos if photo.image is None]


class ReadAhead:
    """Reads the shards of a source in batches; `fit` brings a photo to the network's size."""

    def __init__(self, source: PhotoSource, batch: int, fit: Callable[[Tensor], Tensor]) -> None:
        self.source, self.batch, self.fit = source, batch, fit
        self._pool = ThreadPoolExecutor(NUM_READERS, "photos")
        self._next: Shard | None = None
        self._reading: deque[tuple[int, list[Future[ReadPhoto]]]] = deque()

    def close(self) -> None:
        """End the threads; what is read ahead is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._reading.clear()

    def announce(self, shard: Shard) -> None:
        """Say which shard comes after the current one, so that reading does not wait between
        them."""
        self._next = shard

    def batches(self, shard: Shard) -> Iterator[ReadBatch]:
        """The shard's photos in batches; at its end the next shard's first ones are being read."""
        batches = self._batches_of(shard)
        # What was read ahead for a shard that did not come is of no use.
        while self._reading and self._reading[0][0] // listing.SHARD_SIZE != shard.number:
            self._reading.popleft()
        started = {first for first, _ in self._reading}
        waiting = deque(batch for batch in batches if batch[0] not in started)
        if self._next is not None and self._next.number != shard.number:
            waiting.extend(self._batches_of(self._next)[:BATCHES_AHEAD])
        for _ in batches:
            while waiting and len(self._reading) <= BATCHES_AHEAD:
                first, entries = waiting.popleft()
                futures = [self._pool.submit(self._read, entry) for entry in entries]
                self._reading.append((first, futures))
            first, futures = self._reading.popleft()
            yield ReadBatch(first - shard.photo(0), [future.result() for future in futures])

    def _batches_of(self, shard: Shard) -> list[tuple[int, tuple[Entry, ...]]]:
        """The number of each batch's first photo, and its entries."""
        return [
            (shard.photo(first), shard.entries[first : first + self.batch])
            for first in range(0, len(shard.entries), self.batch)
        ]

    def _read(self, entry: Entry) -> ReadPhoto:
        try:
            photo = read_photo(self.source, entry)
            if not bool(torch.isfinite(photo).all()):
                return ReadPhoto(entry, None, f"{entry.name} has pixels that are no numbers.")
            return ReadPhoto(entry, self.fit(photo))
        except ConvscopeError as error:
            return ReadPhoto(entry, None, str(error))


def read_photo(source: PhotoSource, entry: Entry) -> Tensor:
    """A photo as 1 c h w in [0, 1].

    Raises:
        ImageError: it cannot be read; the message begins with its name.
    """
    try:
        data = source.read(entry)
        return load_photos(data if data else b"\0")[0]
    except ImageError as error:
        message = str(error)
        if message.startswith("The data"):
            message = entry.name + message.removeprefix("The data")
        raise ImageError(message) from None
    except OSError as error:
        raise ImageError(f"{entry.name} cannot be read ({error.strerror or error}).") from None
