"""A class by its index, its label, or an unambiguous part of a label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convscope.errors import TargetError, suggest

if TYPE_CHECKING:
    from convscope.networks.model import Model


def find_class(model: Model, given: int | str) -> int:
    """The index of a class from an index, a label, or an unambiguous part of a label.

    Raises:
        TargetError: there is no such class, or several fit.
    """
    if isinstance(given, bool) or not isinstance(given, (int, str)):
        raise TargetError(
            f"A target is a class index, a label, None or a callable; {given!r} was given."
        )
    if isinstance(given, int) or given.strip().lstrip("-").isdigit():
        if not 0 <= int(given) < model.classes:
            raise TargetError(
                f"The network has {model.classes} classes, 0 to {model.classes - 1}; {given} was"
                " given."
            )
        return int(given)
    if not given.strip():
        raise TargetError(
            "A target's label is empty; give a class index or a label, and a class on each side of"
            " ' vs '."
        )
    if model.labels is None:
        raise TargetError(
            f"The network has no labels, so {given!r} cannot be looked up; give a class index from"
            f" 0 to {model.classes - 1}."
        )
    wanted = given.strip().lower()
    for fits in (
        [index for index, label in enumerate(model.labels) if label.lower() == wanted],
        [
            index
            for index, label in enumerate(model.labels)
            if label.split(",")[0].strip().lower() == wanted
        ],
        [
            index
            for index, label in enumerate(model.labels)
            if wanted in [word.strip().lower() for word in label.split(",")]
        ],
        [index for index, label in enumerate(model.labels) if wanted in label.lower()],
    ):
        if len(fits) == 1:
            return fits[0]
        if fits:
            shown = ", ".join(f"{index} ({model.labels[index]})" for index in fits[:8]) + (
                " ..." if len(fits) > 8 else ""
            )
            alike = len({model.labels[index] for index in fits}) < len(fits)
            raise TargetError(
                f"{given!r} fits {len(fits)} classes: {shown}; give the"
                f" index{'' if alike else ' or the whole label'}."
            )
    raise TargetError(
        f"The network has no class {given!r};"
        f" {suggest(given, [label.split(',')[0] for label in model.labels])}"
    )
