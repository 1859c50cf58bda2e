"""Float to uint8, and numbers to colors."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from convscope.errors import NumericError, OptionError, suggest

Pixels = npt.NDArray[np.uint8]
Map = npt.NDArray[np.float16 | np.float32 | np.float64]

HEAT = "inferno"
"""Colors of heat. Perceptually uniform: equal steps look equal, the order survives gray print and
color blindness, and cold is dark, so that over a photo the unattended parts are dimmed and keep
their own hue. (jet's cyan and yellow bands show edges that are not in the data; it is there for
comparison with published figures: colors="jet".)"""

SIGNED = "RdBu_r"
"""Colors of signed maps: blue below zero, white at zero, red above."""

ACTIVATION = "viridis"
"""Colors of activation grids, as in Chollet's book."""


def to_uint8(image: Map) -> Pixels:
    """Float pixels in [0, 1] to the nearest of 256 levels; what lies outside is clipped, never
    wrapped.

    Raises:
        NumericError: NaN or infinity.
    """
    check_finite(image, "image")
    return np.rint(np.clip(image, 0, 1).astype(np.float64) * 255).astype(np.uint8)


def color(values: Map, name: str = HEAT, low: float = 0.0, high: float = 1.0) -> Pixels:
    """Numbers (`h w`) as colors (`h w 3`): `low` and all below is the map's first color, `high` and
    all above its last.

    `name` is any of matplotlib's color maps. Where `low` equals `high` there is no scale, and all
    is the first color.

    Raises:
        NumericError: NaN or infinity.
        OptionError: an unknown color map.
    """
    check_finite(values, "map")
    span = float(high) - float(low)
    share = (values.astype(np.float64) - low) / span if span > 0 else np.zeros(values.shape)
    return color_table(name)[to_uint8(share)]


@lru_cache(maxsize=32)
def color_table(name: str) -> Pixels:
    """The 256 colors of a map, `256 3`."""
    from matplotlib import colormaps

    if name not in colormaps:
        hint = suggest(name, [known for known in colormaps if not known.endswith("_r")])
        raise OptionError(f"There is no color map {name!r}; {hint}")
    table = to_uint8(np.asarray(colormaps[name](np.linspace(0, 1, 256)))[:, :3])
    table.flags.writeable = False
    return table


def to_rgb(photo: Pixels) -> Pixels:
    """A photo of any number of channels (`h w` or `h w c`) as three: gray is repeated; of more than
    three, the first three are shown.

    Two channels show the first one, as gray.
    """
    if photo.ndim == 2:
        photo = photo[..., None]
    return np.ascontiguousarray(
        np.repeat(photo[..., :1], 3, axis=2) if photo.shape[2] < 3 else photo[..., :3]
    )


def check_finite(values: Map, what: str) -> None:
    """Raise a NumericError where there is NaN or infinity."""
    if not np.isfinite(values).all():
        raise NumericError(
            f"The {what} to draw holds NaN or infinity; the numbers before the picture went wrong."
        )
