"""What the pages show, as typed data: made from an atlas's rows, read by the templates."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Generic, TypeVar

from convscope.atlas.store.reader import parse_recipe
from convscope.atlas.store.rows import ExampleColumns, UnitColumns
from convscope.atlas.store.tables import ColumnsT

T = TypeVar("T")
UnitColumnsT = TypeVar("UnitColumnsT", UnitColumns, ExampleColumns)

CURVE_POINTS = 160
"""Of a score curve that are drawn; more do not show at its width."""

Link = tuple[str, str]
"""Where it leads, and what it says."""


@dataclass(frozen=True)
class Pictured(Generic[ColumnsT]):
    """A row, and the file of its picture where it has one."""

    row: ColumnsT
    file: str | None


@dataclass(frozen=True)
class Tile:
    """A unit among others. `state` is "dead", "failed" or empty; `words` is what a filter looks
    through; `label` is the class that it is, `name` what its card calls it."""

    unit: int
    state: str
    label: str | None
    thumbnail: str | None
    shows: str
    words: str
    score: float | None
    name: str | None = None


@dataclass(frozen=True)
class SimilarUnit:
    """A link to a unit that the same photos excite."""

    href: str
    thumbnail: str | None
    name: str
    cosine: float


@dataclass(frozen=True)
class Curve:
    """The score curves of a unit's pictures, as the points of lines in a box of 268 x 92."""

    lines: list[str]
    low: float
    high: float
    steps: int
    first: float
    last: float


@dataclass(frozen=True)
class RecipeGroup:
    """The pictures of a unit by one recipe."""

    rows: Sequence[Pictured[UnitColumns]]
    recipe: dict[str, object]
    seed: int
    key: str
    score: float | None
    curve: Curve | None
    text: str


@dataclass(frozen=True)
class PassGroup:
    """A unit's examples from one pass over photos."""

    top: list[Pictured[ExampleColumns]]
    sample: list[Pictured[ExampleColumns]]
    labels: list[tuple[str, int]]


@dataclass(frozen=True)
class MapLink:
    """A link to the page of an activation atlas."""

    page: str
    cells: int
    sampled: int


@dataclass(frozen=True)
class LayerView:
    """A layer on its network's page. `photos` are the thumbnails of units without a picture."""

    name: str
    folder: str
    units: int
    dead: int
    failed: int
    maps: list[MapLink]
    strip: list[Tile]
    photos: dict[str, str]


@dataclass(frozen=True)
class NetworkView:
    """A network on the first page."""

    name: str
    folder: str
    identity: str
    layers: list[LayerView]
    units: int
    mosaic: list[str]
    maps: int = field(default=0)


def tile(
    unit: int,
    pictures: Sequence[Pictured[UnitColumns]],
    examples: Sequence[Pictured[ExampleColumns]],
    is_pictured: bool,
    name: str | None = None,
) -> Tile:
    """The tile of a unit; `is_pictured` says that it has a picture of its own, `name` is that of
    its card."""
    state = ""
    if pictures and not is_pictured:
        state = "dead" if any(picture.row["dead"] for picture in pictures) else "failed"
    first = next((picture.row for picture in pictures if picture.file), None)
    if first is None and pictures:
        first = pictures[0].row
    label = first["label"] if first else None
    labels = {
        example.row["label"].lower()
        for example in examples
        if example.row["kind"] == "top" and example.row["label"]
    }
    words = [str(unit), (label or "").lower(), (name or "").lower(), *sorted(labels), state]
    score = first["score"] if first and not state else None
    if not pictures:
        score = max((example.row["value"] for example in examples), default=None)
    photo = next((example.file for example in examples if example.file), None)
    return Tile(
        unit,
        state,
        label,
        f"{unit}.png" if is_pictured else photo,
        "what excites it most" if is_pictured else "its best photo",
        " ".join(word for word in words if word),
        score,
        name,
    )


def recipe_groups(pictures: Sequence[Pictured[UnitColumns]]) -> list[RecipeGroup]:
    """A unit's pictures, grouped by recipe."""
    ordered = sorted(pictures, key=_recipe_key)
    return [_recipe_group(list(group)) for _, group in groupby(ordered, key=_recipe_key)]


