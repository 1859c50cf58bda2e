"""A class by its index, its label, an unambiguous part of a label, or its WordNet id."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from convscope.core.text import is_whole_number
from convscope.errors import TargetError, suggest
from convscope.networks import wordnet
from convscope.questions.question import ASKED

if TYPE_CHECKING:
    from convscope.networks.model import Model


def find_class(model: Model, text_or_index: int | str) -> int:
    """The index of a class from an index ("3", "class 3"), a label, an unambiguous part of a label,
    or the WordNet id of one of ImageNet's classes ("n02504458").

    Raises:
        TargetError: there is no such class, or several fit.
    """
    if isinstance(text_or_index, bool) or not isinstance(text_or_index, (int, str)):
        raise TargetError(
            f"A target is a class index, a label, None or a callable; {text_or_index!r} was given."
        )
    text_or_index = _without_class(model, text_or_index)
    if isinstance(text_or_index, int) or is_whole_number(text_or_index.strip().removeprefix("-")):
        if not 0 <= int(text_or_index) < model.classes:
            raise TargetError(
                f"The network has {model.classes} classes, 0 to {model.classes - 1};"
                f" {text_or_index} was given."
            )
        return int(text_or_index)
    if not text_or_index.strip():
        raise TargetError(
            "A target's label is empty; give a class index or a label, and a class on each side of"
            " ' vs '."
        )
    labels = _labels(model, text_or_index)
    wanted = text_or_index.strip().lower()
    for fits in (
        [index for index, label in enumerate(labels) if label.lower() == wanted],
        [
            index
            for index, label in enumerate(labels)
            if label.split(",")[0].strip().lower() == wanted
        ],
        [
            index
            for index, label in enumerate(labels)
            if wanted in [word.strip().lower() for word in label.split(",")]
        ],
        [index for index, label in enumerate(labels) if wanted in label.lower()],
    ):
        if len(fits) == 1:
            return fits[0]
        if fits:
            shown = ", ".join(f"{index} ({labels[index]})" for index in fits[:8]) + (
                " ..." if len(fits) > 8 else ""
            )
            alike = len({labels[index] for index in fits}) < len(fits)
            raise TargetError(
                f"{text_or_index!r} fits {len(fits)} classes: {shown}; give the"
                f" index{'' if alike else ' or the whole label'}."
            )
    if wordnet.ID.fullmatch(wanted):
        named = wordnet.class_of(wanted, labels)
        if named is not None:
            return named
        described = wordnet.words().get(wanted)
        if described is not None:
            raise TargetError(f"The network has no class {wanted} ({described}), or several.")
    raise TargetError(
        f"The network has no class {text_or_index!r};"
        f" {suggest(text_or_index, [label.split(',')[0] for label in labels])}"
    )


def _labels(model: Model, text: str) -> tuple[str, ...]:
    """The network's labels, among which a text is looked up.

    Raises:
        TargetError: it has none.
    """
    if model.labels is not None:
        return model.labels
    if model.task == "embedding":
        raise TargetError(
            f"{model.name} gives an embedding, which has no class {text!r}; it can be asked:"
            f" {ASKED['embedding']}."
        )
    raise TargetError(
        f"The network has no labels, so {text!r} cannot be looked up; give a class index from 0 to"
        f" {model.classes - 1}."
    )


def _without_class(model: Model, target: int | str) -> int | str:
    """ "class 3", the title of a class without a label, as "3", unless a label says so."""
    if isinstance(target, int):
        return target
    numbered = re.fullmatch(r"class\s+(\d+)", target.strip(), re.IGNORECASE | re.ASCII)
    is_label = target.strip().lower() in [label.lower() for label in model.labels or ()]
    return numbered[1] if numbered and not is_label else target
