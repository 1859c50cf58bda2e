"""Results drawn: the only place where float becomes uint8.

One view a file: a function of a `Result` and keyword options that returns a PIL image.
`Result.picture()` calls the one that the result names. Nothing here changes numbers for anybody
else: clipping, normalizing and coloring happen on the way to the screen, and each picture says what
was done. The pieces below are for pages that lay results out themselves.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from convscope.results.views import registry

register = registry.register

_PIECES = {
    "color": "colors",
    "to_rgb": "colors",
    "to_uint8": "colors",
    "activation_tile": "_tile",
    "is_blank": "_tile",
    "scale_heat": "_heat",
    "overlay_heat": "_heat",
    "Panel": "_layout",
    "color_bar": "_bar",
    "sheet": "_layout",
}

if TYPE_CHECKING:
    from convscope.results.pictures._bar import color_bar
    from convscope.results.pictures._heat import overlay_heat, scale_heat
    from convscope.results.pictures._layout import Panel, sheet
    from convscope.results.pictures._tile import activation_tile, is_blank
    from convscope.results.pictures.colors import color, to_rgb, to_uint8

__all__ = [
    "Panel",
    "activation_tile",
    "color",
    "color_bar",
    "is_blank",
    "overlay_heat",
    "register",
    "registry",
    "scale_heat",
    "sheet",
    "to_rgb",
    "to_uint8",
]


def __getattr__(name: str) -> object:
    """The pieces, imported when first used: listing the views needs neither NumPy nor Pillow."""
    if name not in _PIECES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PIECES[name]}"), name)
