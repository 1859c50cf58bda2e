"""Shell patterns of dotted names: of layers and of modules."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=256)
def name_pattern(pattern: str) -> re.Pattern[str]:
    """A shell pattern whose `*` and `?` do not cross dots; `**` does. "blocks.*" fits "blocks.1"
    and not "blocks.1.conv". A `[...]` that is no set of characters stands for itself.
    """
    words = {"**": ".*", "*": "[^.]*", "?": "[^.]"}
    pieces = re.split(r"(\*\*|\*|\?|\[[^\]]+\])", pattern)
    return re.compile("".join(words.get(piece) or _set_or_text(piece) for piece in pieces))


def _set_or_text(piece: str) -> str:
    if not (piece.startswith("[") and piece.endswith("]")):
        return re.escape(piece)
    inside, negation = piece[1:-1], ""
    if inside.startswith("!") and len(inside) > 1:
        inside, negation = inside[1:], "^"
    escaped = re.sub(r"([^\w-])", r"\\\1", inside)
    characters = f"[{negation}{escaped}]"
    try:
        re.compile(characters)
    except re.error:
        return re.escape(piece)
    return characters
