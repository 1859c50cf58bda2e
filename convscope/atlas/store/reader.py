"""The one reader of an atlas: layer by layer, never whole. It lists the networks with their layers,
gives the rows of one layer, and the pictures of one part at a time."""

from __future__ import annotations

import io
import json
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, cast

from convscope.atlas.store.rows import Columns, ImageData, SkippedColumns
from convscope.atlas.store.store import Part, Store
from convscope.atlas.store.tables import CHECKSUM, SKIPPED, ColumnsT, Table
from convscope.core.text import is_whole_number
from convscope.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

CACHED_PARTS = 8
"""Parts whose pictures are held in memory."""

MAX_PICTURE_PIXELS = 4096 * 4096
"""Pixels of the largest picture that is opened: an atlas may come from elsewhere."""


class Row(Mapping[str, Any], Generic[ColumnsT]):
    """One row of a table by column name; `picture` is its image, read when it is asked for, and
    `columns` are all others, typed."""

    def __init__(self, reader: Reader, part: Part, position: int, columns: ColumnsT) -> None:
        self._reader, self.part, self.position, self.columns = reader, part, position, columns

    def __getitem__(self, name: str) -> Any:
        return self.image if name == "image" else self._plain[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._plain, "image"])

    def __len__(self) -> int:
        return len(self._plain) + 1

    def __hash__(self) -> int:
        return hash((self.part.path, self.position))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Row) and (self.part, self.position) == (
            other.part,
            other.position,
        )

    def __repr__(self) -> str:
        facts = ", ".join(
            f"{name} {self[name]}"
            for name in ("kind", "rank", "face", "score", "value", "photo")
            if name in self._plain
        )
        return f"<{self._plain.get('layer')}:{self._plain.get('unit')} {facts}>"

    @property
    def _plain(self) -> Mapping[str, Any]:
        return cast("Mapping[str, Any]", self.columns)

    @property
    def image(self) -> ImageData | None:
        """The picture as it is stored, or None where there is none."""
        return self._reader.image(self.part, self.position)

    @property
    def recipe(self) -> dict[str, Any]:
        """How the row was made."""
        return parse_recipe(self["recipe"])

    @property
    def bytes(self) -> bytes | None:
        """The picture's file (PNG or JPEG), or None where there is none."""
        image = self.image
        return None if image is None else image["bytes"]

    @property
    def picture(self) -> Image | None:
        """The picture, or None where the unit is dead or failed."""
        data = self.bytes
        if data is None:
            return None
        return open_picture(data)


@dataclass
class LayerParts:
    """A layer, and by table the parts that hold rows of it."""

    name: str
    depth: int
    parts: dict[str, list[Part]] = field(default_factory=lambda: defaultdict(list))


@dataclass
class Network:
    """A network and its layers, in the order in which they end while it runs."""

    model: str
    model_id: str
    layers: list[LayerParts]


