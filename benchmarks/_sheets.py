"""Sheets of pictures as JPEG files, written whole."""

from __future__ import annotations

import io
from pathlib import Path

from convscope.core.files import write_whole
from convscope.results.pictures import Panel, sheet


def write_sheet(path: Path, panels: list[Panel], columns: int, quality: int = 82) -> None:
    """Write panels as one picture; the folder is made where it is missing."""
    buffer = io.BytesIO()
    sheet(panels, columns=columns).convert("RGB").save(buffer, "JPEG", quality=quality)
    write_whole(path, buffer.getvalue())
