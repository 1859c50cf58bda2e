"""Which layers an atlas is of: names and patterns."""

from __future__ import annotations

import re
from collections.abc import Sequence

from convscope.errors import LayerError, OptionError, suggest
from convscope.networks.layer import Layers
from convscope.networks.model import Model

HEAD = "head"
"""Stands for the layer that gives the class scores, where no layer has that name."""


def choose(model: Model, layers: Layers, wanted: str | Sequence[str]) -> list[str]:
    """The layers that names and patterns fit, in the network's order, each once.

    `*` does not cross a dot, `**` does: "blocks.*" are a network's stages, "blocks.**" all that is
    inside them too. "head" is the layer of class scores.

    Raises:
        LayerError: a name or pattern that fits none.
        OptionError: none was given.
    """
    patterns = [
        part.strip()
        for text in ([wanted] if isinstance(wanted, str) else wanted)
        for part in text.split(",")
        if part.strip()
    ]
    if not patterns:
        raise OptionError(
            "No layer was named; give names or patterns such as 'blocks.*', and head for the"
            " classes."
        )
    found: set[str] = set()
    for pattern in patterns:
        if pattern == HEAD and HEAD not in layers:
            found.add(head(model, layers))
        elif not any(mark in pattern for mark in "*?["):
            layers[pattern]
            found.add(pattern)
        else:
            fitting = [name for name in layers if _regex(pattern).fullmatch(name)]
            if not fitting:
                raise LayerError(
                    f"No layer of the network fits {pattern!r};"
                    f" {suggest(pattern.strip('*?.'), layers)}"
                )
            found.update(fitting)
    order = {name: place for place, name in enumerate(layers)}
    return sorted(found, key=lambda name: (order[name.partition("#")[0]], name))


def head(model: Model, layers: Layers) -> str:
    """The layer whose units are the classes.

    Raises:
        LayerError: there is none.
    """
    name = list(layers)[-1]
    found = next((other for other in reversed(list(layers)) if is_head(model, layers, other)), None)
    if found is None:
        raise LayerError(
            f"{model.name} has no layer whose units are its {model.classes} classes; name a layer,"
            f" such as {name!r}."
        )
    return found


def is_head(model: Model, layers: Layers, name: str) -> bool:
    """Whether a layer's units are the classes: it is among the last, and has as many units and no
    places."""
    layer = layers[name]
    last = max(one.order for one in layers.values())
    return layer.units == model.classes and not layer.spatial and last - layer.order <= 2


def _regex(pattern: str) -> re.Pattern[str]:
    """A shell pattern whose `*` and `?` do not cross dots."""
    words = {"**": ".*", "*": "[^.]*", "?": "[^.]"}
    pieces = re.split(r"(\*\*|\*|\?|\[[^\]]+\])", pattern)
    return re.compile(
        "".join(
            words.get(
                piece, piece if piece.startswith("[") and piece.endswith("]") else re.escape(piece)
            )
            for piece in pieces
        )
    )
