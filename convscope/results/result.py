"""What a verb gives back: named arrays, a table, and how they were made."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from convscope.core.files import write_whole
from convscope.errors import InputError, OptionError, OutputError, suggest
from convscope.results import pictures
from convscope.results import provenance as _provenance

if TYPE_CHECKING:
    from PIL.Image import Image

SCHEMA = 1
"""Version of the `.npz` layout."""

PNG_KEY = "convscope"
"""The keyword of the PNG text chunk that holds the provenance."""

ENDINGS = (".png", ".npz", ".json", ".csv", ".gif", ".webp")
"""What `Result.save` can write."""

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Result:
    """Arrays, a table, the photos they belong to, and the provenance of all three.

    `result["name"]` is a float32 array; what there is depends on the verb (see its docstring).
    `table` holds rows for verbs whose answer is a list (predictions, layers, measurements).
    `details` is what a picture needs beside the
    numbers: titles, targets, and the part of each photo that the network saw. `view` names the
        picture in
    `convscope.results.pictures` that draws it.
    """

    verb: str
    view: str
    arrays: dict[str, Array] = field(default_factory=dict)
    table: list[dict[str, Any]] = field(default_factory=list)
    photos: list[npt.NDArray[np.uint8]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Array:
        if name not in self.arrays:
            raise OptionError(
                f"This result of {self.verb} has no array {name!r}; {suggest(name, self.arrays)}"
            )
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

    def picture(self, view: str | None = None, **options: Any) -> Image:
        """The result drawn, as a PIL image; `options` go to the picture function of that view."""
        drawn: Image = pictures.registry.get(view or self.view)(self, **options)
        return drawn

    def _repr_png_(self) -> bytes:
        return self.png()

    def __repr__(self) -> str:
        shapes = ", ".join(
            f"{name} {'x'.join(map(str, array.shape))}" for name, array in self.arrays.items()
        )
        return f"<Result of {self.verb}: {shapes or f'{len(self.table)} rows'}>"

    def png(self, **options: Any) -> bytes:
        """The picture as a PNG file that carries its provenance in a text chunk."""
        from PIL.PngImagePlugin import PngInfo

        options = options or self.provenance.get("picture", {})
        info = PngInfo()
        info.add_itxt(
            PNG_KEY,
            _provenance.text(
                self.provenance | ({"picture": _provenance.plain(options)} if options else {})
            ),
        )
        buffer = io.BytesIO()
        self.picture(**options).save(buffer, "PNG", pnginfo=info)
        return buffer.getvalue()

    def json(self) -> dict[str, Any]:
        """Everything but the arrays' contents, as a JSON object."""
        return {
            "verb": self.verb,
            "arrays": {name: {"shape": list(array.shape)} for name, array in self.arrays.items()},
            "table": _provenance.plain(self.table),
            "details": _provenance.plain(self.details),
            "provenance": self.provenance,
        }

    def save(self, path: str | Path, **options: Any) -> Path:
        """Save as a picture (`.png`), as everything (`.npz`, see `load`), as text (`.json`, without
        the arrays; `.csv`, only the table), or, where there are snapshots, as a moving picture
        (`.gif`, `.webp`).

        Raises:
            OutputError: another ending, or a place that cannot be written; nothing half-written is
                left.
        """
        suffix = Path(path).suffix.lower()
        if suffix == ".png":
            return write_whole(path, self.png(**options))
        if suffix == ".json":
            return write_whole(path, json.dumps(self.json(), indent=2, ensure_ascii=False).encode())
        if suffix == ".csv":
            return write_whole(path, self._csv())
        if suffix == ".npz":
            return write_whole(path, self._npz())
        if suffix in (".gif", ".webp"):
            buffer = io.BytesIO()
            self.picture("animation", **options).save(
                buffer, suffix[1:].upper(), save_all=True, loop=0
            )
            return write_whole(path, buffer.getvalue())
        raise OutputError(
            f"Cannot save a result as {Path(path).name!r}: the name must end in"
            f" {', '.join(ENDINGS)}."
        )

    def _csv(self) -> bytes:
        names = list(dict.fromkeys(name for row in self.table for name in row))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, names)
        writer.writeheader()
        writer.writerows(_provenance.plain(self.table))
        return text.getvalue().encode()

    def _npz(self) -> bytes:
        head = {
            "schema": SCHEMA,
            "verb": self.verb,
            "view": self.view,
            "table": _provenance.plain(self.table),
        }
        head |= {"details": _provenance.plain(self.details), "provenance": self.provenance}
        members: dict[str, Any] = {f"array/{name}": array for name, array in self.arrays.items()}
        members |= {f"photo/{index}": photo for index, photo in enumerate(self.photos)}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, head=np.array(json.dumps(head)), **members)
        return buffer.getvalue()

    @classmethod
    def load(cls, path: str | Path) -> Result:
        """Read what `save("....npz")` wrote. No pickle is ever read.

        Raises:
            InputError: the file is missing, is not such a file, or was written by a newer
                Convscope.
        """
        try:
            with open(path, "rb") as stored, np.load(stored, allow_pickle=False) as file:
                head = json.loads(str(file["head"]))
                if head["schema"] > SCHEMA:
                    raise InputError(
                        f"{path} was written by a newer Convscope (layout {head['schema']}, this"
                        f" one reads {SCHEMA}); update Convscope."
                    )
                arrays = {
                    name.removeprefix("array/"): file[name]
                    for name in file.files
                    if name.startswith("array/")
                }
                photos = [
                    file[f"photo/{index}"]
                    for index in range(sum(name.startswith("photo/") for name in file.files))
                ]
        except FileNotFoundError:
            raise InputError(f"There is no file {path}.") from None
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path} is not a result that Convscope saved as .npz.") from None
        return cls(
            head["verb"],
            head["view"],
            arrays,
            head["table"],
            photos,
            head["details"],
            head["provenance"],
        )


def read_provenance(path: str | Path) -> dict[str, Any]:
    """The provenance inside a PNG that Convscope saved.

    Raises:
        InputError: the file cannot be read or carries no provenance.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            picture.load()
            text = picture.info.get(PNG_KEY)
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError):
        raise InputError(f"{path} cannot be read as a picture.") from None
    if text is None:
        raise InputError(
            f"{path} carries no provenance: it was not saved by Convscope, or a program"
            " stripped it."
        )
    found: dict[str, Any] = json.loads(text)
    return found
