"""Methods by metrics, with their spread."""

from __future__ import annotations

import numpy as np
from PIL import Image

from convscope.results.pictures import register
from convscope.results.pictures._canvas import INK, TEXT, framed, stack, text
from convscope.results.result import Result

ROW, HEAD, COLUMN, NAMES = 0.24, 0.9, 2.6, 2.0
"""Inches: a method's row, titles above and below, a metric's column, and the names at the left."""

DOTS = 110
"""Pixels an inch."""

OURS, FLOOR = "#2f6db3", "#b3432f"


@register()
def measurements(result: Result) -> Image.Image:
    """One row per method, one column per metric: the mean over all pictures, with its standard
    error and the spread of the values.

    Reads the arrays of the metrics (methods x pictures), the table for its order, and from the
    details `metrics` (name and which way is better), `methods` and `floor`: the method that knows
    nothing, drawn as a line.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    better, methods = result.details["metrics"], list(result.details["methods"])
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
        for row, each in zip(rows, values, strict=True):
            axis.plot(each, np.full(len(each), row), "|", color="#c9ced6", markersize=6, zorder=1)
        error = values.std(1) / np.sqrt(values.shape[1])
        axis.errorbar(
            middle, rows, xerr=error, fmt="o", color=OURS, markersize=4, linewidth=1.5, zorder=3
        )
        if result.details.get("floor") in order:
            floor = order.index(result.details["floor"])
            axis.plot(middle[floor], floor, "o", color=FLOOR, markersize=5, zorder=4)
            axis.axvline(middle[floor], color=FLOOR, linewidth=1, linestyle="--", zorder=2)
        axis.set_title(f"{metric.replace('_', ' ')}\n({way} is better)", fontsize=9, color=INK)
        axis.set_yticks(rows, order, fontsize=8)
        axis.tick_params(axis="x", labelsize=8)
        axis.set_ylim(-0.6, len(order) - 0.4)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", color="#eceff3", zorder=0)
    canvas.draw()  # type: ignore[no-untyped-call]
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())  # type: ignore[no-untyped-call]
    count = next(iter(result.arrays.values())).shape[1]
    said = f"Mean over {count} pictures with its standard error; each picture a faint mark."
    if result.details.get("floor") in order:
        said += f" Red: {result.details['floor']}, which knows nothing."
    return framed(stack([drawn, text(said, drawn.width, TEXT - 2)]))
