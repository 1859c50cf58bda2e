"""The pages of the static site: jinja2 templates, filled with plain data. Names are escaped by
jinja2, never by hand."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from convscope.atlas.store.staging import StagingFolder
from convscope.atlas.store.summary import many

FOLDER = Path(__file__).parent

POINTS = 160
"""Of a score curve that are drawn; more do not show at its width."""


@lru_cache(maxsize=1)
def _environment() -> Any:
    import jinja2

    loader = jinja2.FileSystemLoader(FOLDER)
    found = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=loader,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"many": many, "number": number}
    found.globals |= {"up": None, "before": None, "after": None, "search": None, "crumbs": []}
    return found


def page(template: str, /, **data: Any) -> bytes:
    """One page."""
    text: str = _environment().get_template(template).render(data)
    return text.encode()


def script(name: str, data: Any) -> bytes:
    """Data as a script that sets a variable: a page from file:// may load a script, but not
    JSON."""
    return f"window.{name} = {json.dumps(data, separators=(',', ':'), sort_keys=True)};\n".encode()


def assets(site: StagingFolder) -> None:
    """The files that all pages share."""
    for path in sorted(FOLDER.glob("*")):
        if path.suffix in (".css", ".js"):
            site.write(f"assets/{path.name}", path.read_bytes())


def number(value: float) -> str:
    """A score as people read it."""
    size = abs(value)
    return f"{value:.3g}" if size < 1000 or size >= 1e7 else f"{value:,.0f}"


def curve(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The score curves of a unit's pictures as the points of lines in a box of 268 x 92."""
    curves = [row["curve"] for row in rows if len(row["curve"]) > 1]
    if not curves:
        return None
    low, high = min(map(min, curves)), max(map(max, curves))
    lines = []
    for values in curves:
        places = sorted({round(step * (len(values) - 1) / (POINTS - 1)) for step in range(POINTS)})
        across = 268 / (len(values) - 1)
        lines.append(
            " ".join(
                f"{46 + place * across:.1f},"
                f"{100 - 92 * (values[place] - low) / ((high - low) or 1):.1f}"
                for place in places
            )
        )
    return {
        "lines": lines,
        "low": low,
        "high": high,
        "steps": max(map(len, curves)),
        "first": curves[0][0],
        "last": curves[0][-1],
    }
