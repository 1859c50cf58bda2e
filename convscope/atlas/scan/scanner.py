"""One shard of photos -> what it changes: read, run the network once, keep the best of every
unit."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from convscope.atlas.scan.top_k import State, TopK, batches, priority
from convscope.errors import ConvscopeError, ImageError
from convscope.networks.model import Model
from convscope.photos.load_image import load_photos
from convscope.photos.sources.entry import Entry
from convscope.photos.sources.source_of import Source
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy

SHARD = 512
"""Photos that are lost at most when a pass is killed."""

AHEAD = 2
"""Batches that are read while the network runs."""

READERS = 2
"""Threads that read; decoding leaves Python's lock."""


@dataclass(frozen=True)
class Shard:
    """Some photos in a row: which of the listing's shards they are."""

    number: int
    entries: tuple[Entry, ...]

    def photo(self, place: int) -> int:
        """The number by which the photo at that place is known."""
        return self.number * SHARD + place


Read = tuple[Tensor | None, str | None]
"""A photo at the network's size, or why it could not be read."""


class Scanner:
    """Looks at shards; the network is prepared once. It can be sent to another process."""

    def __init__(
        self,
        model: Model,
        layers: Sequence[str],
        source: Source,
        *,
        k: int,
        hold: int,
        seed: int,
        batch: int,
        half: bool,
    ) -> None:
        self.model, self.layers, self.source = model, list(layers), source
        self.k, self.hold, self.seed, self.batch, self.half = k, hold, seed, batch, half
        self._fast: Model | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._next: Shard | None = None
        self._read: deque[tuple[int, list[Future[Read]]]] = deque()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_fast": None, "_pool": None, "_next": None, "_read": deque()}

    def announce(self, shard: Shard) -> None:
        """Say which shard comes after the one at hand, so that reading does not wait between
        them."""
        self._next = shard

    def __call__(self, shard: Shard) -> bytes:
        """The state after that shard alone, as bytes."""
        return self.scan(shard).to_bytes()

    def scan(self, shard: Shard) -> State:
        """The state after that shard alone."""
        fast = self.prepared()
        lots = [
            (priority(entry.name, self.seed), shard.photo(place))
            for place, entry in enumerate(shard.entries)
        ]
        drawn: list[int] = []
        state = State({}, self.hold, shards={shard.number})
        with Probe(fast) as probe:
            for name in self.layers:
                units, rows, columns = probe.layers[name].shape
                state.layers[name] = TopK.empty(units, self.k, (rows, columns))
            for first, read in self._batches(shard):
                entries = shard.entries[first : first + len(read)]
                state.skipped += [
                    (entry.name, reason)
                    for entry, (_, reason) in zip(entries, read, strict=True)
                    if reason is not None
                ]
                good = [place for place, (image, _) in enumerate(read) if image is not None]
                if not good:
                    continue
                image = torch.cat([image for image, _ in read if image is not None])
                photos = np.array([shard.photo(first + place) for place in good], np.int64)
                # Unreadable photos draw no lot, so which are held is only known at the end; until
                # then it is whoever still may be.
                drawn = sorted([*drawn, *(lots[first + place][0] for place in good)])[: self.hold]
                held = [
                    row
                    for row, place in enumerate(good)
                    if drawn and lots[first + place][0] <= drawn[-1]
                ]
                state.held += [lots[first + good[row]] for row in held]
                state.entries |= {shard.photo(first + place): entries[place] for place in good}
                state.photos += len(good)
                maps = probe.activations(fast.preprocess(image), self.layers)
                for name, found in maps.items():
                    see(state.layers[name], found, photos, held)
        order = sorted(range(len(state.held)), key=state.held.__getitem__)[: self.hold]
        state.held = [state.held[place] for place in order]
        for tops in state.layers.values():
            tops.held_value, tops.held_place = tops.held_value[order], tops.held_place[order]
        state.prune()
        return state

    def prepared(self) -> Model:
        """The faster copy."""
        if self._fast is None:
            self._fast = inference_copy(self.model, self.layers, half=self.half)
        return self._fast

    def _batches(self, shard: Shard) -> Iterator[tuple[int, list[Read]]]:
        """The shard's photos in batches, read ahead; at its end the next shard's first ones are
        begun."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(READERS, "photos")
        pieces = self._pieces(shard)
        while self._read and self._read[0][0] // SHARD != shard.number:
            self._read.popleft()
        begun = {key for key, _ in self._read}
        waiting = deque(piece for piece in pieces if piece[0] not in begun)
        if self._next is not None and self._next.number != shard.number:
            waiting.extend(self._pieces(self._next)[:AHEAD])
        left = len(pieces)
        while left:
            while waiting and len(self._read) <= AHEAD:
                key, entries = waiting.popleft()
                self._read.append((key, [self._pool.submit(self._one, entry) for entry in entries]))
            key, futures = self._read.popleft()
            yield key - shard.number * SHARD, [future.result() for future in futures]
            left -= 1

    def _pieces(self, shard: Shard) -> list[tuple[int, list[Entry]]]:
        return [
            (shard.photo(place * self.batch), piece)
            for place, piece in enumerate(batches(list(shard.entries), self.batch))
        ]

    def _one(self, entry: Entry) -> Read:
        """One photo, fitted to the network's size."""
        try:
            photo = read_photo(self.source, entry)
            if not bool(torch.isfinite(photo).all()):
                return None, f"{entry.name} has pixels that are no numbers."
            return self.model.preprocessing.fit(self.model.match_channels(photo)), None
        except ConvscopeError as error:
            return None, str(error)


def see(tops: TopK, maps: Tensor, photos: Any, held: list[int]) -> None:
    """Take in the maps (n c h w) of a batch. Places are looked for only where a value is kept."""
    maps = maps.detach()

    def places(rows: Any, units: Any) -> Any:
        device = maps.device
        picked = maps[torch.as_tensor(rows, device=device), torch.as_tensor(units, device=device)]
        return picked.flatten(1).float().cpu().numpy().argmax(1)

    tops.see(maps.amax((2, 3)).float().cpu().numpy(), photos, places, held)


def read_photo(source: Source, entry: Entry) -> Tensor:
    """A photo as 1 c h w in [0, 1].

    Raises:
        ImageError: it cannot be read; the message begins with its name.
    """
    try:
        data = source.read(entry)
        return load_photos(data if data else b"\0")[0]
    except ImageError as error:
        said = str(error)
        raise ImageError(
            entry.name + said.removeprefix("The data") if said.startswith("The data") else said
        ) from None
    except OSError as error:
        raise ImageError(f"{entry.name} cannot be read ({error.strerror or error}).") from None
