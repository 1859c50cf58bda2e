from __future__ import annotations

from pathlib import Path

from convscope.atlas.atlas import Atlas
from convscope.atlas.store.store import Store
from convscope.core.validation import checked


@checked()
def open(directory: str | Path, *, model: str | None = None) -> Atlas:
    """An atlas to read: rows and pictures by layer and unit, similar units, search by label.

    Args:
        directory: the folder or URL it was built into.
        model: where it holds several networks, the name of one, or the beginning of its hash.

    Raises:
        InputError: there is no atlas, or it was written by another version.

    Example:
        atlas.open("atlas/").unit("blocks.3", 11)[0].picture.show()
    """
    return Atlas(Store(directory), model)