def _recipe_key(picture: Pictured[UnitColumns]) -> tuple[str, int]:
    return picture.row["recipe"], picture.row["seed"]


def _recipe_group(pictures: list[Pictured[UnitColumns]]) -> RecipeGroup:
    first = pictures[0].row
    recipe = parse_recipe(first["recipe"])
    rows = [picture.row for picture in pictures]
    scores = [row["score"] for row in rows if row["score"] is not None and not row["dead"]]
    whole = recipe | {"seed": first["seed"], "recipe_version": first["recipe_version"]}
    more = "" if len(rows) == 1 else f" and {len(rows) - 1} more"
    return RecipeGroup(
        pictures,
        recipe,
        first["seed"],
        first["key"] + more,
        max(scores, default=None),
        score_curve([row["curve"] for row in rows]),
        json.dumps(whole, indent=2, sort_keys=True),
    )


def pass_groups(examples: Sequence[Pictured[ExampleColumns]]) -> list[PassGroup]:
    """A unit's examples, grouped by the pass that found them."""
    ordered = sorted(examples, key=_pass_key)
    return [_pass_group(list(group)) for _, group in groupby(ordered, key=_pass_key)]


def _pass_key(example: Pictured[ExampleColumns]) -> tuple[str, str]:
    return example.row["photos"], example.row["recipe"]


def _pass_group(examples: list[Pictured[ExampleColumns]]) -> PassGroup:
    top, sample = (
        [example for example in examples if example.row["kind"] == kind]
        for kind in ("top", "sample")
    )
    labels = Counter(example.row["label"] for example in top if example.row["label"])
    by_count = sorted(labels.items(), key=lambda pair: (-pair[1], pair[0]))
    return PassGroup(top, sample, by_count)


def shared_recipe(rows: Sequence[UnitColumns]) -> str:
    """The recipe in a line, where all units have the same."""
    if len({(row["recipe"], row["seed"]) for row in rows}) != 1:
        return ""
    recipe = parse_recipe(rows[0]["recipe"])
    height, width = recipe["size"]
    return (
        f"{recipe['preset']}, {recipe['steps']} steps, {width} x {height} px, seed"
        f" {rows[0]['seed']}"
    )


def score_curve(curves: Sequence[Sequence[float]]) -> Curve | None:
    """Score curves as they are drawn; None where there is nothing to draw."""
    curves = [curve for curve in curves if len(curve) > 1]
    if not curves:
        return None
    low, high = min(map(min, curves)), max(map(max, curves))
    lines = []
    for values in curves:
        last = len(values) - 1
        places = sorted({round(point * last / (CURVE_POINTS - 1)) for point in range(CURVE_POINTS)})
        points = (
            f"{46 + place * (268 / last):.1f},"
            f"{100 - 92 * (values[place] - low) / ((high - low) or 1):.1f}"
            for place in places
        )
        lines.append(" ".join(points))
    return Curve(lines, low, high, max(map(len, curves)), curves[0][0], curves[0][-1])


def evenly_chosen(items: Sequence[T], count: int) -> list[T]:
    """At most so many of the items, evenly from first to last."""
    if len(items) <= count:
        return list(items)
    return [items[step * len(items) // count] for step in range(count)]


def neighbors(links: Sequence[Link], place: int) -> dict[str, Link | None]:
    """What comes before and after a place, for a page's links."""
    return {
        "before": links[place - 1] if place > 0 else None,
        "after": links[place + 1] if place + 1 < len(links) else None,
    }


def has_picture(row: UnitColumns) -> bool:
    """Whether a unit's row has a picture: it is neither dead nor failed."""
    return not row["dead"] and row["error"] is None


def by_unit(
    pictured: Iterable[Pictured[UnitColumnsT]],
) -> dict[int, list[Pictured[UnitColumnsT]]]:
    """Rows by their unit; a unit without any has an empty list."""
    grouped: dict[int, list[Pictured[UnitColumnsT]]] = defaultdict(list)
    for view in pictured:
        grouped[view.row["unit"]].append(view)
    return grouped
