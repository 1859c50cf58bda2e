"""Layer and network names as file names: safe in URLs and on every file system, and no two the
same."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

LONGEST = 80
"""Characters of a name that are kept; a path in a site has three such parts."""

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
_OTHER = re.compile(r"[^A-Za-z0-9_-]+")
_ENDINGS = (".html", ".js", ".css", ".json", ".png")


def safe_names(names: Iterable[str]) -> dict[str, str]:
    """Name -> file name. A name that is safe stays as it is; another is shortened to its letters
    and told apart by its hash, and so is one that differs from another only in its capitals."""
    found: dict[str, str] = {}
    listed = list(dict.fromkeys(names))
    folded = [name.casefold() for name in listed]
    for name in listed:
        plain = _SAFE.fullmatch(name) and len(name) <= LONGEST and not name.endswith(_ENDINGS)
        if (
            plain
            and name.partition(".")[0].casefold() not in RESERVED
            and folded.count(name.casefold()) == 1
        ):
            found[name] = name
        else:
            found[name] = (
                f"{_OTHER.sub('_', name)[:LONGEST]}~"
                f"{hashlib.sha256(name.encode()).hexdigest()[:10]}"
            )
    return found
