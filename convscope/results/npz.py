"""Arrays, photos and a head of JSON in one `.npz`; no pickle is ever written or read."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convscope.errors import InputError
from convscope.results.arrays import Array, Pixels
from convscope.results.provenance import Json

SCHEMA = 1
"""Version of the layout."""


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
            head: dict[str, Json] = json.loads(str(file["head"]))
            if head["schema"] > SCHEMA:
                raise InputError(
                    f"{path} was written by a newer Convscope (layout {head['schema']}, this one"
                    f" reads {SCHEMA}); update Convscope."
                )
            arrays = {
                name.removeprefix("array/"): file[name]
                for name in file.files
                if name.startswith("array/")
            }
            photo_count = sum(name.startswith("photo/") for name in file.files)
            return head, arrays, [file[f"photo/{index}"] for index in range(photo_count)]
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is not a result that Convscope saved as .npz.") from None
