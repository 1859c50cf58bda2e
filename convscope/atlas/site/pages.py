"""The pages of the static site: jinja2 templates, filled with plain data. Names are escaped by
jinja2, never by hand."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from convscope.atlas.store.staging import StagingFolder
from convscope.core.quantities import pluralize
from convscope.core.types import Foreign

FOLDER = Path(__file__).parent


@lru_cache(maxsize=1)
def _environment() -> Foreign:
    import jinja2

    loader = jinja2.FileSystemLoader(FOLDER)
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=loader,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"pluralize": pluralize, "number": format_number}
    environment.globals |= {"up": None, "before": None, "after": None, "search": None, "crumbs": []}
    return environment


def render_page(template: str, /, **data: object) -> bytes:
    """A template filled with data."""
    text: str = _environment().get_template(template).render(data)
    return text.encode()


def render_script(name: str, data: object) -> bytes:
    """Data as a script that sets a variable: a page from file:// may load a script, but not
    JSON."""
    return f"window.{name} = {json.dumps(data, separators=(',', ':'), sort_keys=True)};\n".encode()


def write_assets(site: StagingFolder) -> None:
    """The files that all pages share."""
    for path in sorted(FOLDER.glob("*")):
        if path.suffix in (".css", ".js"):
            site.write(f"assets/{path.name}", path.read_bytes())


def format_number(value: float) -> str:
    """A score as people read it."""
    size = abs(value)
    return f"{value:.3g}" if size < 1000 or size >= 1e7 else f"{value:,.0f}"
