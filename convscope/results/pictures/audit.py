"""How good a classifier is: its classes and its reliability diagram."""

from __future__ import annotations

import numpy as np
from PIL import Image

from convscope.core.ranges import PositiveInt
from convscope.results.details import AuditDetails
from convscope.results.pictures import register
from convscope.results.pictures._layout import add_margin
from convscope.results.pictures._text import INK
from convscope.results.result import Result

WIDTH, ROW, LEAST_HEIGHT, DOTS = 9.0, 0.28, 4.0, 110
"""Inches, and pixels an inch."""

BAR, LINE = "#2f6db3", "#b3432f"

LONGEST_NAME = 24


@register()
def audit(result: Result, *, first: PositiveInt = 20) -> Image.Image:
    """The least accurate classes with their intervals, and the reliability diagram.

    Args:
        first: how many classes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    details = result.details_as(AuditDetails)
    classes = details.classes[:first][::-1]
    height = max(LEAST_HEIGHT, 1.2 + ROW * len(classes))
    figure = Figure(figsize=(WIDTH, height), dpi=DOTS, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    rows = np.arange(len(classes))
    value = np.array([entry.accuracy for entry in classes])
    low = np.array([entry.low for entry in classes])
    high = np.array([entry.high for entry in classes])
    error = np.clip(np.stack([value - low, high - value]), 0, None)
    left.errorbar(value, rows, xerr=error, fmt="o", color=BAR, markersize=4, linewidth=1.5)
    names = [f"{entry.label[:LONGEST_NAME]} ({entry.photos})" for entry in classes]
    # A label with two dollar signs is no formula.
    left.set_yticks(rows, names, fontsize=8, parse_math=False)
    left.set_xlim(-0.02, 1.02)
    left.set_title("accuracy by class (photos)", fontsize=9, color=INK)
    bins = result["bins"]
    middle = (np.arange(len(bins)) + 0.5) / len(bins)
    used = bins[:, 2] > 0
    right.bar(middle[used], bins[used, 1], 0.9 / len(bins), color=BAR)
    right.plot([0, 1], [0, 1], "--", color=LINE, linewidth=1)
    right.set_xlim(0, 1)
    right.set_ylim(0, 1)
    right.set_xlabel("probability of the answer", fontsize=8)
    right.set_title(
        f"share that is right; calibration error {result['calibration_error'][0]:.3f}",
        fontsize=9,
        color=INK,
    )
    for axis in (left, right):
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]
    return add_margin(Image.fromarray(pixels))
