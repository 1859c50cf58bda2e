"""Activation vectors sampled from photos: one place of each, drawn by its name, in one pass that
keeps no photo."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from convscope.atlas.scan import listing
from convscope.atlas.scan.finite import require_finite
from convscope.atlas.scan.listing import Shard
from convscope.atlas.scan.scanner import Scanner
from convscope.atlas.scan.top_k import priority
from convscope.atlas.store.store import Store
from convscope.core.damaged import DAMAGED
from convscope.core.interrupt import Stop
from convscope.core.progress import advance
from convscope.probe import Probe


@dataclass
class Sample:
    """So far: the vectors (n channels) with their photos' priorities (n), the shards that are done,
    and name and reason of the photos that were unreadable."""

    vectors: NDArray[np.float32]
    priorities: NDArray[np.int64]
    shards: set[int] = field(default_factory=set)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def empty(cls, channels: int) -> Sample:
        """A sample without any vector."""
        return cls(np.empty((0, channels), np.float32), np.empty(0, np.int64))

    def keep(self, most: int) -> None:
        """Keep the `most` smallest priorities, in their order: which photos are in does not depend
        on the order they came in."""
        order = np.argsort(self.priorities, kind="stable")[:most]
        self.vectors, self.priorities = self.vectors[order], self.priorities[order]

    def to_bytes(self) -> bytes:
        """For `from_bytes`."""
        buffer = io.BytesIO()
        names = np.array([name for name, _ in self.skipped], dtype=np.str_)
        reasons = np.array([reason for _, reason in self.skipped], dtype=np.str_)
        shards = np.array(sorted(self.shards), np.int64)
        np.savez(
            buffer,
            vectors=self.vectors,
            priorities=self.priorities,
            shards=shards,
            names=names,
            reasons=reasons,
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Sample | None:
        """What `to_bytes` gave; None where it is damaged."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                names, reasons = arrays["names"].tolist(), arrays["reasons"].tolist()
                return cls(
                    arrays["vectors"],
                    arrays["priorities"],
                    set(arrays["shards"].tolist()),
                    list(zip(names, reasons, strict=True)),
                )
        except DAMAGED:
            return None


def sample_photos(
    store: Store, path: str, scanner: Scanner, num_photos: int, most: int, stop: Stop
) -> Sample:
    """The sample of at most `most` vectors of the scanner's one layer; how far it has come is
    written to `path` after every shard, and read from there at the start.

    Raises:
        NumericError: activations that are NaN or infinite.
    """
    (layer,) = scanner.layers
    stored = store.load(path)
    sample = None if stored is None else Sample.from_bytes(stored)
    if sample is None:
        with Probe(scanner.model) as probe:
            sample = Sample.empty(probe.layers[layer].units)
    done = min(len(sample.shards) * listing.SHARD_SIZE, num_photos)
    advance("atlas: photos", done, num_photos)
    shards = listing.announce_ahead(
        listing.shards(scanner.source, set(sample.shards)), scanner.announce
    )
    for shard in stop.until(shards):
        _sample_shard(scanner, layer, shard, sample, most)
        store.write(path, sample.to_bytes(), lossy=True)
        done = min(done + len(shard.entries), num_photos)
        advance("atlas: photos", done, num_photos)
    return sample


def _sample_shard(scanner: Scanner, layer: str, shard: Shard, sample: Sample, most: int) -> None:
    """Take a shard's photos in."""
    prepared = scanner.prepare()
    with Probe(prepared) as probe:
        for batch in scanner.batches(shard):
            sample.skipped += batch.skipped()
            readable = batch.readable()
            if not readable:
                continue
            image = prepared.preprocess(batch.images())
            maps = probe.activations(image, [layer])[layer].float().cpu().flatten(2)
            names = [batch.photos[place].entry.name for place in readable]
            priorities = np.array([priority(name, scanner.seed) for name in names], np.int64)
            places = torch.from_numpy(priorities % maps.shape[2])
            vectors = maps[torch.arange(len(readable)), :, places].numpy()
            require_finite(vectors, layer, names)
            sample.vectors = np.concatenate([sample.vectors, vectors])
            sample.priorities = np.concatenate([sample.priorities, priorities])
            sample.keep(most)
    sample.shards.add(shard.number)
