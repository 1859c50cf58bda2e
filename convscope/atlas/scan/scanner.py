"""One shard of photos -> what it adds to a pass: read, run the network once, keep the best of every
unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from convscope.atlas.scan.listing import Shard
from convscope.atlas.scan.pass_state import PassState
from convscope.atlas.scan.shard_reader import ShardReader
from convscope.atlas.scan.top_k import Integers, TopK, priority
from convscope.networks.model import Model
from convscope.photos.sources.place import PhotoSource
from convscope.probe import Probe

Observer = Callable[[Integers, dict[str, Tensor]], None]
"""Takes the numbers of a batch's photos, and the maps (n c h w) of each layer."""


class Scanner(ShardReader):
    """Scans shards; the network is prepared once. It can be sent to another process.

    Of each unit it keeps the `k` best photos, and its values at `reservoir` photos that are drawn
    by their names' hashes.
    """

    def __init__(
        self,
        model: Model,
        layers: Sequence[str],
        source: PhotoSource,
        *,
        k: int,
        reservoir: int,
        seed: int,
        batch: int,
        half: bool,
    ) -> None:
        super().__init__(model, layers, source, batch=batch, half=half)
        self.k, self.reservoir, self.seed = k, reservoir, seed

    def __call__(self, shard: Shard) -> bytes:
        """The state after that shard alone, as bytes."""
        return self.scan(shard).to_bytes()

    def empty_state(self) -> PassState:
        """The state before any shard."""
        return PassState({}, self.reservoir)

    def read_state(self, data: bytes) -> PassState | None:
        """A state from its bytes; None where they are damaged."""
        return PassState.from_bytes(data)

    def scan(self, shard: Shard, observe: Observer | None = None) -> PassState:
        """The state after that shard alone; `observe` is handed what each batch gave."""
        prepared = self.prepare()
        priorities = [priority(entry.name, self.seed) for entry in shard.entries]
        state = PassState({}, self.reservoir, shards={shard.number})
        smallest: list[int] = []
        with Probe(prepared) as probe:
            for name in self.layers:
                units, rows, columns = probe.layers[name].shape
                state.layers[name] = TopK.empty(units, self.k, (rows, columns))
            for batch in self.batches(shard):
                state.skipped += batch.skipped()
                places = [batch.first + place for place in batch.readable()]
                if not places:
                    continue
                # Unreadable photos are in no reservoir, so that who is drawn is known only at the
                # end; until then everybody who still may be is kept.
                smallest = sorted([*smallest, *(priorities[place] for place in places)])
                smallest = smallest[: self.reservoir]
                drawn = [
                    row
                    for row, place in enumerate(places)
                    if smallest and priorities[place] <= smallest[-1]
                ]
                state.reservoir += [
                    (priorities[places[row]], shard.photo(places[row])) for row in drawn
                ]
                state.entries |= {shard.photo(place): shard.entries[place] for place in places}
                state.photos += len(places)
                photos = np.array([shard.photo(place) for place in places], np.int64)
                maps = probe.activations(prepared.preprocess(batch.images()), self.layers)
                for name, activation in maps.items():
                    _update(state.layers[name], activation, photos, drawn)
                if observe is not None:
                    observe(photos, maps)
        state.trim_reservoir()
        state.prune()
        return state


def _update(tops: TopK, maps: Tensor, photos: Integers, drawn: list[int]) -> None:
    """Take in the maps (n c h w) of a batch. Places are looked for only where a value is kept."""
    maps = maps.detach()

    def places(rows: Integers, units: Integers) -> Integers:
        device = maps.device
        chosen = maps[torch.as_tensor(rows, device=device), torch.as_tensor(units, device=device)]
        return np.asarray(chosen.flatten(1).float().cpu().numpy().argmax(1), np.int64)

    tops.update(maps.amax((2, 3)).float().cpu().numpy(), photos, places, drawn)
