"""How far a pass over photos has come, as data that can be merged and kept in a file."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convscope.atlas.scan.top_k import NOTHING, TopK
from convscope.core.extras import arrow, open_parquet, parquet
from convscope.photos.sources.entry import Entry

_ARRAYS = ("value", "photo", "place", "reservoir_value", "reservoir_place")


@dataclass
class PassState:
    """All layers; the reservoir of at most `size` photos, as (priority, photo); the photos that are
    referred to; name and reason of those skipped; which shards are in it; and how many photos."""

    layers: dict[str, TopK]
    size: int
    reservoir: list[tuple[int, int]] = field(default_factory=list)
    entries: dict[int, Entry] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    shards: set[int] = field(default_factory=set)
    photos: int = 0

    def merge(self, other: PassState) -> None:
        """Take in another part of the pass; one that is in it already is left alone."""
        if other.shards & self.shards:
            return
        self.layers = self.layers or {
            name: TopK.empty(tops.value.shape[0], tops.value.shape[1], tops.grid)
            for name, tops in other.layers.items()
        }
        for name, tops in other.layers.items():
            self.layers[name].merge(tops)
        self.reservoir += other.reservoir
        self.trim_reservoir()
        self.entries |= other.entries
        self.skipped = sorted(self.skipped + other.skipped)
        self.shards |= other.shards
        self.photos += other.photos
        self.prune()

    def num_units_without_photo(self) -> int:
        """How many units no photo gave a finite value."""
        return sum(int((tops.photo[:, 0] == NOTHING).sum()) for tops in self.layers.values())

    def trim_reservoir(self) -> None:
        """Keep the photos with the smallest priorities."""
        order = sorted(range(len(self.reservoir)), key=self.reservoir.__getitem__)[: self.size]
        self.reservoir = [self.reservoir[place] for place in order]
        for tops in self.layers.values():
            tops.reservoir_value = tops.reservoir_value[order]
            tops.reservoir_place = tops.reservoir_place[order]

    def prune(self) -> None:
        """Forget the photos that nobody refers to any more."""
        needed = {photo for _, photo in self.reservoir}
        for tops in self.layers.values():
            needed |= set(np.unique(tops.photo).tolist())
        self.entries = {photo: entry for photo, entry in self.entries.items() if photo in needed}

    def to_bytes(self) -> bytes:
        """As a Parquet file: an array a row."""
        rows: list[dict[str, object]] = []
        for name, tops in self.layers.items():
            for key in _ARRAYS:
                array = getattr(tops, key)
                shape, data = list(array.shape), array.tobytes()
                kind = str(array.dtype)
                rows.append({"layer": name, "key": key, "type": kind, "shape": shape, "data": data})
        facts = json.dumps(self._facts(), sort_keys=True).encode()
        rows.append({"layer": "", "key": "facts", "type": "json", "shape": [], "data": facts})
        pa = arrow()
        schema = pa.schema(
            [
                ("layer", pa.string()),
                ("key", pa.string()),
                ("type", pa.string()),
                ("shape", pa.list_(pa.int64())),
                ("data", pa.binary()),
            ]
        )
        buffer = io.BytesIO()
        parquet().write_table(
            pa.Table.from_pylist(rows, schema=schema),
            buffer,
            compression="ZSTD",
            use_dictionary=False,
            write_page_checksum=True,
        )
        return buffer.getvalue()

    def _facts(self) -> dict[str, object]:
        """What is not an array."""
        return {
            "size": self.size,
            "reservoir": self.reservoir,
            "entries": {str(key): entry.to_json() for key, entry in self.entries.items()},
            "skipped": self.skipped,
            "shards": sorted(self.shards),
            "photos": self.photos,
            "grids": {name: tops.grid for name, tops in self.layers.items()},
        }

    @classmethod
    def from_bytes(cls, data: bytes) -> PassState | None:
        """What `to_bytes` wrote, or None where it is damaged."""
        pa = arrow()
        try:
            rows = open_parquet(io.BytesIO(data)).read(use_threads=False).to_pylist()
            facts = json.loads(rows[-1]["data"])
            arrays: dict[str, dict[str, Any]] = {}
            for row in rows[:-1]:
                array = np.frombuffer(row["data"], row["type"]).reshape(row["shape"]).copy()
                arrays.setdefault(row["layer"], {})[row["key"]] = array
            return cls(
                {
                    name: TopK(**layer, grid=tuple(facts["grids"][name]))
                    for name, layer in arrays.items()
                },
                facts["size"],
                [(drawn, photo) for drawn, photo in facts["reservoir"]],
                {int(key): Entry.from_json(entry) for key, entry in facts["entries"].items()},
                [(name, reason) for name, reason in facts["skipped"]],
                set(facts["shards"]),
                facts["photos"],
            )
        except (pa.ArrowException, OSError, ValueError, KeyError, IndexError, TypeError):
            return None
