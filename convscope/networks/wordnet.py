"""WordNet ids, the names that ImageNet's classes have in its folders: `n02504458` is the African
elephant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

ID = re.compile(r"n\d{8}", re.ASCII)

_LINE = re.compile(r"(n\d{8})(?:[\s,:]+(.*))?", re.ASCII)

ALIKE = 0.9
"""The share of 1000 labels that must fit ImageNet's for its order to be theirs: some networks come
with words of their own for a few classes."""


@cache
def words() -> dict[str, str]:
    """WordNet id -> its words, with commas between, of all that ImageNet has."""
    from timm.data import ImageNetInfo

    # A few of the 1000 have other ids in the larger list.
    return {
        identifier: str(described)
        for subset in ("imagenet-22k", "imagenet-1k")
        for identifier, described in ImageNetInfo(subset).label_descriptions(as_dict=True).items()
    }


@cache
def imagenet_ids() -> tuple[str, ...]:
    """The ids of ImageNet's 1000 classes, in the order of its networks' outputs."""
    from timm.data import ImageNetInfo

    return tuple(ImageNetInfo().label_names())


def with_words(label: str) -> str:
    """A label that is a WordNet id, alone or before the words (as in `synset_words.txt`), as its
    words with the id behind them; another one as it is."""
    line = _LINE.fullmatch(label)
    if line is None:
        return label
    identifier, said = line.groups()
    described = said or words().get(identifier)
    return f"{described}, {identifier}" if described else label


def class_of(identifier: str, labels: Sequence[str]) -> int | None:
    """The class that a WordNet id names among labels without ids: by ImageNet's order where the
    labels have it, else by its words where they name one class alone."""
    ids = imagenet_ids()
    if len(labels) == len(ids) and identifier in ids and _has_imagenet_order(tuple(labels)):
        return ids.index(identifier)
    names = _names(words().get(identifier, ""))
    fits = [index for index, label in enumerate(labels) if names & _names(label)]
    return fits[0] if len(fits) == 1 else None


@cache
def _has_imagenet_order(labels: tuple[str, ...]) -> bool:
    known = words()
    alike = sum(
        bool(_names(label) & _names(known[identifier]))
        for label, identifier in zip(labels, imagenet_ids(), strict=True)
    )
    return alike >= ALIKE * len(labels)


def _names(label: str) -> set[str]:
    return {name.strip().lower() for name in label.split(",") if name.strip()}
