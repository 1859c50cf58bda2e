"""Which class each photo is said to show: by its folder, a table, or a list."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from convscope.core.extras import open_parquet
from convscope.core.text import is_whole_number, storable
from convscope.errors import InputError, TargetError, shown
from convscope.networks.model import Model
from convscope.photos.sources.entry import LABEL_COLUMNS, Entry
from convscope.photos.sources.place import PhotoSource
from convscope.questions.find_class import find_class

PHOTO_COLUMNS = ("photo", "file", "filename", "path", "image", "name")
"""Names that a table's column of photos usually has."""

TABLE_LABEL_COLUMNS = (*LABEL_COLUMNS, "imagenet_index", "index")
"""Those of its column of labels."""

LabelsLike = str | Path | Mapping[str, int | str] | Sequence[int | str] | None
"""A .csv or .parquet file, photo -> label, a label for each photo in order, or the source's own."""


@dataclass(frozen=True)
class LabelTexts:
    """A photo's label in words."""

    by_name: Mapping[str, str]
    in_order: tuple[str, ...]

    def text(self, number: int, entry: Entry) -> str | None:
        """What the photo is said to show, in the caller's words; None where nothing is said.
        `number` is its place in the source's listing."""
        return _text_of(self.by_name, self.in_order, number, entry)


@dataclass(frozen=True)
class Labels(LabelTexts):
    """A photo's label in words, and the class it stands for."""

    classes: Mapping[str, int]

    def index(self, number: int, entry: Entry) -> int | None:
        """The class of a photo."""
        text = self.text(number, entry)
        return None if text is None else self.classes[text]


def read_labels(model: Model, source: PhotoSource, labels: LabelsLike) -> Labels:
    """The labels of a source's photos.

    Raises:
        InputError: no labels, a label that is no class of the network, or only one class.
    """
    texts, counts = read_label_texts(source, labels)
    if not counts and texts.by_name:
        name = next((entry.name for entry in source.walk()), "")
        raise InputError(
            f"No photo has a label: none is called as the {len(texts.by_name)} that are labeled"
            f" ({next(iter(texts.by_name))!r}, say); photos are called by their place in what is"
            f" audited, as {name!r}."
        )
    if not counts:
        raise InputError(
            "No photo has a label; put the photos in a folder a class, or give labels= (a .csv"
            " file with the columns photo and label)."
        )
    classes = _classes(model, sorted(counts))
    if len(set(classes.values())) < 2:
        raise InputError(
            f"All photos are labeled {min(counts)!r}; an audit compares at least two classes."
        )
    return Labels(texts.by_name, texts.in_order, classes)


def read_label_texts(source: PhotoSource, labels: LabelsLike) -> tuple[LabelTexts, Counter[str]]:
    """The labels of a source's photos in words, which need not be classes of any network, and how
    many photos bear each.

    Raises:
        InputError: labels that cannot be read, or another number of them than of photos.
    """
    texts = LabelTexts(*_by_name_or_order(labels))
    counts: Counter[str] = Counter()
    count = 0
    for number, entry in enumerate(source.walk()):
        count += 1
        if (text := texts.text(number, entry)) is not None:
            counts[text] += 1
    if texts.in_order and len(texts.in_order) != count:
        raise InputError(
            f"There are {count} photos, but {len(texts.in_order)} labels; give one each."
        )
    return texts, counts


def _by_name_or_order(labels: LabelsLike) -> tuple[dict[str, str], tuple[str, ...]]:
    """Photo -> label, or labels in order."""
    if labels is None:
        return {}, ()
    if isinstance(labels, (str, Path)):
        return _read_table(str(labels)), ()
    if isinstance(labels, Mapping):
        return {storable(str(photo)): str(label) for photo, label in labels.items()}, ()
    rows: tuple[object, ...] = (None,)
    with suppress(TypeError):  # what is no row of labels is refused below
        rows = tuple(labels)
    if not all(isinstance(label, (int, str, np.integer)) for label in rows):
        raise InputError(
            "labels must be a .csv or .parquet file, a mapping of photo to label, or a class index"
            f" or label for each photo; {shown(labels)} was given."
        )
    return {}, tuple(map(str, rows))


def _read_table(name: str) -> dict[str, str]:
    path = Path(name)
    if not os.path.isfile(path):
        raise InputError(f"There is no file {name} with labels.")
    try:
        if path.suffix.lower() == ".parquet":
            with path.open("rb") as file:
                rows = open_parquet(file).read(use_threads=False).to_pylist()
        else:
            with path.open(newline="", encoding="utf-8-sig") as text:
                rows = list(csv.DictReader(text))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{name} cannot be read as a table of labels: {error}") from None
    columns = list(rows[0]) if rows else []
    photo = next((column for column in PHOTO_COLUMNS if column in columns), None)
    label = next((column for column in TABLE_LABEL_COLUMNS if column in columns), None)
    if photo is None or label is None:
        raise InputError(
            f"{name} has the columns {', '.join(map(str, columns)) or '(none)'}; it needs one"
            " called photo and one called label."
        )
    return {str(row[photo]): str(row[label]) for row in rows if row[label] not in (None, "")}


def _text_of(
    by_name: Mapping[str, str], in_order: Sequence[str], number: int, entry: Entry
) -> str | None:
    if in_order:
        return in_order[number] if number < len(in_order) else None
    if not by_name:
        return entry.label
    path = PurePosixPath(entry.name)
    names = (entry.name, path.name, path.stem)
    return next((by_name[name] for name in names if name in by_name), None)


def _classes(model: Model, texts: Iterable[str]) -> dict[str, int]:
    """Label -> class. Without labels of its own, a network's classes are the labels in alphabetical
    order, as torchvision's ImageFolder numbers them."""
    names = list(texts)
    if model.labels is None and not all(is_whole_number(name) for name in names):
        if len(names) != model.classes:
            raise InputError(
                f"The network has {model.classes} classes without names, and the photos have"
                f" {len(names)} labels; load it with labels=."
            )
        return {name: index for index, name in enumerate(names)}
    return {name: _find(model, name) for name in names}


def _find(model: Model, name: str) -> int:
    for spelling in (name, name.replace("_", " ")):
        try:
            return find_class(model, spelling)
        except TargetError as error:
            failure = str(error)
    raise InputError(f"A photo is labeled {name!r}. {failure}")