class Reader:
    """Reads the parts of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._pictures: OrderedDict[str, Any] = OrderedDict()

    def forget(self) -> None:
        """Read pictures anew, as after the atlas has changed."""
        self._pictures.clear()

    def networks(self, tables: Iterable[Table[Columns]]) -> list[Network]:
        """The networks by name, from the small columns of the parts of some tables.

        Raises:
            InputError: a part is damaged.
        """
        keys = ["model", "model_id", "layer", "depth"]
        names: dict[str, str] = {}
        layers: dict[str, dict[str, LayerParts]] = defaultdict(dict)
        for table in tables:
            for part in self._sound_parts(table):
                distinct = self.store.read(part, keys).group_by(keys).aggregate([])
                for row in distinct.to_pylist():
                    names[row["model_id"]] = row["model"]
                    layer = layers[row["model_id"]].setdefault(
                        row["layer"], LayerParts(row["layer"], row["depth"])
                    )
                    layer.parts[table.name].append(part)
        by_name = sorted(names.items(), key=lambda pair: (pair[1], pair[0]))
        return [
            Network(
                name,
                identity,
                sorted(
                    layers[identity].values(),
                    key=lambda layer: (layer.depth, natural_order(layer.name)),
                ),
            )
            for identity, name in by_name
        ]

    def rows(
        self,
        table: Table[ColumnsT],
        network: Network,
        layer: LayerParts,
        columns: Iterable[str] | None = None,
    ) -> list[Row[ColumnsT]]:
        """A layer's rows in the table's order, each once and without its picture. Where `columns`
        names some, only these are read, beside those that identify and order a row."""
        return [
            row
            for row in self._rows(table, layer.parts[table.name], columns)
            if row["model_id"] == network.model_id and row["layer"] == layer.name
        ]

    def skipped(self, network: Network) -> list[Row[SkippedColumns]]:
        """The photos that could not be read."""
        rows = self._rows(SKIPPED, self._sound_parts(SKIPPED))
        return [row for row in rows if row["model_id"] == network.model_id]

    def pictures(self, rows: Iterable[Row[ColumnsT]]) -> Iterator[tuple[Row[ColumnsT], bytes]]:
        """The rows that have a picture, with its file's bytes; one part is in memory at a time."""
        by_part: dict[str, list[Row[ColumnsT]]] = defaultdict(list)
        for row in rows:
            by_part[row.part.path].append(row)
        for same_part in by_part.values():
            column = self.store.read(same_part[0].part, ["image"]).column(0)
            for row in same_part:
                image = column[row.position].as_py()
                if image is not None and image["bytes"]:
                    yield row, image["bytes"]

    def image(self, part: Part, position: int) -> ImageData | None:
        """One picture; its part's pictures are kept for the next.

        Raises:
            InputError: the part was merged or removed meanwhile.
        """
        column = self._pictures.get(part.path)
        if column is None:
            try:
                column = self.store.read(part, ["image"]).column(0)
            except FileNotFoundError:
                raise InputError(
                    f"{part.path} was merged or removed since it was opened; open the atlas again."
                ) from None
            self._pictures[part.path] = column
            while len(self._pictures) > CACHED_PARTS:
                self._pictures.popitem(last=False)
        image: ImageData | None = column[position].as_py()
        return image

    def _sound_parts(self, table: Table[Columns]) -> Iterator[Part]:
        for part in self.store.parts(table.name):
            if self.store.header(part) is None:
                raise InputError(
                    f"{part.path} is damaged; run convscope atlas verify {self.store.url} --remove,"
                    " then build again."
                )
            yield part

    def _rows(
        self, table: Table[ColumnsT], parts: Iterable[Part], columns: Iterable[str] | None = None
    ) -> list[Row[ColumnsT]]:
        """The rows of some parts without their pictures, each once and in the table's order."""
        pictures = table.picture_columns()
        names = [name for name in table.columns if name not in pictures]
        if columns is not None:
            wanted = {"model_id", "layer", *table.identity, *table.order, *columns}
            names = [name for name in names if name in wanted and name != CHECKSUM]
        identity = ("model_id", *(["layer"] if "layer" in table.columns else []), *table.identity)
        rows: dict[tuple[object, ...], Row[ColumnsT]] = {}
        # A job's own part comes after merged ones in the listing, and is newer where both exist.
        for part in parts:
            data = self.store.read(part, names)
            if set(data.column_names) != set(names):
                lacking = sorted(set(names).difference(data.column_names))
                raise InputError(f"{part.path} lacks the columns {', '.join(lacking)}.")
            for position, values in enumerate(data.to_pylist()):
                key = tuple(values[name] for name in identity)
                rows[key] = Row(self, part, position, values)
        return sorted(
            rows.values(), key=lambda row: tuple(_order(row[name]) for name in table.order)
        )


def parse_recipe(text: str) -> dict[str, Any]:
    """A row's recipe.

    Raises:
        InputError: it is no JSON object, as in an atlas that was tampered with.
    """
    try:
        recipe = json.loads(text)
    except (ValueError, RecursionError):
        recipe = None
    if not isinstance(recipe, dict):
        raise InputError("A recipe in this atlas cannot be read; run convscope atlas verify.")
    return recipe


def open_picture(data: bytes) -> Image:
    """A picture of a row: PNG or JPEG, of at most `MAX_PICTURE_PIXELS`.

    Raises:
        InputError: it is damaged, of another format, or too large to be a unit's picture.
    """
    from PIL import Image

    try:
        # Pillow guesses among dozens of formats otherwise, some of which start other programs.
        picture = Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
        if picture.width * picture.height > MAX_PICTURE_PIXELS:
            raise InputError(
                f"A picture in this atlas has {picture.width} x {picture.height} pixels, more than"
                " any unit's picture; it was not opened."
            )
        picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"A picture in this atlas cannot be read: {error}") from None
    return picture


def natural_order(name: str) -> list[tuple[bool, int, str]]:
    """A sort key by which blocks.2 comes before blocks.10."""
    return [
        (not is_whole_number(part), int(part) if is_whole_number(part) else 0, part)
        for part in name.split(".")
    ]


def _order(value: Any) -> Any:
    """The best examples come before the sample."""
    return {"top": "0", "sample": "1"}.get(value, value) if isinstance(value, str) else value
