"""The colors of classes carry white text (WCAG 2: a contrast of 4.5 to 1)."""

from __future__ import annotations

import pytest
from PIL import ImageColor

from convscope.results.pictures.detections import COLORS


def luminance(color):
    """Relative luminance of a color (WCAG 2.1)."""
    shares = [channel / 255 for channel in ImageColor.getrgb(color)]
    linear = [
        share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("color", COLORS)
def test_white_text_on_it_can_be_read(color):
    assert 1.05 / (luminance(color) + 0.05) >= 4.5


def test_they_differ():
    assert len(set(COLORS)) == len(COLORS)
