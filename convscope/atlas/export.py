from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from convscope.atlas.render.mosaic import draw
from convscope.atlas.site import pages as site_of
from convscope.atlas.site.similarity import Similarity
from convscope.atlas.store.file_names import safe_names
from convscope.atlas.store.reader import LayerParts, Network, Values, networks, pictures, rows
from convscope.atlas.store.staging import MARK, StagingFolder
from convscope.atlas.store.store import Store, model_folder
from convscope.atlas.store.summary import Report, amount, many
from convscope.atlas.store.tables import EXAMPLES, MAPS, SCHEMA, UNITS
from convscope.core.progress import advance
from convscope.errors import InputError, OptionError, suggest

STRIP, MOSAIC = 12, 18
"""Units of a layer on its network's page, and pictures of a network on the first."""

ALIKE = 8
"""Similar units on a unit's page."""


def export(directory: str, out: str, *, model: str | None = None) -> Report:
    """A static site of an atlas: its networks, their layers, a page for each unit, activation
    atlases, and a search by label.

    The pages work from a folder and from any web server, load nothing from elsewhere, and are read
    by keyboard and phone. The site is written aside and takes the place of an older one whole; the
    same atlas gives the same bytes. One layer's rows and one part's pictures are in memory at a
    time, and of all examples only which photos each unit likes best.

    Args:
        directory: the folder or URL it was built into.
        out: the folder of the site.
        model: where it holds several networks, only the one of this name, or whose hash begins so.

    Raises:
        InputError: there is no atlas, or a part of it is damaged.
        OutputError: `out` cannot be written, or holds something other than a site.

    Example:
        atlas.export("atlas/", "site/")
        $ convscope atlas export atlas/ --out site/
    """
    store = Store(directory)
    found = _chosen(networks(store, (UNITS, EXAMPLES, MAPS)), model)
    if not found:
        raise InputError(
            f"The atlas at {directory} holds nothing yet; fill it with convscope atlas build,"
            " examples or map."
        )
    folders = safe_names(model_folder(one.model, one.model_id) for one in found)
    total = sum(len(one.layers) for one in found)
    done = 0
    try:
        with StagingFolder(out) as site:
            site_of.assets(site)
            shown = []
            for network in found:
                writer = _Writer(
                    store, site, network, folders[model_folder(network.model, network.model_id)]
                )
                for place in range(len(network.layers)):
                    advance("atlas: layers", done, total)
                    writer.layer(place)
                    done += 1
                shown.append(writer.close())
            advance("atlas: layers", total, total)
            site.write(
                "index.html",
                site_of.page("index.html", root="", title="Atlas", here="Atlas", networks=shown),
            )
            site.write(MARK, json.dumps({"convscope": "atlas site", "schema": SCHEMA}).encode())
    except FileNotFoundError as error:
        raise InputError(
            f"{error.filename or error} was merged or removed while it was exported; export again."
        ) from None
    units = sum(one["units"] for one in shown)
    sentence = (
        f"{out}: {many(units, 'unit')} of {many(total, 'layer')}, {many(site.files, 'file')},"
        f" {amount(site.bytes)}; open {out.rstrip('/')}/index.html."
    )
    return Report(
        sentence,
        details={"units": units, "layers": total, "files": site.files, "bytes": site.bytes},
    )


def _chosen(found: list[Network], wanted: str | None) -> list[Network]:
    if wanted is None or not found:
        return found
    fitting = [one for one in found if one.model == wanted or one.model_id.startswith(wanted)]
    if not fitting:
        names = [one.model for one in found] + [one.model_id[:8] for one in found]
        raise OptionError(
            f"{wanted!r} is not one of the atlas's networks; {suggest(wanted, names)}"
        )
    return fitting


