"""Methods by metrics, with their spread."""

from __future__ import annotations

import numpy as np
from PIL import Image

from convscope.results.details import MeasurementsDetails
from convscope.results.pictures import register
from convscope.results.pictures._layout import add_margin, stack
from convscope.results.pictures._text import INK, TEXT, draw_text
from convscope.results.result import Result

ROW, HEAD, COLUMN, NAMES = 0.24, 0.9, 2.6, 2.0
"""Inches: a method's row, titles above and below, a metric's column, and the names at the left."""

DOTS = 110
"""Pixels an inch."""

OURS, FLOOR, MARK = "#2f6db3", "#b3432f", "#c9ced6"
"""Colors of means, of the method that knows nothing, and of single pictures."""


@register()
def measurements(result: Result) -> Image.Image:
    """One row per method, one column per metric: the mean over all pictures, with its standard
    error and the spread of the values.

    Reads the arrays of the metrics (methods x pictures), the table for its order, and from the
    details `metrics` (name and which way is better), `methods` and `floor`: the method that knows
    nothing, plotted as a line.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    details = result.details_as(MeasurementsDetails)
    better, methods = details.metrics, details.methods
    order = [row["method"] for row in reversed(result.table)]
    figure = Figure(
        figsize=(NAMES + COLUMN * len(better), HEAD + ROW * len(order)),
        dpi=DOTS,
        layout="constrained",
    )
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(better), sharey=True, squeeze=False)[0]
    for axis, (metric, way) in zip(axes, better.items(), strict=True):
        values = result[metric][[methods.index(name) for name in order]]
        rows, middle = np.arange(len(order)), values.mean(1)
        for row, marks in zip(rows, values, strict=True):
            axis.plot(marks, np.full(len(marks), row), "|", color=MARK, markersize=6, zorder=1)
        error = values.std(1) / np.sqrt(values.shape[1])
        axis.errorbar(
            middle, rows, xerr=error, fmt="o", color=OURS, markersize=4, linewidth=1.5, zorder=3
        )
        if details.floor in order:
            floor = order.index(details.floor)
            axis.plot(middle[floor], floor, "o", color=FLOOR, markersize=5, zorder=4)
            axis.axvline(middle[floor], color=FLOOR, linewidth=1, linestyle="--", zorder=2)
        axis.set_title(f"{metric.replace('_', ' ')}\n({way} is better)", fontsize=9, color=INK)
        axis.set_yticks(rows, order, fontsize=8)
        axis.tick_params(axis="x", labelsize=8)
        axis.set_ylim(-0.6, len(order) - 0.4)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", color="#eceff3", zorder=0)
    canvas.draw()  # type: ignore[no-untyped-call]
    plot = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())  # type: ignore[no-untyped-call]
    count = next(iter(result.arrays.values())).shape[1]
    note = f"Mean over {count} pictures with its standard error; each picture a faint mark."
    if details.floor in order:
        note += f" Red: {details.floor}, which knows nothing."
    return add_margin(stack([plot, draw_text(note, plot.width, TEXT - 2)]))
