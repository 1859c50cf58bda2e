"""The second, short reading: only the photos that won, to cut out what each unit saw."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from convscope.atlas.scan.receptive_field import Field
from convscope.atlas.scan.scanner import READERS, read_photo
from convscope.atlas.scan.top_k import NOTHING, State, spread
from convscope.atlas.store.tables import digest, single
from convscope.errors import ConvscopeError
from convscope.networks.model import Model
from convscope.photos.sources.entry import Entry
from convscope.photos.sources.source_of import Source
from convscope.results.pictures import to_rgb, to_uint8

SMALL = 48
"""Crops up to this side are stored without loss: JPEG's blocks would be all one sees."""

QUALITY = 88

RECIPE_VERSION = 1
"""Goes up when the same photos would give other rows than before."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Piece:
    """The units `first` to `last` - 1 of a layer: one part of examples. `run` is the hash of the
    pass they are from."""

    run: str
    layer: str
    depth: int
    first: int
    last: int

    @property
    def hash(self) -> str:
        """The content hash of its rows."""
        return digest(["examples", RECIPE_VERSION, self.run, self.layer, self.first, self.last])[
            :32
        ]

    def to_json(self, rows: int) -> dict[str, Any]:
        """What its part says about it."""
        return {
            "job": self.hash,
            "layer": self.layer,
            "first": self.first,
            "last": self.last,
            "run": self.run,
            "rows": rows,
        }


@dataclass(frozen=True)
class Winner:
    """One row to be: which photo, and where in the layer's maps."""

    piece: Piece
    unit: int
    kind: str
    rank: int
    value: float
    photo: int
    row: int
    column: int


def winners(state: State, piece: Piece, samples: int) -> Iterator[Winner]:
    """The rows of one piece: the best of each unit, and a sample over its range."""
    tops = state.layers[piece.layer]
    for unit in range(piece.first, piece.last):
        for rank, photo in enumerate(tops.photo[unit].tolist()):
            if photo != NOTHING:
                yield _winner(
                    piece,
                    unit,
                    "top",
                    rank,
                    tops.value[unit, rank],
                    photo,
                    tops.place[unit, rank],
                    tops.grid,
                )
        held = tops.held_value[:, unit]
        for rank, place in enumerate(spread(held, samples)):
            yield _winner(
                piece,
                unit,
                "sample",
                rank,
                held[place],
                state.held[place][1],
                tops.held_place[place, unit],
                tops.grid,
            )


def _winner(
    piece: Piece,
    unit: int,
    kind: str,
    rank: int,
    value: Any,
    photo: int,
    place: Any,
    grid: tuple[int, int],
) -> Winner:
    row, column = divmod(int(place), grid[1])
    return Winner(piece, unit, kind, rank, single(float(value)), photo, row, column)


class Cutter:
    """Cuts the rows of some pieces out of their photos, each photo read once."""

    def __init__(
        self,
        model: Model,
        source: Source,
        fields: dict[str, Field],
        crop: int,
        common: dict[str, Any],
    ) -> None:
        self.model, self.source, self.fields, self.crop, self.common = (
            model,
            source,
            fields,
            crop,
            common,
        )

    def rows(
        self, state: State, found: list[Winner]
    ) -> Iterator[tuple[int, dict[Piece, list[dict[str, Any]]]]]:
        """How many photos are read, with all rows at the end of the last; by piece, in the order of
        the winners."""
        by_photo: dict[int, list[int]] = defaultdict(list)
        for place, winner in enumerate(found):
            by_photo[winner.photo].append(place)
        made: list[dict[str, Any] | None] = [None] * len(found)
        photos = sorted(by_photo)
        with ThreadPoolExecutor(READERS, "crops") as pool:
            work = pool.map(
                lambda photo: self._cut(
                    state.entries[photo], [found[place] for place in by_photo[photo]]
                ),
                photos,
            )
            for done, (photo, cut) in enumerate(zip(photos, work, strict=True), start=1):
                for place, fresh in zip(by_photo[photo], cut, strict=True):
                    made[place] = fresh
                yield done, {}
        grouped: dict[Piece, list[dict[str, Any]]] = defaultdict(list)
        for winner, row in zip(found, made, strict=True):
            assert row is not None
            grouped[winner.piece].append(row)
        yield len(photos), grouped

    def _cut(self, entry: Entry, found: list[Winner]) -> list[dict[str, Any]]:
        """All rows that show one photo; equal boxes are cut once."""
        from PIL import Image

        picture, size = None, self.model.size
        try:
            photo = read_photo(self.source, entry)
            size = (int(photo.shape[-2]), int(photo.shape[-1]))
            picture = Image.fromarray(to_rgb(to_uint8(photo[0].permute(1, 2, 0).numpy())))
        except ConvscopeError:
            pass  # gone since it was looked at; the row stays, without its picture
        cut: dict[Box, bytes] = {}
        rows = []
        for winner in found:
            box = self._box(winner, size)
            if picture is not None and box not in cut:
                cut[box] = _encoded(picture.crop(box), self.crop)
            image = {"bytes": cut[box], "path": None} if picture is not None else None
            rows.append(self._row(winner, entry, box, image))
        return rows

    def _box(self, winner: Winner, size: tuple[int, int]) -> Box:
        """The receptive field in the photo's pixels: x0, y0, x1, y1."""
        top, left, bottom, right = self.fields[winner.piece.layer].box(
            winner.row, winner.column, self.model.size
        )
        above, before, height, width = self.model.preprocessing.box(*size)
        down, across = height / self.model.size[0], width / self.model.size[1]
        y0, x0 = round(above + top * down), round(before + left * across)
        y1, x1 = round(above + bottom * down), round(before + right * across)
        x0, y0 = min(max(x0, 0), size[1] - 1), min(max(y0, 0), size[0] - 1)
        return x0, y0, min(max(x1, x0 + 1), size[1]), min(max(y1, y0 + 1), size[0])

    def _row(
        self, winner: Winner, entry: Entry, box: Box, image: dict[str, Any] | None
    ) -> dict[str, Any]:
        place: dict[str, Any] = {
            "layer": winner.piece.layer,
            "depth": winner.piece.depth,
            "unit": winner.unit,
            "kind": winner.kind,
            "rank": winner.rank,
            "value": winner.value,
        }
        where: dict[str, Any] = {
            "photo": entry.name,
            "label": entry.label,
            **dict(zip(("x0", "y0", "x1", "y1"), box, strict=True)),
        }
        where |= {"row": winner.row, "column": winner.column, "image": image}
        return (
            self.common
            | place
            | where
            | {
                "recipe_version": RECIPE_VERSION,
                "job": winner.piece.hash,
            }
        )


def _encoded(picture: Any, longest: int) -> bytes:
    """A crop, no larger than it is shown."""
    if max(picture.size) > longest:
        picture.thumbnail((longest, longest))
    buffer = io.BytesIO()
    if max(picture.size) <= SMALL:
        picture.save(buffer, "PNG")
    else:
        picture.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def recipe_text(recipe: dict[str, Any]) -> str:
    """As the rows hold it."""
    return json.dumps(recipe, sort_keys=True)