class _Writer:
    """Writes the pages of one network, layer by layer."""

    def __init__(self, store: Store, site: StagingFolder, network: Network, folder: str) -> None:
        self.store, self.site, self.network, self.folder = store, site, network, folder
        self.folders = safe_names(layer.name for layer in network.layers)
        self.alike = Similarity()
        self.units: list[list[int]] = []
        self.pictured: list[set[int]] = []
        self.classes: list[tuple[int, int, str]] = []
        self.summaries: list[dict[str, Any]] = []
        for place, layer in enumerate(network.layers):
            made = self._rows(UNITS, layer, ["dead", "error", "label"])
            seen = self._rows(EXAMPLES, layer, ["value", "label", "photo"])
            self.alike.add(place, seen)
            self.units.append(sorted({row["unit"] for row in [*made, *seen]}))
            self.pictured.append(
                {row["unit"] for row in made if not row["dead"] and row["error"] is None}
            )
            self.classes += sorted(
                {(place, row["unit"], row["label"]) for row in made if row["label"]}
            )

    def layer(self, place: int) -> None:
        """The pages and pictures of one layer and of its units."""
        layer = self.network.layers[place]
        folder = self.folders[layer.name]
        made, seen = self._rows(UNITS, layer), self._rows(EXAMPLES, layer)
        self._write_pictures(place, made, seen)
        maps = self._maps(layer)
        by_unit = {unit: list(own) for unit, own in groupby(made, key=lambda row: row["unit"])}
        photos = {unit: list(own) for unit, own in groupby(seen, key=lambda row: row["unit"])}
        tiles = [
            self._tile(place, unit, by_unit.get(unit, []), photos.get(unit, []))
            for unit in self.units[place]
        ]
        for tile in tiles:
            self._unit(place, tile, by_unit.get(tile["unit"], []), photos.get(tile["unit"], []))
        dead, failed = (
            sum(tile["state"] == state for tile in tiles) for state in ("dead", "failed")
        )
        neighbors = self._neighbors(
            [other.name for other in self.network.layers],
            place,
            lambda name: f"../{self.folders[name]}/index.html",
        )
        self._page(
            f"{folder}/index.html",
            "layer.html",
            root="../../",
            title=f"{layer.name} of {self.network.model}",
            here=layer.name,
            layer=layer.name,
            crumbs=[("../../index.html", "Atlas"), ("../index.html", self.network.model)],
            up=("../index.html", "All layers"),
            search="../search.html",
            units=tiles,
            dead=dead,
            failed=failed,
            maps=maps,
            about=_about(made),
            **neighbors,
        )
        living = [tile for tile in tiles if tile["thumbnail"] and not tile["state"]] or tiles
        own = {
            "name": layer.name,
            "folder": folder,
            "units": len(tiles),
            "dead": dead,
            "failed": failed,
            "maps": maps,
        }
        shown = {
            str(tile["unit"]): tile["thumbnail"]
            for tile in tiles
            if tile["thumbnail"] and tile["unit"] not in self.pictured[place]
        }
        self.summaries.append(own | {"strip": _spread(living, STRIP), "photos": shown})

    def close(self) -> dict[str, Any]:
        """The network's own pages; what the first page says of it."""
        name = self.network.model
        layers = self.summaries
        units = sum(len(own) for own in self.units)
        common: dict[str, Any] = {"root": "../", "crumbs": [("../index.html", "Atlas")]}
        self._page(
            "index.html",
            "model.html",
            title=name,
            here=name,
            name=name,
            identity=self.network.model_id,
            layers=layers,
            units=units,
            up=("../index.html", "All networks"),
            search="search.html",
            **common,
        )
        labels = self.alike.labels()
        common["crumbs"].append(("index.html", name))
        example = f"{layers[0]['name']}:{self.units[0][0] if self.units[0] else 0}"
        self._page(
            "search.html",
            "search.html",
            title=f"Search {name}",
            here="Search",
            labels=sorted(labels, key=str.lower),
            example=example,
            up=("index.html", "All layers"),
            **common,
        )
        data = {
            "layers": [
                {
                    "name": one["name"],
                    "folder": one["folder"],
                    "units": units,
                    "pictured": sorted(pictured),
                    "photos": one["photos"],
                }
                for one, units, pictured in zip(layers, self.units, self.pictured, strict=True)
            ],
            "labels": [
                [label, [[*unit, count] for unit, count in found]]
                for label, found in labels.items()
            ],
            "classes": self.classes,
        }
        self.site.write(f"{self.folder}/labels.js", site_of.script("CONVSCOPE", data))
        thumbnails = [
            f"{one['folder']}/{tile['thumbnail']}"
            for one in layers
            for tile in one["strip"]
            if tile["thumbnail"]
        ]
        more = {
            "maps": sum(len(one["maps"]) for one in layers),
            "mosaic": _spread(thumbnails, MOSAIC),
            "layers": layers,
            "units": units,
        }
        return {"name": name, "folder": self.folder, "identity": self.network.model_id, **more}

    def _rows(
        self, table: Any, layer: LayerParts, columns: Iterable[str] | None = None
    ) -> list[Values]:
        return rows(self.store, table, self.network, layer, columns)

    def _page(self, name: str, template: str, /, **data: Any) -> None:
        self.site.write(f"{self.folder}/{name}", site_of.page(template, **data))

    def _write_pictures(self, place: int, made: list[Values], seen: list[Values]) -> None:
        """A file for each picture of a unit, and one for all equal crops; the rows are told their
        `file`."""
        folder = f"{self.folder}/{self.folders[self.network.layers[place].name]}"
        faces: Counter[int] = Counter()
        for row in made:
            row["file"] = None
            if row["unit"] in self.pictured[place] and not row["dead"] and row["error"] is None:
                faces[row["unit"]] += 1
                count = faces[row["unit"]]
                row["file"] = f"{row['unit']}.png" if count == 1 else f"{row['unit']}-{count}.png"
        for row, data in pictures(self.store, [row for row in made if row["file"]]):
            self.site.write(f"{folder}/{row['file']}", data)
        written = set()
        for row in seen:
            row["file"] = None
        for row, data in pictures(self.store, seen):
            ending = "png" if data.startswith(b"\x89PNG") else "jpg"
            row["file"] = f"photos/{hashlib.sha256(data).hexdigest()[:16]}.{ending}"
            if row["file"] not in written:
                written.add(row["file"])
                self.site.write(f"{folder}/{row['file']}", data)

    def _tile(
        self, place: int, unit: int, made: list[Values], seen: list[Values]
    ) -> dict[str, Any]:
        """A unit among others."""
        pictured = unit in self.pictured[place]
        state = (
            "" if pictured or not made else "dead" if any(row["dead"] for row in made) else "failed"
        )
        first = next((row for row in made if row["file"]), made[0] if made else None)
        label = first["label"] if first else None
        photo = next((row["file"] for row in seen if row["file"]), None)
        labels = sorted(
            {row["label"].lower() for row in seen if row["kind"] == "top" and row["label"]}
        )
        words = " ".join(
            [str(unit), *([label.lower()] if label else []), *labels, *([state] if state else [])]
        )
        thumbnail, shows = (
            (f"{unit}.png", "what excites it most") if pictured else (photo, "its best photo")
        )
        score = first["score"] if first and not state else None
        if score is None and not made:
            score = max((row["value"] for row in seen), default=None)
        return {
            "unit": unit,
            "state": state,
            "label": label,
            "thumbnail": thumbnail,
            "shows": shows,
            "words": words,
            "score": score,
        }

    def _unit(
        self, place: int, tile: dict[str, Any], made: list[Values], seen: list[Values]
    ) -> None:
        """The page of one unit."""
        layer = self.network.layers[place].name
        unit = tile["unit"]
        sets = [_set(list(own)) for _, own in groupby(sorted(made, key=_recipe_of), key=_recipe_of)]
        runs = [_run(list(own)) for _, own in groupby(sorted(seen, key=_run_of), key=_run_of)]
        similar = []
        for (other, index), cosine in self.alike.similar((place, unit), ALIKE):
            name = self.network.layers[other].name
            start = "" if other == place else f"../{self.folders[name]}/"
            thumbnail = f"{start}{index}.png" if index in self.pictured[other] else None
            similar.append(
                {
                    "href": f"{start}{index}.html",
                    "thumbnail": thumbnail,
                    "name": f"{name}:{index}",
                    "cosine": cosine,
                }
            )
        crumbs = [
            ("../../index.html", "Atlas"),
            ("../index.html", self.network.model),
            ("index.html", layer),
        ]
        neighbors = self._neighbors(
            self.units[place], self.units[place].index(unit), lambda other: f"{other}.html"
        )
        highest = max((row["value"] for row in seen if row["kind"] == "top"), default=None)
        self._page(
            f"{self.folders[layer]}/{unit}.html",
            "unit.html",
            root="../../",
            title=f"{layer}:{unit} of {self.network.model}",
            here=str(unit),
            layer=layer,
            unit=tile,
            sets=sets,
            runs=runs,
            similar=similar,
            highest=highest,
            crumbs=crumbs,
            up=("index.html", "All units"),
            search="../search.html",
            **neighbors,
        )

    def _maps(self, layer: LayerParts) -> list[dict[str, Any]]:
        """The pages of a layer's activation atlases."""
        folder = self.folders[layer.name]
        found = []
        listed = rows(self.store, MAPS, self.network, layer)
        for name, own in groupby(listed, key=lambda row: row["map"]):
            cells = list(own)
            drawn = draw(cells, pictures(self.store, cells))
            page, picture = f"map-{name[:12]}.html", f"map-{name[:12]}.png"
            self.site.write(f"{self.folder}/{folder}/{picture}", drawn.png)
            first = cells[0]
            data = {
                "across": drawn.across,
                "down": drawn.down,
                "cell": drawn.cell,
                "cells": drawn.cells,
            }
            self._page(
                f"{folder}/{page}",
                "map.html",
                root="../../",
                title=f"Activation atlas of {layer.name}, {self.network.model}",
                here="Activation atlas",
                crumbs=[
                    ("../../index.html", "Atlas"),
                    ("../index.html", self.network.model),
                    ("index.html", layer.name),
                ],
                up=("index.html", "All units"),
                search="../search.html",
                layer=layer.name,
                picture=picture,
                data=data,
                count=len(cells),
                sampled=first["sampled"],
                recipe=json.loads(first["recipe"]),
                seed=first["seed"],
                name=name,
            )
            found.append({"page": page, "cells": len(cells), "sampled": first["sampled"]})
        return found

    @staticmethod
    def _neighbors(listed: list[Any], place: int, href: Any) -> dict[str, Any]:
        """Links to what comes before and after."""
        before, after = place - 1, place + 1
        return {
            "before": (href(listed[before]), str(listed[before])) if before >= 0 else None,
            "after": (href(listed[after]), str(listed[after])) if after < len(listed) else None,
        }


