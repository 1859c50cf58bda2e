"""How far a pass over photos has come: of every unit the k best, and its values at some photos
chosen by chance. Mergeable.

The best are those of a total order (value, then the photo's place in the listing), and the photos
held by chance those whose name's hash is smallest, so that neither depends on the order in which
parts of the pass are merged.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from convscope.core.extras import arrow, parquet
from convscope.photos.sources.entry import Entry

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

NOTHING = -1
"""The photo of an empty slot."""


def priority(name: str, seed: int) -> int:
    """A photo's lot: the smallest are held."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:7], "big")


@dataclass
class TopK:
    """One layer: the k best of each unit (units k, best first), the values of the held photos
    (photos units), and the shape of its maps."""

    value: Floats
    photo: Integers
    place: Integers
    held_value: Floats
    held_place: Integers
    grid: tuple[int, int]

    @classmethod
    def empty(cls, units: int, k: int, grid: tuple[int, int]) -> TopK:
        """Nothing seen."""
        none = np.full((units, k), NOTHING, np.int64)
        value = np.full((units, k), -np.inf, np.float32)
        return cls(
            value,
            none,
            none.copy(),
            np.empty((0, units), np.float32),
            np.empty((0, units), np.int64),
            grid,
        )

    def see(
        self,
        value: Floats,
        photo: Integers,
        places: Callable[[Integers, Integers], Integers],
        held: list[int],
    ) -> None:
        """Take in a batch: `value` is n units, `photo` n in the order of the listing, and `places`
        finds where values lie, for pairs of (row of the batch, unit); `held` are the rows to
        hold."""
        value = np.where(np.isnan(value), np.float32(-np.inf), value).astype(np.float32)
        risen = np.flatnonzero((value > self.value[:, -1]).any(0))
        if len(risen):
            k = self.value.shape[1]
            fresh = np.ascontiguousarray(value[:, risen].T)
            # What is not among the batch's own k best cannot stay, so its place need not be found.
            best = np.argsort(-fresh, axis=1, kind="stable")[:, :k]
            fresh = np.take_along_axis(fresh, best, 1)
            rows, units = np.nonzero(fresh > self.value[risen, -1:])
            place = np.full(fresh.shape, NOTHING, np.int64)
            place[rows, units] = places(best[rows, units], risen[rows])
            values = np.concatenate([self.value[risen], fresh], 1)
            order = np.argsort(-values, axis=1, kind="stable")[:, :k]
            self.value[risen] = np.take_along_axis(values, order, 1)
            self.photo[risen] = np.take_along_axis(
                np.concatenate([self.photo[risen], photo[best]], 1), order, 1
            )
            self.place[risen] = np.take_along_axis(
                np.concatenate([self.place[risen], place], 1), order, 1
            )
        if held:
            units_all = np.arange(value.shape[1])
            rows = np.repeat(np.array(held), len(units_all))
            found = places(rows, np.tile(units_all, len(held))).reshape(len(held), -1)
            self.held_value = np.concatenate([self.held_value, value[held]])
            self.held_place = np.concatenate([self.held_place, found])

    def merge(self, other: TopK) -> None:
        """Take in what another part of the pass found; the held photos are appended."""
        value = np.concatenate([self.value, other.value], 1)
        photo = np.concatenate([self.photo, other.photo], 1)
        place = np.concatenate([self.place, other.place], 1)
        order = np.lexsort((photo, -value), axis=1)[:, : self.value.shape[1]]
        self.value, self.photo, self.place = (
            np.take_along_axis(one, order, 1) for one in (value, photo, place)
        )
        self.held_value = np.concatenate([self.held_value, other.held_value])
        self.held_place = np.concatenate([self.held_place, other.held_place])


