"""Photos beside the colors of their features."""

from __future__ import annotations

from PIL import Image

from convscope.results.details import FeaturesDetails
from convscope.results.pictures import register
from convscope.results.pictures._heat import fit_into_photo
from convscope.results.pictures._layout import Panel, place_in_row, resize_to_fit, sheet
from convscope.results.pictures.colors import to_rgb, to_uint8
from convscope.results.result import Result

PANEL_SIDES = ((2, 340), (8, 220), (1000, 150))
"""Up to how many photos each one's longer side has how many pixels."""


@register()
def features(result: Result, *, smooth: bool = False) -> Image.Image:
    """Each photo beside the colors of its features, all photos in the same colors.

    Reads `color` (n 3 h w in [0, 1]), the photos, and from the details `layer` and `boxes`.

    Args:
        smooth: blend the colors of neighboring places instead of drawing a cell for each.
    """
    details = result.details_as(FeaturesDetails)
    count = len(result.photos)
    side = next((side for most, side in PANEL_SIDES if count <= most), PANEL_SIDES[-1][1])
    panels = []
    for place, photo in enumerate(result.photos):
        cells = to_uint8(result["color"][place].transpose(1, 2, 0))
        size = (photo.shape[0], photo.shape[1])
        colored = fit_into_photo(cells, size, details.boxes[place], smooth=smooth)
        pair = [resize_to_fit(pixels, side) for pixels in (to_rgb(photo), colored)]
        panels.append(Panel(place_in_row(pair, 6)))
    shares = ", ".join(f"{float(row['share']):.0%}" for row in result.table)
    notes = (
        f"Red, green and blue: the first three principal components of {details.layer}, {shares} of"
        " the variance, each from its 2nd to its 98th percentile over all photos."
    )
    if "foreground" in result:
        notes += " Black: background."
    return sheet(panels, notes=notes)