def _recipe_of(row: Values) -> tuple[str, int]:
    return row["recipe"], row["seed"]


def _run_of(row: Values) -> tuple[str, str]:
    return row["photos"], row["recipe"]


def _set(made: list[Values]) -> dict[str, Any]:
    """The pictures of a unit by one recipe."""
    first = made[0]
    recipe = json.loads(first["recipe"])
    scores = [row["score"] for row in made if row["score"] is not None and not row["dead"]]
    text = json.dumps(
        recipe | {"seed": first["seed"], "recipe_version": first["recipe_version"]},
        indent=2,
        sort_keys=True,
    )
    key = first["key"] if len(made) == 1 else f"{first['key']} and {len(made) - 1} more"
    score = max(scores, default=None)
    return {
        "rows": made,
        "recipe": recipe,
        "seed": first["seed"],
        "key": key,
        "score": score,
        "curve": site_of.curve(made),
        "text": text,
    }


def _run(seen: list[Values]) -> dict[str, Any]:
    """A unit's examples from one pass over the photos."""
    top, sample = ([row for row in seen if row["kind"] == kind] for kind in ("top", "sample"))
    labels = Counter(row["label"] for row in top if row["label"])
    return {
        "top": top,
        "sample": sample,
        "labels": sorted(labels.items(), key=lambda one: (-one[1], one[0])),
    }


def _about(made: list[Values]) -> str:
    """The recipe in a line, where all units have the same."""
    if len({_recipe_of(row) for row in made}) != 1:
        return ""
    recipe = json.loads(made[0]["recipe"])
    return (
        f"{recipe['preset']}, {recipe['steps']} steps, {recipe['size'][1]} x {recipe['size'][0]}"
        f" px, seed {made[0]['seed']}"
    )


def _spread(items: list[Any], count: int) -> list[Any]:
    """At most so many of them, evenly from first to last."""
    if len(items) <= count:
        return items
    return [items[step * len(items) // count] for step in range(count)]
