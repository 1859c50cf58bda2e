"""One shard of photos -> what it adds to the pass for unit cards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from convscope.atlas.scan.finite import require_finite
from convscope.atlas.scan.labels import LabelTexts
from convscope.atlas.scan.listing import Shard
from convscope.atlas.scan.pass_state import PassState
from convscope.atlas.scan.scanner import Scanner
from convscope.atlas.scan.top_k import Integers, TopK
from convscope.atlas.unit_cards.card_state import CardState
from convscope.atlas.unit_cards.label_sums import LabelSums
from convscope.networks.model import Model
from convscope.photos.sources.place import PhotoSource
from convscope.probe import Probe

BEST_PHOTOS = 50
"""Of each unit: its label is looked for among them."""

LEAST_PHOTOS = 20
"""Of each unit: twice as many as the readability takes, since photos on which a ReLU is closed may
be among the best too."""


class CardScanner:
    """Scans shards; it can be sent to another process. `label_names` are the labels that occur."""

    def __init__(
        self,
        model: Model,
        layers: Sequence[str],
        source: PhotoSource,
        texts: LabelTexts,
        label_names: Sequence[str],
        *,
        batch: int,
    ) -> None:
        self.source, self.layers, self.texts = source, list(layers), texts
        self.label_names = {name: number for number, name in enumerate(label_names)}
        self.scanner = Scanner(
            model, layers, source, k=BEST_PHOTOS, reservoir=0, seed=0, batch=batch, half=False
        )

    def close(self) -> None:
        """End the threads that read photos."""
        self.scanner.close()

    def announce(self, shard: Shard) -> None:
        """Say which shard comes after the current one."""
        self.scanner.announce(shard)

    def empty_state(self) -> CardState:
        """The state before any shard."""
        return CardState(self.scanner.empty_state(), PassState({}, 0))

    def read_state(self, data: bytes) -> CardState | None:
        """A state from its bytes; None where they are damaged."""
        return CardState.from_bytes(data)

    def __call__(self, shard: Shard) -> bytes:
        """The state after that shard alone, as bytes.

        Raises:
            NumericError: activations that are NaN or infinite.
        """
        least = PassState({}, 0, shards={shard.number})
        sums: dict[str, LabelSums] = {}
        with Probe(self.scanner.prepare()) as probe:
            for name in self.layers:
                units, rows, columns = probe.layers[name].shape
                least.layers[name] = TopK.empty(units, LEAST_PHOTOS, (rows, columns))
                sums[name] = LabelSums.empty(len(self.label_names), units)

        def observe(photos: Integers, maps: dict[str, Tensor]) -> None:
            entries = [shard.entries[number - shard.photo(0)] for number in photos.tolist()]
            texts = [
                self.texts.text(number, entry)
                for number, entry in zip(photos.tolist(), entries, strict=True)
            ]
            labels = [None if text is None else self.label_names[text] for text in texts]
            for name, activation in maps.items():
                value = activation.amax((2, 3)).float().cpu().numpy()
                require_finite(value, name, [entry.name for entry in entries])
                least.layers[name].update(-value, photos, _no_places, [])
                sums[name].update(labels, value.astype(np.float64))

        best = self.scanner.scan(shard, observe)
        least.entries = {shard.photo(place): entry for place, entry in enumerate(shard.entries)}
        least.prune()
        return CardState(best, least, sums).to_bytes()


def _no_places(rows: Integers, units: Integers) -> Integers:
    return np.zeros(len(rows), np.int64)
