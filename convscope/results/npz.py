"""Arrays, photos and a head of JSON in one `.npz`; no pickle is ever written or read."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convscope.core.damaged import DAMAGED
from convscope.errors import InputError
from convscope.results.arrays import Array, Pixels
from convscope.results.provenance import Json

SCHEMA = 1
"""Version of the layout."""

LARGEST = 4 * 2**30
"""Bytes that a file may unpack to: 5,000 photos explained with ten methods have half of it."""


def to_npz(
    head: Mapping[str, Json], arrays: Mapping[str, Array], photos: Sequence[Pixels]
) -> bytes:
    """The bytes of the file that `read_npz` reads."""
    members: dict[str, Any] = {f"array/{name}": array for name, array in arrays.items()}
    members |= {f"photo/{index}": photo for index, photo in enumerate(photos)}
    buffer = io.BytesIO()
    text = json.dumps({"schema": SCHEMA, **head})
    np.savez_compressed(buffer, head=np.array(text), **members)
    return buffer.getvalue()


def read_npz(path: str | Path) -> tuple[dict[str, Json], dict[str, Array], list[Pixels]]:
    """Head, arrays and photos of a saved result.

    Raises:
        InputError: the file is missing, is not such a file, or was written by a newer Convscope.
    """
    try:
        with open(path, "rb") as stored, np.load(stored, allow_pickle=False) as file:
            _require_small_when_unpacked(path, file.zip)
            head: dict[str, Json] = json.loads(str(file["head"]))
            if head["schema"] > SCHEMA:
                raise InputError(
                    f"{path} was written by a newer Convscope (layout {head['schema']}, this one"
                    f" reads {SCHEMA}); update Convscope."
                )
            arrays = {
                name.removeprefix("array/"): _numbers(file[name])
                for name in file.files
                if name.startswith("array/")
            }
            photo_count = sum(name.startswith("photo/") for name in file.files)
            photos = [_pixels(file[f"photo/{index}"]) for index in range(photo_count)]
            return head, arrays, photos
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except MemoryError:
        raise InputError(f"{path} claims more than fits in memory, and is refused.") from None
    except DAMAGED as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is not a result that Convscope saved as .npz.") from None


def _require_small_when_unpacked(path: str | Path, archive: zipfile.ZipFile | None) -> None:
    """Refuse an archive that says it unpacks to more than anybody saves."""
    claimed = sum(entry.file_size for entry in archive.infolist()) if archive else 0
    if claimed > LARGEST:
        raise InputError(
            f"{path} says it unpacks to {claimed / 2**30:.0f} GiB, and is refused; at most"
            f" {LARGEST // 2**30} GiB are read."
        )


def _numbers(array: Array) -> Array:
    """An array of numbers, as float32.

    Raises:
        ValueError: it holds something else.
    """
    if array.dtype.kind not in "fiub":
        raise ValueError("no numbers")
    return np.ascontiguousarray(array, np.float32)


def _pixels(array: Pixels) -> Pixels:
    """A photo: `h w c`, uint8.

    Raises:
        ValueError: it is none.
    """
    if array.dtype != np.uint8 or array.ndim != 3 or 0 in array.shape:
        raise ValueError("no photo")
    return array