@dataclass
class State:
    """All layers, the held photos with their lots, the photos that are referred to, those skipped,
    and which shards are in it."""

    layers: dict[str, TopK]
    hold: int
    held: list[tuple[int, int]] = field(default_factory=list)
    entries: dict[int, Entry] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    shards: set[int] = field(default_factory=set)
    photos: int = 0

    def merge(self, other: State) -> None:
        """Take in another part of the pass; one that is in it already is left alone."""
        if other.shards & self.shards:
            return
        self.layers = self.layers or {
            name: TopK.empty(one.value.shape[0], one.value.shape[1], one.grid)
            for name, one in other.layers.items()
        }
        for name, tops in other.layers.items():
            self.layers[name].merge(tops)
        self.held += other.held
        order = sorted(range(len(self.held)), key=self.held.__getitem__)[: self.hold]
        self.held = [self.held[place] for place in order]
        for tops in self.layers.values():
            tops.held_value, tops.held_place = tops.held_value[order], tops.held_place[order]
        self.entries |= other.entries
        self.skipped = sorted(self.skipped + other.skipped)
        self.shards |= other.shards
        self.photos += other.photos
        self.prune()

    def prune(self) -> None:
        """Forget the photos that nobody refers to any more."""
        named = {photo for _, photo in self.held}
        for tops in self.layers.values():
            named |= set(np.unique(tops.photo).tolist())
        self.entries = {photo: entry for photo, entry in self.entries.items() if photo in named}

    def to_bytes(self) -> bytes:
        """As a Parquet file: an array a row."""
        rows: list[dict[str, Any]] = []
        for name, tops in self.layers.items():
            for key in ("value", "photo", "place", "held_value", "held_place"):
                array = getattr(tops, key)
                rows.append(
                    {
                        "layer": name,
                        "key": key,
                        "type": str(array.dtype),
                        "shape": list(array.shape),
                        "data": array.tobytes(),
                    }
                )
        more = {
            "hold": self.hold,
            "held": self.held,
            "entries": {str(key): entry.to_json() for key, entry in self.entries.items()},
            "skipped": self.skipped,
            "shards": sorted(self.shards),
            "photos": self.photos,
            "grids": {name: tops.grid for name, tops in self.layers.items()},
        }
        rows.append(
            {
                "layer": "",
                "key": "more",
                "type": "json",
                "shape": [],
                "data": json.dumps(more, sort_keys=True).encode(),
            }
        )
        pa = arrow()
        text, numbers = pa.string(), pa.list_(pa.int64())
        schema = pa.schema(
            [
                ("layer", text),
                ("key", text),
                ("type", text),
                ("shape", numbers),
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

    @classmethod
    def from_bytes(cls, data: bytes) -> State | None:
        """What `to_bytes` wrote, or None where it is damaged."""
        try:
            rows = (
                parquet()
                .ParquetFile(io.BytesIO(data), page_checksum_verification=True)
                .read()
                .to_pylist()
            )
            more = json.loads(rows[-1]["data"])
            arrays: dict[str, dict[str, Any]] = {}
            for row in rows[:-1]:
                array = np.frombuffer(row["data"], row["type"]).reshape(row["shape"]).copy()
                arrays.setdefault(row["layer"], {})[row["key"]] = array
            layers = {
                name: TopK(**own, grid=tuple(more["grids"][name])) for name, own in arrays.items()
            }
        except (arrow().ArrowException, OSError, ValueError, KeyError, IndexError, TypeError):
            return None
        entries = {int(key): Entry.from_json(entry) for key, entry in more["entries"].items()}
        held = [(lot, photo) for lot, photo in more["held"]]
        skipped = [(name, reason) for name, reason in more["skipped"]]
        return cls(
            layers, more["hold"], held, entries, skipped, set(more["shards"]), more["photos"]
        )


def spread(values: Floats, count: int) -> list[int]:
    """The places of `count` values at even steps through their range's quantiles, lowest first;
    fewer where there are fewer."""
    known = [
        place for place in np.argsort(values, kind="stable").tolist() if np.isfinite(values[place])
    ]
    count = min(count, len(known))
    return [known[int((step + 0.5) / count * len(known))] for step in range(count)]


def batches(items: list[Any], size: int) -> Iterable[list[Any]]:
    """A list in pieces of at most `size`."""
    return (items[first : first + size] for first in range(0, len(items), size))
