"""A unit's card as the page shows it: typed data for the template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from convscope.atlas.site.pages import format_number
from convscope.atlas.store.reader import Row
from convscope.atlas.store.rows import CardColumns
from convscope.atlas.unit_cards.card_rows import read_changes, read_tuning
from convscope.atlas.unit_cards.card_scanner import BEST_PHOTOS
from convscope.atlas.unit_cards.effects import ClassChange
from convscope.atlas.unit_cards.stimuli.color_against_shape import COLORS, SHAPES
from convscope.atlas.unit_cards.stimuli.hue import HUES, hue_color
from convscope.atlas.unit_cards.tuning import TuningCurve
from convscope.core.quantities import pluralize

WIDTH, HEIGHT = 240, 96
"""Of a tuning curve's plot, in its own units."""

TITLES = {
    "orientation": "Orientation",
    "spatial_frequency": "Spatial frequency",
    "hue": "Hue",
    "size": "Size",
    "position": "Position",
    "color_against_shape": "Color against shape",
}

ORDER = tuple(TITLES)

GRIDS = {"position": 5, "color_against_shape": len(SHAPES)}
"""Kinds that are drawn as a grid, and its columns."""

WEAK = 0.1
"""A response below this share of that to the best photo says little."""


@dataclass(frozen=True)
class Point:
    """A point of a curve, or a cell of a grid: where it is drawn, the share of the highest
    response, its color where it has one, and what it says."""

    x: float
    y: float
    share: float
    color: str
    text: str


@dataclass(frozen=True)
class TuningView:
    """One tuning curve: a line of points, or a grid of cells a side of `cell`."""

    kind: str
    title: str
    text: str
    selectivity: str
    strength: str
    scale: str
    points: list[Point]
    line: str
    ends: tuple[str, str]
    cell: float
    is_weak: bool

    @property
    def is_grid(self) -> bool:
        """Whether its points are cells."""
        return self.cell > 0


@dataclass(frozen=True)
class Bar:
    """A class, how much of its score the unit accounts for, and the share of the longest bar."""

    label: str
    change: str
    share: float


@dataclass(frozen=True)
class CardView:
    """All that a card shows."""

    name: str | None
    why: str
    nearest: str
    readability: str
    raises: list[Bar]
    lowers: list[Bar]
    tuning: list[TuningView]


def card_views(rows: Iterable[Row[CardColumns]]) -> dict[int, list[CardView]]:
    """The cards of a layer's units, the ones with most evidence first."""
    views: dict[int, list[tuple[int, CardView]]] = {}
    for row in rows:
        columns = row.columns
        evidence = (columns["iou"] is not None) + (columns["label"] is not None)
        views.setdefault(columns["unit"], []).append((-evidence, card_view(columns)))
    return {
        unit: [view for _, view in sorted(ranked, key=lambda pair: pair[0])]
        for unit, ranked in views.items()
    }


def card_view(row: CardColumns) -> CardView:
    """One card.

    Raises:
        InputError: it is damaged.
    """
    raises, lowers = read_changes(row["raises"]), read_changes(row["lowers"])
    longest = max((abs(entry.change) for entry in [*raises, *lowers]), default=0.0)
    curves = sorted(read_tuning(row), key=_kind_order)
    return CardView(
        row["name"],
        _why(row),
        _nearest(row) if row["name"] is None else "",
        _readability(row),
        _bars(raises, longest),
        _bars(lowers, longest),
        [tuning_view(curve, row["highest"]) for curve in curves],
    )


def _kind_order(curve: TuningCurve) -> tuple[int, str]:
    return ORDER.index(curve.kind) if curve.kind in ORDER else len(ORDER), curve.kind


def _why(row: CardColumns) -> str:
    """The evidence for a name."""
    if row["named_by"] == "masks":
        return (
            f"{_confidence(row['confidence'])}; its firing covers the object with an intersection"
            f" over union of {row['iou']:.2f} ({row['iou_low']:.2f} to {row['iou_high']:.2f})"
        )
    if row["named_by"] == "labels":
        return f"{_confidence(row['confidence'])}; {_label_facts(row)}"
    return ""


