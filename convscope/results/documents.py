"""A picture within other documents: JPEG, PDF, SVG, and the HTML that a notebook shows."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from convscope.core.text import encodable, visible
from convscope.results.provenance import Provenance, to_json, to_text

if TYPE_CHECKING:
    from PIL.Image import Image

QUALITY = 92
"""Of a JPEG: above it files grow and nothing more can be seen."""

LONGEST_COMMENT = 65_533
"""Bytes that a JPEG's comment can hold."""

MOST_ROWS = 50
"""Rows of a table in a notebook."""


def to_jpeg(picture: Image, provenance: Provenance) -> bytes:
    """The bytes of a JPEG, its provenance in the comment where there is room. It cannot be made
    again from the file: its pixels are not exact."""
    comment = encodable(to_text(provenance))
    buffer = io.BytesIO()
    picture.convert("RGB").save(
        buffer,
        "JPEG",
        quality=QUALITY,
        comment=comment if len(comment) <= LONGEST_COMMENT else b"",
    )
    return buffer.getvalue()


def to_pdf(picture: Image) -> bytes:
    """The bytes of a PDF with the picture as its one page."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "PDF", resolution=144.0)
    return buffer.getvalue()


def to_svg(png: bytes, provenance: str) -> bytes:
    """An SVG that holds the PNG whole, for documents that take nothing else."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        width, height = picture.size
    return encodable(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}"><metadata>{html.escape(visible(provenance))}</metadata>'
        f'<image width="{width}" height="{height}" href="{_data_uri(png)}"/></svg>\n'
    )


def to_html(png: bytes | None, table: Sequence[Mapping[str, object]], note: str) -> str:
    """What a notebook shows: the picture where there is one, and the rows as a table."""
    parts = [] if png is None else [f'<img src="{_data_uri(png)}" style="max-width: 100%">']
    if table:
        names = list(dict.fromkeys(name for row in table for name in row))
        head = "".join(f"<th>{_cell(name)}</th>" for name in names)
        rows = [
            "<tr>" + "".join(f"<td>{_cell(row.get(name))}</td>" for name in names) + "</tr>"
            for row in table[:MOST_ROWS]
        ]
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>")
    if len(table) > MOST_ROWS:
        parts.append(f"<p>The first {MOST_ROWS} of {len(table)} rows.</p>")
    if note:
        parts.append(f"<p>{_cell(note)}</p>")
    return "\n".join(parts)


def _cell(value: object) -> str:
    """A value as harmless text."""
    if isinstance(value, float):
        return f"{value:.4g}"
    plain = to_json(value)
    text = ", ".join(map(str, plain)) if isinstance(plain, list) else str(plain)
    return html.escape(visible("" if plain is None else text))


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
