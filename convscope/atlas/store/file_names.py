"""Layer and network names as file names: safe in URLs and on every file system."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

MAX_LENGTH = 80
"""Characters of a name that are kept; a path in a site has three such parts."""

MAX_FOLDER_LENGTH = 160
"""Characters of a folder's or picture's name; file systems allow 255 bytes, staging adds some."""

RESERVED = {
    "assets",
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{device}{number}" for device in ("com", "lpt") for number in range(10)),
}
"""The site's own folder, and what Windows keeps for devices, whatever the ending."""

_SAFE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_UNSAFE_IN_FOLDER = re.compile(r"[^A-Za-z0-9._=-]+")
_ENDINGS = (".html", ".js", ".css", ".json", ".png")


def folder_name(name: str) -> str:
    """A name as its folder in an atlas is called; the columns hold the name as it is."""
    folder = _UNSAFE_IN_FOLDER.sub("_", name).lstrip(".") or "_"
    if len(folder) <= MAX_FOLDER_LENGTH:
        return folder
    hashed = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{folder[:MAX_LENGTH]}~{hashed}"


def network_folder(name: str, identity: str) -> str:
    """The folder of a network: its name, and enough of its weights' hash to tell it from others of
    that name."""
    return f"{folder_name(name)}-{identity[:8]}"


def unique_file_names(names: Iterable[str]) -> dict[str, str]:
    """Name -> file name, no two the same. A name that is safe stays as it is; another is shortened
    to its letters and told apart by its hash, and so is one that differs from another only in its
    capitals."""
    file_names: dict[str, str] = {}
    distinct = list(dict.fromkeys(names))
    folded = [name.casefold() for name in distinct]
    for name in distinct:
        is_safe = (
            _SAFE.fullmatch(name) is not None
            and len(name) <= MAX_LENGTH
            and not name.endswith(_ENDINGS)
            and name.partition(".")[0].casefold() not in RESERVED
            and folded.count(name.casefold()) == 1
        )
        hashed = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
        file_names[name] = name if is_safe else f"{_UNSAFE.sub('_', name)[:MAX_LENGTH]}~{hashed}"
    return file_names
