"""The second, short reading: only the photos that are examples, to cut out what each unit saw."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from convscope.atlas.scan.example_jobs import RECIPE_VERSION, Example, ExampleJob
from convscope.atlas.scan.pass_state import PassState
from convscope.atlas.scan.read_ahead import NUM_READERS, read_photo
from convscope.atlas.store.rows import ExampleColumns
from convscope.errors import ConvscopeError
from convscope.networks.model import Model
from convscope.photos.sources.entry import Entry
from convscope.photos.sources.place import PhotoSource
from convscope.probe.receptive_field import ReceptiveField
from convscope.results.pictures import to_rgb, to_uint8

if TYPE_CHECKING:
    from PIL.Image import Image

LOSSLESS_SIDE = 48
"""Crops up to this side are stored without loss: JPEG's blocks would be all one sees."""

QUALITY = 88
"""Of the JPEG of larger ones."""

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in the photo's pixels."""

RowsByJob = dict[ExampleJob, list[ExampleColumns]]


@dataclass(frozen=True)
class PassFacts:
    """What all rows of a pass have in common."""

    model: str
    model_id: str
    photos: str
    recipe: str


class Cropper:
    """Cuts examples out of their photos, each photo read once."""

    def __init__(
        self,
        model: Model,
        source: PhotoSource,
        receptive_fields: dict[str, ReceptiveField],
        crop: int,
        facts: PassFacts,
    ) -> None:
        self.model, self.source, self.receptive_fields = model, source, receptive_fields
        self.crop, self.facts = crop, facts

    def rows(self, state: PassState, examples: list[Example]) -> Iterator[tuple[int, RowsByJob]]:
        """How many photos are read, with all rows at the end of the last; by job, in the order of
        the examples."""
        by_photo: dict[int, list[int]] = defaultdict(list)
        for place, example in enumerate(examples):
            by_photo[example.photo].append(place)
        rows: dict[int, ExampleColumns] = {}
        photos = sorted(by_photo)
        with ThreadPoolExecutor(NUM_READERS, "crops") as pool:
            cropped = pool.map(
                lambda photo: self._crop(
                    state.entries[photo], [examples[place] for place in by_photo[photo]]
                ),
                photos,
            )
            for count, (photo, photo_rows) in enumerate(zip(photos, cropped, strict=True), 1):
                rows |= zip(by_photo[photo], photo_rows, strict=True)
                yield count, {}
        by_job: RowsByJob = defaultdict(list)
        for place, example in enumerate(examples):
            by_job[example.job].append(rows[place])
        yield len(photos), by_job

    def _crop(self, entry: Entry, examples: list[Example]) -> list[ExampleColumns]:
        """All rows that show one photo; equal boxes are cut once."""
        from PIL import Image

        picture, size = None, self.model.size
        try:
            photo = read_photo(self.source, entry)
            size = (int(photo.shape[-2]), int(photo.shape[-1]))
            picture = Image.fromarray(to_rgb(to_uint8(photo[0].permute(1, 2, 0).numpy())))
        except ConvscopeError:
            pass  # gone since the pass read it; the row stays, without its picture
        crops: dict[Box, bytes] = {}
        rows = []
        for example in examples:
            box = self._box(example, size)
            if picture is not None and box not in crops:
                crops[box] = _encode(picture.crop(box), self.crop)
            rows.append(self._row(example, entry, box, crops.get(box)))
        return rows

    def _box(self, example: Example, size: tuple[int, int]) -> Box:
        """The receptive field in the photo's pixels."""
        receptive_field = self.receptive_fields[example.job.layer]
        top, left, bottom, right = receptive_field.box(example.row, example.column, self.model.size)
        above, before, height, width = self.model.preprocessing.box(*size)
        down, across = height / self.model.size[0], width / self.model.size[1]
        y0, x0 = round(above + top * down), round(before + left * across)
        y1, x1 = round(above + bottom * down), round(before + right * across)
        x0, y0 = min(max(x0, 0), size[1] - 1), min(max(y0, 0), size[0] - 1)
        return x0, y0, min(max(x1, x0 + 1), size[1]), min(max(y1, y0 + 1), size[0])

    def _row(
        self, example: Example, entry: Entry, box: Box, picture: bytes | None
    ) -> ExampleColumns:
        x0, y0, x1, y1 = box
        return {
            "model": self.facts.model,
            "model_id": self.facts.model_id,
            "layer": example.job.layer,
            "depth": example.job.depth,
            "unit": example.unit,
            "kind": example.kind,
            "rank": example.rank,
            "value": example.value,
            "photo": entry.name,
            "label": entry.label,
            "x0": x0,
            "y0": y0,
            "x1": x1,
            "y1": y1,
            "row": example.row,
            "column": example.column,
            "image": None if picture is None else {"bytes": picture, "path": None},
            "photos": self.facts.photos,
            "recipe": self.facts.recipe,
            "recipe_version": RECIPE_VERSION,
            "job": example.job.hash,
        }


def _encode(picture: Image, longest: int) -> bytes:
    """A crop, no larger than it is shown."""
    if max(picture.size) > longest:
        picture.thumbnail((longest, longest))
    buffer = io.BytesIO()
    if max(picture.size) <= LOSSLESS_SIDE:
        picture.save(buffer, "PNG")
    else:
        picture.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
