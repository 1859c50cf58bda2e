from __future__ import annotations

import posixpath
from pathlib import Path

from convscope.atlas.open import open as open_atlas
from convscope.atlas.store.file_names import folder_name
from convscope.atlas.store.parts import digest
from convscope.atlas.store.reader import Row
from convscope.atlas.store.rows import CardColumns, ExampleColumns, UnitColumns
from convscope.atlas.store.summary import Summary
from convscope.atlas.unit_cards.card_rows import read_changes, read_tuning
from convscope.core.files import write_whole
from convscope.core.quantities import pluralize
from convscope.core.validation import checked
from convscope.networks.concept_file import names_concept

Line = dict[str, str | float | None]
"""A row as a line of a table."""


@checked()
def show(
    directory: str | Path, unit: str, *, model: str | None = None, out: str | Path | None = None
) -> Summary:
    """What an atlas knows of one unit: its pictures, their scores and recipe, its cards and its
    examples; or of a layer, a line for each picture and each card.

    Args:
        directory: the folder or URL it was built into.
        unit: layer:index or, of saved concepts, concept:NAME/3; or a layer.
        model: where it holds several networks, the name of one, or the beginning of its hash.
        out: a folder to write the pictures into.

    Raises:
        LayerError, UnitError: it is not in the atlas.

    Example:
        atlas.show("atlas/", "blocks.3:11").table
        $ convscope atlas show atlas/ blocks.3:11 --out unit/
    """
    atlas = open_atlas(directory, model=model)
    is_layer = ":" not in unit or (unit in atlas.layers() and not names_concept(unit))
    if is_layer:
        rows, examples = atlas.rows(unit), list[Row[ExampleColumns]]()
        cards = [row for row in atlas.all_cards() if row.columns["layer"] == unit]
        sentence = f"{unit}: {pluralize(len(atlas.units(unit)), 'unit')}"
    else:
        rows, examples, cards = atlas.unit(unit), atlas.examples(unit), atlas.cards(unit)
        pictures = pluralize(len(rows), "picture")
        sentence = f"{unit}: {pictures}, {pluralize(len(examples), 'example')}"
        sentence += f"; {_recipe(rows[0])}" if rows else ""
    table = [_unit_line(row.columns) for row in rows]
    table += [line for row in cards for line in _card_lines(row.columns, whole=not is_layer)]
    table += [_example_line(row.columns) for row in examples]
    files: list[str] = []
    if out is not None:
        files = _write_pictures(out, rows, examples)
        sentence += f"; {pluralize(len(files), 'picture')} written into {out}"
    return Summary(sentence + ".", table, {"files": files})


def _recipe(row: Row[UnitColumns]) -> str:
    recipe = row.recipe
    size = " x ".join(str(side) for side in recipe["size"])
    return f"{recipe['preset']}, {recipe['steps']} steps, {size} px, seed {row.columns['seed']}"


def _unit_line(row: UnitColumns) -> Line:
    about = row["error"] or (
        "dead" if row["dead"] else f"{len(row['curve'])} steps from {row['curve'][0]:.3g}"
    )
    return {
        "unit": f"{row['layer']}:{row['unit']}",
        "what": f"picture {row['face'] + 1}",
        "value": row["score"],
        "about": about,
        "label": row["label"] or "",
    }


def _card_lines(row: CardColumns, *, whole: bool) -> list[Line]:
    """A line for a unit's name and readability; the `whole` card has one for each tuning curve and
    for the classes that the unit raises and lowers, too."""
    unit = f"{row['layer']}:{row['unit']}"
    name = row["name"] or f"no name (nearest: {row['label'] or row['object'] or 'none'})"

    def line(what: str, value: float | None, about: str, label: str = "") -> Line:
        return {"unit": unit, "what": what, "value": value, "about": about, "label": label}

    sure = row["confidence"] if row["name"] else row["label_confidence"]
    lines = [line("name", sure, name, row["label"] or "")]
    if not whole:
        return lines
    if row["readability"] is not None:
        about = f"of {pluralize(row['readability_pairs'], 'pair')} of photos sorted rightly"
        lines.append(line("readability", row["readability"], about))
    for what, text in (("raises", row["raises"]), ("lowers", row["lowers"])):
        lines += [line(what, -change.change, change.label) for change in read_changes(text)]
    for curve in read_tuning(row):
        kind = curve.kind.replace("_", " ")
        lines.append(line(kind, curve.selectivity, curve.text if curve.preferred else "none"))
    return lines


def _example_line(row: ExampleColumns) -> Line:
    return {
        "unit": f"{row['layer']}:{row['unit']}",
        "what": f"{row['kind']} {row['rank'] + 1}",
        "value": row["value"],
        "about": f"{row['photo']} [{row['x0']},{row['y0']} {row['x1']},{row['y1']}]",
        "label": row["label"] or "",
    }


def _write_pictures(
    out: str | Path, rows: list[Row[UnitColumns]], examples: list[Row[ExampleColumns]]
) -> list[str]:
    """Write the pictures as files; their paths. Where several passes left examples, a file's name
    says which it is from."""
    passes = {(row.columns["photos"], row.columns["recipe"]) for row in examples}
    pictures = [
        (f"picture-{row.columns['face'] + 1}-{row.columns['key'][:6]}", row) for row in rows
    ] + [(_example_name(row.columns, len(passes)), row) for row in examples]
    files = []
    for name, row in pictures:
        data = row.bytes
        if data is not None:
            ending = "png" if data.startswith(b"\x89PNG") else "jpg"
            stem = folder_name(f"{row['layer']}-{row['unit']}-{name}")
            files.append(str(write_whole(posixpath.join(out, f"{stem}.{ending}"), data)))
    return files


def _example_name(row: ExampleColumns, num_passes: int) -> str:
    name = f"{row['kind']}-{row['rank'] + 1}"
    return f"{name}-{digest([row['photos'], row['recipe']])[:6]}" if num_passes > 1 else name
