"""Results drawn: the only place where float becomes uint8.

One view a file: a function of a `Result` and keyword options that returns a PIL image.
`Result.picture()` calls the one that the result names. Nothing here changes numbers for anybody
else: clipping, normalizing and coloring happen on the way to the screen, and each picture says what
was done. The pieces below are for pages that lay results out themselves.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from convscope.core.registry import NoTraits, Registry

registry = Registry(__name__, "picture", NoTraits)
register = registry.register

_PIECES = {
    "color": "_color",
    "to_rgb": "_color",
    "to_uint8": "_color",
    "activation_tile": "_tile",
    "is_blank": "_tile",
    "heat_of": "_heat",
    "overlay_heat": "_heat",
    "Panel": "_canvas",
    "color_bar": "_canvas",
    "sheet": "_canvas",
}

if TYPE_CHECKING:
    from convscope.results.pictures._canvas import Panel, color_bar, sheet
    from convscope.results.pictures._color import color, to_rgb, to_uint8
    from convscope.results.pictures._heat import heat_of, overlay_heat
    from convscope.results.pictures._tile import activation_tile, is_blank

__all__ = [
    "Panel",
    "activation_tile",
    "color",
    "color_bar",
    "heat_of",
    "is_blank",
    "overlay_heat",
    "register",
    "registry",
    "sheet",
    "to_rgb",
    "to_uint8",
]


def __getattr__(name: str) -> Any:
    """The pieces, imported when first used: listing the views needs neither NumPy nor Pillow."""
    if name not in _PIECES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PIECES[name]}"), name)
