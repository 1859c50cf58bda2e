"""docs/speed.png: bars of the ratios to the peers, and the curves of growth."""

from __future__ import annotations

import io
from typing import Any

from benchmarks._duel import Row

COLORS = {
    "as fast as was wanted": "#2a7f62",
    "as fast as was wanted, but over its limit": "#d9a23b",
    "slower than was wanted": "#b5483a",
    "nothing was wanted": "#8a93a3",
}
TICKS = (0.5, 1, 2, 4, 8, 16, 32, 64)
NEAR = 1.35
"""A mark within this share of a bar's end moves the number behind it."""


def verdict(row: Row) -> str:
    """Which of the colors a bar has."""
    assert row.ratio is not None
    if row.held is None:
        return "nothing was wanted"
    if row.wanted is not None and row.ratio[0] < row.wanted:
        return "slower than was wanted"
    return "as fast as was wanted" if row.held else "as fast as was wanted, but over its limit"


def picture(rows: list[Row]) -> bytes:
    """A PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    bars = [row for row in rows if row.ratio and row.peer and not row.missing]
    curves = [row for row in rows if row.curve]
    figure, axes = pyplot.subplots(
        1,
        2 if curves else 1,
        figsize=(15 if curves else 10, max(4.0, 0.24 * len(bars) + 1.5)),
        width_ratios=(2, 1) if curves else (1,),
        squeeze=False,
    )
    draw_bars(axes[0][0], bars)
    if curves:
        draw_curves(axes[0][1], curves)
    buffer = io.BytesIO()
    figure.tight_layout()
    # With the labels beside the axes, however long they are.
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight", pad_inches=0.2)
    pyplot.close(figure)
    return buffer.getvalue()


def draw_bars(chart: Any, bars: list[Row]) -> None:
    """A bar from 1 for each ratio, with its interval and a mark at what was wanted."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    ends = [1.0]
    for place, row in enumerate(bars):
        assert row.ratio is not None
        middle, low, high = row.ratio
        ends += [low, high, row.wanted or 1]
        chart.barh(
            place,
            middle - 1,
            left=1,
            xerr=[[max(0, middle - low)], [max(0, high - middle)]],
            color=COLORS[verdict(row)],
            error_kw={"lw": 0.8},
        )
        end = max(high, middle, 1)
        if row.wanted:
            chart.plot([row.wanted] * 2, [place - 0.4, place + 0.4], color="black", lw=1.6)
            if end <= row.wanted <= NEAR * end:
                end = row.wanted
        chart.text(1.04 * end, place, f"{middle:.2f}", va="center", fontsize=7)
    labels = [f"{row.job}, {row.network} vs {row.peer}" for row in bars]
    chart.set_yticks(range(len(bars)), labels, fontsize=7)
    chart.margins(y=0.01)
    chart.invert_yaxis()
    chart.set_xscale("log")
    chart.set_xlim(0.85 * min(ends), 1.3 * max(ends))
    chart.minorticks_off()
    ticks = [tick for tick in TICKS if min(ends) * 0.85 <= tick <= max(ends) * 1.3]
    chart.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    chart.axvline(1, color="black", lw=0.6)
    chart.set_xlabel("times as long as ours the peer takes: right of 1, ours is faster")
    used = {verdict(row) for row in bars}
    handles: list[Any] = [
        Patch(color=color, label=label) for label, color in COLORS.items() if label in used
    ]
    handles += [
        Line2D([], [], color="black", lw=1.6, marker="|", ls="", ms=9, label="what was wanted"),
        Line2D([], [], color="black", lw=0.8, label="quartiles of the rounds; range over layers"),
    ]
    chart.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=7, frameon=False
    )


def draw_curves(chart: Any, curves: list[Row]) -> None:
    """Seconds over how many images, units or steps."""
    for row in curves:
        counts, seconds = zip(*row.curve, strict=True)
        chart.plot(
            counts,
            [value / seconds[0] for value in seconds],
            "o-",
            label=row.job.removeprefix("a line in "),
        )
    chart.set_xlabel("how many")
    chart.set_ylabel("seconds, as a multiple of the first point's")
    chart.legend(fontsize=7)
