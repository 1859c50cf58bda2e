from __future__ import annotations

import posixpath
from typing import Any

from convscope.atlas.open import Row
from convscope.atlas.open import open as opened
from convscope.atlas.store.store import word
from convscope.atlas.store.summary import Report, many
from convscope.core.files import write_whole


def show(directory: str, unit: str, *, model: str | None = None, out: str | None = None) -> Report:
    """What an atlas knows of one unit: its pictures, their scores and recipe, and its examples; or
    of a layer, a line for each unit.

    Args:
        directory: the folder or URL it was built into.
        unit: layer:index, or a layer.
        model: where it holds several networks, the name of one, or the beginning of its hash.
        out: a folder to write the pictures into.

    Raises:
        LayerError, UnitError: it is not in the atlas.

    Example:
        atlas.show("atlas/", "blocks.3:11").table
        $ convscope atlas show atlas/ blocks.3:11 --out unit/
    """
    atlas = opened(directory, model=model)
    if ":" not in unit:
        rows = atlas.rows(unit)
        return _written(
            [_line(row) for row in rows],
            rows,
            out,
            f"{unit}: {many(len(atlas.units(unit)), 'unit')}",
        )
    pictures, photos = atlas.unit(unit), atlas.examples(unit)
    table = [_line(row) for row in [*pictures, *photos]]
    sentence = f"{unit}: {many(len(pictures), 'picture')}, {many(len(photos), 'example')}"
    if pictures:
        recipe = pictures[0].recipe
        size = " x ".join(map(str, recipe["size"]))
        sentence += (
            f"; {recipe['preset']}, {recipe['steps']} steps, {size} px, seed {pictures[0]['seed']}"
        )
    return _written(table, [*pictures, *photos], out, sentence)


def _line(row: Row) -> dict[str, Any]:
    """A row for reading."""
    if "kind" in row:
        where = f"{row['photo']} [{row['x0']},{row['y0']} {row['x1']},{row['y1']}]"
        return {
            "unit": f"{row['layer']}:{row['unit']}",
            "what": f"{row['kind']} {row['rank'] + 1}",
            "value": row["value"],
            "about": where,
        } | {"label": row["label"] or ""}
    about = row["error"] or (
        "dead" if row["dead"] else f"{len(row['curve'])} steps from {row['curve'][0]:.3g}"
    )
    face = f"picture {row['face'] + 1}"
    return {
        "unit": f"{row['layer']}:{row['unit']}",
        "what": face,
        "value": row["score"],
        "about": about,
        "label": row["label"] or "",
    }


def _written(
    table: list[dict[str, Any]], rows: list[Row], out: str | None, sentence: str
) -> Report:
    """The report, with the pictures written as files where that was asked for."""
    files = []
    for row in rows if out is not None else []:
        data = row.bytes
        if data is not None:
            ending = "png" if data.startswith(b"\x89PNG") else "jpg"
            what = (
                f"{row['kind']}-{row['rank'] + 1}"
                if "kind" in row
                else f"picture-{row['face'] + 1}-{row['key'][:6]}"
            )
            name = word(f"{row['layer']}-{row['unit']}-{what}") + f".{ending}"
            files.append(str(write_whole(posixpath.join(str(out), name), data)))
    if out is not None:
        sentence += f"; {many(len(files), 'picture')} written into {out}"
    return Report(sentence + ".", table, {"files": files})