def _nearest(row: CardColumns) -> str:
    """What a unit without a name comes nearest to."""
    if row["label"] is None:
        return ""
    return f"nearest: {row['label']}, {_confidence(row['label_confidence'])}; {_label_facts(row)}"


def _confidence(value: float | None) -> str:
    share = min(float(value or 0.0), 0.999)
    return f"{share:.1%} sure" if share >= 0.99 else f"{share:.0%} sure"


def _label_facts(row: CardColumns) -> str:
    """Of as many of its strongest photos as bear the label, how many do."""
    count = min(row["label_photos"] or 0, BEST_PHOTOS)
    if count == 1:
        which = "its strongest photo" if row["label_share"] else "not its strongest photo"
        return f"{which} is the only one with this label"
    bearing = round(count * (row["label_share"] or 0.0))
    text = f"{bearing} of its {count} strongest photos bear this label"
    return text if row["label_photos"] == count else f"{text}, as {row['label_photos']} do in all"


def _readability(row: CardColumns) -> str:
    if row["readability"] is None:
        return ""
    return f"{row['readability']:.0%} of {pluralize(row['readability_pairs'], 'pair')}"


def _bars(changes: Sequence[ClassChange], longest: float) -> list[Bar]:
    """What silencing takes away is what the unit gives, so the signs are turned."""
    return [
        Bar(change.label, f"{-change.change:+.2g}", abs(change.change) / (longest or 1.0))
        for change in changes
    ]


def tuning_view(curve: TuningCurve, highest: float) -> TuningView:
    """A tuning curve as it is drawn; `highest` is the unit's highest activation on the photos. A
    curve tells what is added to the activation on the background, and so does its strength, as a
    share of what the best photo adds; a card that does not know the background has no share."""
    top = max(curve.curve, default=0.0) or 1.0
    shares = [max(value, 0.0) / top for value in curve.curve]
    texts = [
        f"{point}: {format_number(value)}"
        for point, value in zip(curve.points, curve.curve, strict=True)
    ]
    columns = GRIDS.get(curve.kind, 0)
    points, cell = _cells(shares, texts, columns) if columns else (_places(curve, shares, texts), 0)
    rise = 0.0 if curve.background is None else highest - curve.background
    strength = curve.peak / rise if rise > 0 else 1.0
    return TuningView(
        curve.kind,
        TITLES.get(curve.kind, curve.kind),
        curve.text if curve.preferred else "no response",
        f"{curve.selectivity:.2f}",
        f"{strength:.0%} of what its best photo adds"
        if rise > 0
        else f"{format_number(curve.peak)} added",
        curve.scale,
        points,
        "" if columns else " ".join(f"{point.x:.1f},{point.y:.1f}" for point in points),
        (curve.points[0], curve.points[-1]) if curve.points else ("", ""),
        cell,
        not curve.preferred or strength < WEAK,
    )


def _places(curve: TuningCurve, shares: list[float], texts: list[str]) -> list[Point]:
    """The points of a line, from left to right."""
    step = (WIDTH - 12) / max(len(shares) - 1, 1)
    colors = [""] * len(shares)
    if curve.kind == "hue" and len(shares) == len(HUES):
        colors = [_css_color(hue_color(angle)) for angle in HUES]
    return [
        Point(6 + place * step, HEIGHT - 6 - share * (HEIGHT - 14), share, color, text)
        for place, (share, color, text) in enumerate(zip(shares, colors, texts, strict=True))
    ]


def _cells(shares: list[float], texts: list[str], columns: int) -> tuple[list[Point], float]:
    """The cells of a grid, row by row, and their side; before each row of a grid of colors there is
    room for its color."""
    rows = -(-len(shares) // columns)
    cell = HEIGHT / max(rows, 1)
    names = list(COLORS.values())
    return [
        Point(
            place % columns * cell,
            place // columns * cell,
            share,
            _css_color(names[place // columns]) if columns == len(SHAPES) else "",
            text,
        )
        for place, (share, text) in enumerate(zip(shares, texts, strict=True))
    ], cell


def _css_color(color: tuple[float, float, float]) -> str:
    red, green, blue = (round(255 * part) for part in color)
    return f"#{red:02x}{green:02x}{blue:02x}"
