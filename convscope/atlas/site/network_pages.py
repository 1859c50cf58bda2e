"""The pages of one network, layer by layer."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import groupby

from convscope.atlas.example_rows import best_first
from convscope.atlas.render.mosaic import draw_mosaic
from convscope.atlas.similarity import UnitSimilarity
from convscope.atlas.site import views
from convscope.atlas.site.card_views import CardView, card_views
from convscope.atlas.site.pages import render_page, render_script
from convscope.atlas.site.views import LayerView, Link, MapLink, NetworkView, Pictured, SimilarUnit
from convscope.atlas.store.file_names import unique_file_names
from convscope.atlas.store.reader import LayerParts, Network, Reader, Row, parse_recipe
from convscope.atlas.store.rows import CellColumns, ExampleColumns, UnitColumns
from convscope.atlas.store.staging import StagingFolder
from convscope.atlas.store.tables import CARDS, EXAMPLES, MAPS, UNITS

STRIP_UNITS, MOSAIC_PICTURES = 12, 18
"""Units of a layer on its network's page, and pictures of a network on the first."""

SIMILAR_UNITS = 8
"""Similar units on a unit's page."""


class NetworkPages:
    """Writes the pages of one network into a site."""

    def __init__(self, reader: Reader, site: StagingFolder, network: Network, folder: str) -> None:
        self.reader, self.site, self.network, self.folder = reader, site, network, folder
        self.folders = unique_file_names(layer.name for layer in network.layers)
        self.similarity = UnitSimilarity()
        self.units: list[list[int]] = []
        self.pictured: list[set[int]] = []
        self.classes: list[tuple[int, int, str]] = []
        self.views: list[LayerView] = []
        for place, layer in enumerate(network.layers):
            self._survey(place, layer)

    def _survey(self, place: int, layer: LayerParts) -> None:
        """Read the small columns of a layer: what links between pages need to know."""
        columns = ["dead", "error", "label"]
        units = [row.columns for row in self.reader.rows(UNITS, self.network, layer, columns)]
        columns = ["value", "label", "photo", "photos"]
        examples = self.reader.rows(EXAMPLES, self.network, layer, columns)
        self.similarity.add(place, examples)
        cards = self.reader.rows(CARDS, self.network, layer, ["name"])
        numbers = {row["unit"] for row in (*units, *examples, *cards)}
        self.units.append(sorted(numbers))
        self.pictured.append({row["unit"] for row in units if views.has_picture(row)})
        self.classes += sorted(
            {(place, row["unit"], row["label"]) for row in units if row["label"]}
            | {(place, row["unit"], row["name"]) for row in cards if row["name"]}
        )

    def write_layer(self, place: int) -> None:
        """The pages and pictures of one layer and of its units."""
        layer = self.network.layers[place]
        folder = self.folders[layer.name]
        unit_rows = self.reader.rows(UNITS, self.network, layer)
        pictures = views.by_unit(self._write_pictures(place, unit_rows))
        example_rows = best_first(self.reader.rows(EXAMPLES, self.network, layer))
        examples = views.by_unit(self._write_crops(place, example_rows))
        maps = self._write_maps(layer)
        cards = card_views(self.reader.rows(CARDS, self.network, layer))
        names = {unit: unit_cards[0].name for unit, unit_cards in cards.items()}
        pictured = self.pictured[place]
        tiles = [
            views.tile(unit, pictures[unit], examples[unit], unit in pictured, names.get(unit))
            for unit in self.units[place]
        ]
        for tile in tiles:
            unit = tile.unit
            self._write_unit(place, tile, pictures[unit], examples[unit], cards.get(unit, []))
        dead, failed = (sum(tile.state == state for tile in tiles) for state in ("dead", "failed"))
        links = [
            (f"../{self.folders[other.name]}/index.html", other.name)
            for other in self.network.layers
        ]
        self._write_page(
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
            named=sum(name is not None for name in names.values()),
            maps=maps,
            about=views.shared_recipe([row.columns for row in unit_rows]),
            **views.neighbors(links, place),
        )
        living = [tile for tile in tiles if tile.thumbnail and not tile.state] or tiles
        strip = views.evenly_chosen(living, STRIP_UNITS)
        photos = {
            str(tile.unit): tile.thumbnail
            for tile in tiles
            if tile.thumbnail and tile.unit not in self.pictured[place]
        }
        self.views.append(
            LayerView(layer.name, folder, len(tiles), dead, failed, maps, strip, photos)
        )

    def write_network(self) -> NetworkView:
        """The network's own pages; what the first page says of it."""
        name, identity = self.network.model, self.network.model_id
        num_units = sum(len(units) for units in self.units)
        atlas = ("../index.html", "Atlas")
        self._write_page(
            "index.html",
            "model.html",
            root="../",
            title=name,
            here=name,
            name=name,
            identity=identity,
            layers=self.views,
            units=num_units,
            crumbs=[atlas],
            up=("../index.html", "All networks"),
            search="search.html",
        )
        self._write_search(crumbs=[atlas, ("index.html", name)])
        thumbnails = [
            f"{layer.folder}/{tile.thumbnail}"
            for layer in self.views
            for tile in layer.strip
            if tile.thumbnail
        ]
        mosaic = views.evenly_chosen(thumbnails, MOSAIC_PICTURES)
        num_maps = sum(len(layer.maps) for layer in self.views)
        return NetworkView(name, self.folder, identity, self.views, num_units, mosaic, num_maps)

    def _write_search(self, crumbs: list[Link]) -> None:
        labels = self.similarity.labels()
        self._write_page(
            "search.html",
            "search.html",
            root="../",
            title=f"Search {self.network.model}",
            here="Search",
            labels=sorted(labels, key=str.lower),
            example=f"{self.views[0].name}:{self.units[0][0] if self.units[0] else 0}",
            up=("index.html", "All layers"),
            crumbs=crumbs,
        )
        data = {
            "layers": [
                {
                    "name": layer.name,
                    "folder": layer.folder,
                    "units": units,
                    "pictured": sorted(pictured),
                    "photos": layer.photos,
                }
                for layer, units, pictured in zip(
                    self.views, self.units, self.pictured, strict=True
                )
            ],
            "labels": [
                (label, [(*unit, count) for unit, count in counts])
                for label, counts in labels.items()
            ],
            "classes": self.classes,
        }
        self.site.write(f"{self.folder}/labels.js", render_script("CONVSCOPE", data))

    def _write_page(self, name: str, template: str, /, **data: object) -> None:
        self.site.write(f"{self.folder}/{name}", render_page(template, **data))

    def _write_pictures(
        self, place: int, rows: list[Row[UnitColumns]]
    ) -> list[Pictured[UnitColumns]]:
        """A file for each picture of a unit."""
        folder = f"{self.folder}/{self.folders[self.network.layers[place].name]}"
        files: dict[Row[UnitColumns], str] = {}
        counts: Counter[int] = Counter()
        for row in rows:
            if views.has_picture(row.columns):
                unit = row.columns["unit"]
                counts[unit] += 1
                files[row] = f"{unit}.png" if counts[unit] == 1 else f"{unit}-{counts[unit]}.png"
        for row, data in self.reader.pictures(files):
            self.site.write(f"{folder}/{files[row]}", data)
        return [Pictured(row.columns, files.get(row)) for row in rows]

    def _write_crops(
        self, place: int, rows: list[Row[ExampleColumns]]
    ) -> list[Pictured[ExampleColumns]]:
        """A file for all equal crops."""
        folder = f"{self.folder}/{self.folders[self.network.layers[place].name]}"
        files: dict[Row[ExampleColumns], str] = {}
        written: set[str] = set()
        for row, data in self.reader.pictures(rows):
            ending = "png" if data.startswith(b"\x89PNG") else "jpg"
            file = files[row] = f"photos/{hashlib.sha256(data).hexdigest()[:16]}.{ending}"
            if file not in written:
                written.add(file)
                self.site.write(f"{folder}/{file}", data)
        return [Pictured(row.columns, files.get(row)) for row in rows]

    def _write_unit(
        self,
        place: int,
        tile: views.Tile,
        pictures: list[Pictured[UnitColumns]],
        examples: list[Pictured[ExampleColumns]],
        cards: list[CardView],
    ) -> None:
        """The page of one unit."""
        layer = self.network.layers[place].name
        links = [(f"{unit}.html", str(unit)) for unit in self.units[place]]
        values = [example.row["value"] for example in examples if example.row["kind"] == "top"]
        self._write_page(
            f"{self.folders[layer]}/{tile.unit}.html",
            "unit.html",
            root="../../",
            title=f"{layer}:{tile.unit} of {self.network.model}",
            here=str(tile.unit),
            layer=layer,
            unit=tile,
            sets=views.recipe_groups(pictures),
            runs=views.pass_groups(examples),
            cards=cards,
            similar=self._similar(place, tile.unit),
            highest=max(values, default=None),
            crumbs=self._crumbs(layer),
            up=("index.html", "All units"),
            search="../search.html",
            **views.neighbors(links, self.units[place].index(tile.unit)),
        )

    def _similar(self, place: int, unit: int) -> list[SimilarUnit]:
        similar = []
        for (other, index), cosine in self.similarity.similar((place, unit), SIMILAR_UNITS):
            name = self.network.layers[other].name
            start = "" if other == place else f"../{self.folders[name]}/"
            thumbnail = f"{start}{index}.png" if index in self.pictured[other] else None
            similar.append(
                SimilarUnit(f"{start}{index}.html", thumbnail, f"{name}:{index}", cosine)
            )
        return similar

    def _crumbs(self, layer: str) -> list[Link]:
        return [
            ("../../index.html", "Atlas"),
            ("../index.html", self.network.model),
            ("index.html", layer),
        ]

    def _write_maps(self, layer: LayerParts) -> list[MapLink]:
        """The pages of a layer's activation atlases."""
        rows = self.reader.rows(MAPS, self.network, layer)
        return [
            self._write_map(layer.name, name, list(group))
            for name, group in groupby(rows, key=lambda row: row.columns["map"])
        ]

    def _write_map(self, layer: str, name: str, rows: list[Row[CellColumns]]) -> MapLink:
        folder, first = self.folders[layer], rows[0].columns
        pictures = ((row.columns, data) for row, data in self.reader.pictures(rows))
        mosaic = draw_mosaic([row.columns for row in rows], pictures)
        page, picture = f"map-{name[:12]}.html", f"map-{name[:12]}.png"
        self.site.write(f"{self.folder}/{folder}/{picture}", mosaic.png)
        self._write_page(
            f"{folder}/{page}",
            "map.html",
            root="../../",
            title=f"Activation atlas of {layer}, {self.network.model}",
            here="Activation atlas",
            crumbs=self._crumbs(layer),
            up=("index.html", "All units"),
            search="../search.html",
            layer=layer,
            picture=picture,
            data={
                "across": mosaic.across,
                "down": mosaic.down,
                "cell": mosaic.cell,
                "cells": mosaic.cells,
            },
            count=len(rows),
            sampled=first["sampled"],
            recipe=parse_recipe(first["recipe"]),
            seed=first["seed"],
            name=name,
        )
        return MapLink(page, len(rows), first["sampled"])
