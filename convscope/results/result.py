"""What a verb gives back: named arrays, a table, and how they were made."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from convscope.concepts.concept_set import ConceptSet
from convscope.core.files import write_whole
from convscope.core.text import encodable
from convscope.core.validation import checked
from convscope.errors import InputError, OptionError, OutputError, shown, suggest
from convscope.results import views
from convscope.results.arrays import Array, Pixels
from convscope.results.csv_table import to_csv
from convscope.results.details import Details, MapDetails, View, details_from_json
from convscope.results.documents import to_html, to_jpeg, to_pdf, to_svg
from convscope.results.endings import ANIMATIONS, ENDINGS, PICTURES
from convscope.results.npz import read_npz, to_npz
from convscope.results.png import to_png
from convscope.results.provenance import (
    Json,
    Provenance,
    Row,
    check_provenance,
    check_rows,
    to_json,
    to_text,
)

if TYPE_CHECKING:
    from PIL.Image import Image

D = TypeVar("D", bound=Details)


@dataclass(frozen=True)
class Result:
    """Arrays, a table, the photos they belong to, and the provenance of all three.

    `result["name"]` is a float32 array; what there is depends on the verb (see its docstring).
    `table` holds rows for verbs whose answer is a list (predictions, layers, measurements).
    `details` is what a picture needs beside the numbers: titles, targets, and the part of each
    photo that the network saw; their class says which view draws the result. `note` is a sentence
    for whoever asked, which is not saved.
    """

    verb: str
    details: Details
    arrays: dict[str, Array] = field(default_factory=dict)
    table: list[Row] = field(default_factory=list)
    photos: list[Pixels] = field(default_factory=list)
    provenance: Provenance = field(default_factory=lambda: Provenance())
    note: str = ""

    @property
    def view(self) -> View:
        """The name of the picture in `convscope.results.pictures` that draws it."""
        return self.details.view

    def __getitem__(self, name: str) -> Array:
        if not isinstance(name, str) or name not in self.arrays:
            hint = suggest(name if isinstance(name, str) else "", self.arrays)
            raise OptionError(f"This result of {self.verb} has no array {shown(name)}; {hint}")
        return self.arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __contains__(self, name: object) -> bool:
        return name in self.arrays

    def __len__(self) -> int:
        return len(self.arrays)

    def keys(self) -> list[str]:
        """The names of the arrays."""
        return list(self.arrays)

    def details_as(self, kind: type[D]) -> D:
        """The details, where they are of that kind.

        Raises:
            OptionError: the result is of another view.
        """
        if not isinstance(self.details, kind):
            raise OptionError(
                f"A result of {self.verb} is drawn as {self.view!r}; it lacks what"
                f" {getattr(kind, 'view', kind.__name__)!r} needs."
            )
        return self.details

    @checked()
    def picture(self, view: str | None = None, **options: object) -> Image:
        """The result drawn, as a PIL image; `options` go to the picture function of that view."""
        name = view or self.view
        checked = views.registry.schema(name).validate(options)
        return cast("Image", views.registry.get(name)(self, **checked))

    def to_json(self) -> Json:
        """What another verb's provenance keeps of a result it was given: how it was made."""
        if "verb" not in self.provenance:
            return "<Result>"
        kept = {key: value for key, value in self.provenance.items() if key != "seconds"}
        return {"made_by": kept}

    def _repr_html_(self) -> str:
        return to_html(self.png() if self.view != "table" else None, self.table, self.note)

    def _repr_png_(self) -> bytes:
        return self.png()

    def __repr__(self) -> str:
        shapes = ", ".join(
            f"{name} {'x'.join(map(str, array.shape))}" for name, array in self.arrays.items()
        )
        return f"<Result of {self.verb}: {shapes or f'{len(self.table)} rows'}>"

    def png(self, **options: object) -> bytes:
        """The picture as a PNG file that carries its provenance in a text chunk."""
        options = options or self.provenance.get("picture", {})
        record = self.provenance.copy()
        if options:
            record["picture"] = to_json(options)
        return to_png(self.picture(None, **options), record)

    def json(self) -> dict[str, Json]:
        """Everything but the arrays' contents, as a JSON object."""
        return {
            "verb": self.verb,
            "arrays": {name: {"shape": list(array.shape)} for name, array in self.arrays.items()},
            "table": to_json(self.table),
            "details": to_json(self.details),
            "provenance": self.provenance,
        }

    @checked()
    def save(self, path: str | Path, **options: object) -> Path:
        """Save as a picture (`.png`, which `rerun` reads; `.jpg`, `.pdf`, `.svg`), as everything
        (`.npz`, see `load`), as concepts (`.safetensors`, which `concept:NAME/3` names), as text
        (`.json`, without the arrays; `.csv`, only the table), or, where there are snapshots, as a
        moving picture (`.gif`, `.webp`).

        Raises:
            OutputError: another ending, or a place that cannot be written; nothing half-written is
                left.
            OptionError: an option that the picture does not have, or of a file that holds none.
        """
        suffix = Path(path).suffix.lower()
        if options and suffix in ENDINGS and suffix not in PICTURES:
            raise OptionError(
                f"A {suffix} file holds no picture, so it takes no {next(iter(options))}=;"
                f" pictures end in {', '.join(PICTURES)}."
            )
        if suffix == ".png":
            data = self.png(**options)
        elif suffix in (".jpg", ".jpeg"):
            data = to_jpeg(self.picture(None, **options), self.provenance)
        elif suffix == ".pdf":
            data = to_pdf(self.picture(None, **options))
        elif suffix == ".svg":
            data = to_svg(self.png(**options), to_text(self.provenance))
        elif suffix == ".json":
            data = encodable(json.dumps(self.json(), indent=2, ensure_ascii=False))
        elif suffix == ".csv":
            data = to_csv(self.table)
        elif suffix == ".npz":
            data = to_npz(self._head(), self.arrays, self.photos)
        elif suffix == ".safetensors":
            data = self._concepts()
        elif suffix in ANIMATIONS:
            data = self._animation(suffix[1:].upper(), options)
        else:
            raise OutputError(
                f"Cannot save a result as {Path(path).name!r}: the name must end in"
                f" {', '.join(ENDINGS)}."
            )
        return write_whole(path, data)

    def _concepts(self) -> bytes:
        """The directions as a file that `concept:NAME/3` reads."""
        layer = self.details.get("layer")
        if "directions" not in self.arrays or not isinstance(layer, str):
            raise OutputError(
                f"Only concepts are saved as .safetensors; this is a result of {self.verb}."
            )
        return ConceptSet(self["directions"], layer, self.provenance).to_bytes()

    def _animation(self, form: str, options: Mapping[str, object]) -> bytes:
        """The snapshots as a moving picture."""
        buffer = io.BytesIO()
        self.picture("animation", **options).save(buffer, form, save_all=True, loop=0)
        return buffer.getvalue()

    def _head(self) -> dict[str, Json]:
        """What an `.npz` holds beside the arrays and photos."""
        return {
            "verb": self.verb,
            "view": self.view,
            "table": to_json(self.table),
            "details": to_json(self.details),
            "provenance": self.provenance,
        }

    @classmethod
    @checked()
    def load(cls, path: str | Path) -> Result:
        """Read what `save("....npz")` wrote. No pickle is ever read.

        Raises:
            InputError: the file is missing, is not such a file, or was written by a newer
                Convscope.
        """
        head, arrays, photos = read_npz(path)
        try:
            details = details_from_json(head["view"], head["details"])
            table, record = check_rows(head["table"]), check_provenance(head["provenance"])
            result = cls(str(head["verb"]), details, arrays, table, photos, record)
            _require_consistent(result)
            return result
        except (ValueError, KeyError, TypeError, RecursionError):
            raise InputError(f"{path} is not a result that Convscope saved as .npz.") from None


def _require_consistent(result: Result) -> None:
    """Details that point at maps and photos which are there.

    Raises:
        ValueError: they do not.
    """
    details = result.details
    if isinstance(details, MapDetails):
        counts = {len(details.titles), len(details.boxes), len(details.photo_of)}
        counts |= {len(details.probabilities)} - {0}
        counts |= {len(array) for name, array in result.arrays.items() if "heatmap" in name}
        if len(counts) > 1 or not all(0 <= at < len(result.photos) for at in details.photo_of):
            raise ValueError("maps without their photos")
