"""The photos that a text names: a folder, Parquet files, archives or a Hugging Face dataset."""

from __future__ import annotations

import re
from typing import TypeAlias

from convscope.core.extras import need
from convscope.core.types import Foreign
from convscope.errors import ImageError, InputError
from convscope.photos.sources.archives import Archives
from convscope.photos.sources.entry import ENDINGS
from convscope.photos.sources.folder import Folder
from convscope.photos.sources.hugging_face import HuggingFace
from convscope.photos.sources.parquet import Parquet

HF = "hf:"

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")

Source: TypeAlias = Folder | Parquet | Archives | HuggingFace


def source_of(images: str) -> Source:
    """The photos that a text names.

    Raises:
        InputError: there is nothing, or nothing that is a photo.
    """
    text = str(images)
    if text.startswith(HF):
        return HuggingFace(text.removeprefix(HF))
    fsspec = need("fsspec")
    try:
        files, path = fsspec.core.url_to_fs(text)
    except (ImportError, ValueError) as error:
        raise InputError(f"{text} cannot be opened: {error}") from None
    paths = sorted(
        {
            match
            for pattern in _expand_braces(path)
            for match in (files.glob(pattern) if any(m in pattern for m in "*?[") else [pattern])
        }
    )
    if not paths or not all(files.exists(name) for name in paths):
        raise InputError(
            f"There are no photos at {text}; give a folder, .parquet or .tar files, or hf:NAME."
        )
    if len(paths) == 1 and files.isdir(paths[0]):
        return _folder(files, paths[0], text)
    endings = {"." + name.rpartition(".")[2].lower() for name in paths}
    if endings == {".parquet"}:
        return Parquet(files, paths)
    if endings == {".tar"}:
        return Archives(files, paths)
    raise InputError(
        f"{text} is none of the places photos can come from: a folder, .parquet or .tar files, or"
        " hf:NAME."
    )


def _folder(files: Foreign, path: str, text: str) -> Source:
    """A folder of pictures, or else of Parquet files or archives."""
    folder = Folder(files, path)
    if next(folder.walk(), None) is not None:
        return folder
    for ending, kind in ((".parquet", Parquet), (".tar", Archives)):
        names = sorted(name for name in files.find(path) if name.endswith(ending))
        if names:
            return kind(files, names)
    raise ImageError(f"There is no photo in {text}; photos end in {', '.join(ENDINGS[:4])} ...")


def _expand_braces(path: str) -> list[str]:
    """Webdataset's shards-{000..012}.tar as single names."""
    braces = _BRACES.search(path)
    if braces is None:
        return [path]
    first, last = braces[1], braces[2]
    numbers = [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
    return [
        name
        for number in numbers
        for name in _expand_braces(path[: braces.start()] + number + path[braces.end() :])
    ]
