"""Which layers an atlas is of: names and patterns."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from convscope.errors import LayerError, ModelError, OptionError
from convscope.networks.concept_layer import module_and_call
from convscope.networks.layer import CLASSES, Layers
from convscope.networks.model import Model
from convscope.probe import Probe

SCORE_SLACK = 1e-4
"""By what share of the largest score a layer's values may differ from the scores."""

SCORES = "scores"
"""Stands for what can be asked of the network's output by number: a detector's classes, each by its
surest candidate, a segmenter's, each by its mean over all places, the values of a regression, the
numbers of an embedding."""


def select_layers(
    model: Model, layers: Layers, wanted: str | Sequence[str], *, with_scores: bool = False
) -> list[str]:
    """The layers that names and patterns fit, in the network's order, each once.

    `*` does not cross a dot, `**` does: "blocks.*" are a network's stages, "blocks.**" all that is
    inside them too. "head" is the layer of class scores; `with_scores`, "scores" is what a network
    of any task gives, and "head" the same where no layer's units are the classes.

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
    selected: set[str] = set()
    for pattern in patterns:
        if pattern == SCORES and with_scores and SCORES not in layers:
            selected.add(SCORES)
        elif pattern == CLASSES and CLASSES not in layers:
            selected.add(_head_or_scores(model, layers, with_scores=with_scores))
        elif not any(mark in pattern for mark in "*?["):
            layers[pattern]  # raises where there is no such layer
            selected.add(pattern)
        else:
            selected.update(layers.match(pattern))
    order = {name: place for place, name in enumerate(layers)}
    return sorted(
        selected, key=lambda name: (order.get(module_and_call(name)[0], len(order)), name)
    )


def is_scores(layers: Layers, name: str) -> bool:
    """Whether a selected name stands for the network's scores, and for no layer."""
    return name == SCORES and SCORES not in layers


def _head_or_scores(model: Model, layers: Layers, *, with_scores: bool) -> str:
    try:
        return head_layer(model, layers)
    except LayerError:
        if not with_scores:
            raise
        return SCORES


def head_layer(model: Model, layers: Layers) -> str:
    """The layer whose units are the classes.

    Raises:
        LayerError: there is none.
    """
    names = head_layers(model, layers)
    if names:
        return names[-1]
    raise LayerError(
        f"{model.name} has no layer whose units are its {model.classes} classes; name a layer,"
        f" such as {list(layers)[-1]!r}."
    )


def head_layers(model: Model, layers: Layers) -> list[str]:
    """All layers whose units are the classes, in the network's order. One run tells: what such a
    layer gives are the network's scores, or becomes them by a softmax, a sigmoid or a factor; a
    hidden layer may well have as many units as there are classes."""
    try:
        classes = model.classes
        names = [
            name for name, layer in layers.items() if layer.units == classes and not layer.spatial
        ]
        if not names:
            return []
        with Probe(model) as probe:
            maps, output = probe.activations_and_output(model.noise_input(), names)
        scores = model.scores(output, 1).detach()
    except ModelError:
        return []
    return [name for name in names if _become_scores(maps[name].detach().flatten(1), scores)]


def _become_scores(units: Tensor, scores: Tensor) -> bool:
    """Whether values of units (1 n) are the scores (1 n), up to what keeps their order."""
    units, scores = units.double(), scores.double()
    forms = [units, units.softmax(1), units.log_softmax(1), units.sigmoid()]
    if units.shape[1] > 1:  # a single number is a multiple of any other
        factor = (units * scores).sum() / units.square().sum().clamp_min(1e-30)
        forms += [units * factor] if factor > 0 else []
    slack = SCORE_SLACK * float(scores.abs().max())
    return any(bool(((form - scores).abs() <= slack).all()) for form in forms)
