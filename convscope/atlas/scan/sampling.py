"""Activation vectors sampled from photos: one place of each, by lot, in one pass that keeps no
photo."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from convscope.atlas.scan.scanner import Scanner, Shard
from convscope.atlas.scan.top_k import priority
from convscope.probe import Probe


@dataclass
class Sample:
    """So far: the vectors (n channels) with their photos' lots (n), the shards that are done, and
    the photos that were unreadable."""

    vectors: NDArray[np.float32]
    lots: NDArray[np.int64]
    shards: set[int] = field(default_factory=set)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def empty(cls, channels: int) -> Sample:
        """Nothing yet."""
        return cls(np.empty((0, channels), np.float32), np.empty(0, np.int64))

    def keep(self, most: int) -> None:
        """Only the `most` smallest lots stay, in their order: which photos are in does not depend
        on the order they came in."""
        order = np.argsort(self.lots, kind="stable")[:most]
        self.vectors, self.lots = self.vectors[order], self.lots[order]

    def to_bytes(self) -> bytes:
        """For `from_bytes`."""
        buffer = io.BytesIO()
        names = np.array([name for name, _ in self.skipped], dtype=np.str_)
        reasons = np.array([reason for _, reason in self.skipped], dtype=np.str_)
        shards = np.array(sorted(self.shards), np.int64)
        np.savez(
            buffer,
            vectors=self.vectors,
            lots=self.lots,
            shards=shards,
            names=names,
            reasons=reasons,
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Sample | None:
        """What `to_bytes` gave; None where it was cut short."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as found:
                skipped = list(zip(found["names"].tolist(), found["reasons"].tolist(), strict=True))
                return cls(found["vectors"], found["lots"], set(found["shards"].tolist()), skipped)
        except (ValueError, KeyError, OSError, EOFError):
            return None


def sample_shard(
    scanner: Scanner,
    layer: str,
    shard: Shard,
    sample: Sample,
    most: int,
    seen: Callable[[int], None],
) -> None:
    """Take a shard's photos in: the vector at one place of each, drawn by its name."""
    fast = scanner.prepared()
    with Probe(fast) as probe:
        for first, read in scanner._batches(shard):
            entries = shard.entries[first : first + len(read)]
            good = [
                (entry, image)
                for entry, (image, _) in zip(entries, read, strict=True)
                if image is not None
            ]
            sample.skipped += [
                (entry.name, reason)
                for entry, (_, reason) in zip(entries, read, strict=True)
                if reason is not None
            ]
            if good:
                maps = (
                    probe.activations(
                        fast.preprocess(torch.cat([image for _, image in good])), [layer]
                    )[layer]
                    .float()
                    .cpu()
                    .flatten(2)
                )
                lots = np.array([priority(entry.name, scanner.seed) for entry, _ in good], np.int64)
                vectors = maps[
                    torch.arange(len(good)), :, torch.from_numpy(lots % maps.shape[2])
                ].numpy()
                sample.vectors = np.concatenate([sample.vectors, vectors])
                sample.lots = np.concatenate([sample.lots, lots])
                sample.keep(most)
            seen(len(read))
    sample.shards.add(shard.number)
