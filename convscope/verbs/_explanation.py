"""What a result of `explain` knows: its heatmaps, targets, and how to run its methods again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from convscope.attribution.method import Method
from convscope.attribution.method_options import options_for
from convscope.errors import OptionError, TargetError
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.questions.grammar import parse_question
from convscope.questions.target import Choice, Target, TargetLike
from convscope.results.arrays import Array
from convscope.results.details import (
    AttributionDetails,
    ComparisonDetails,
    MapDetails,
    MethodRecord,
)
from convscope.results.result import Result


def heatmaps_in(result: Result) -> dict[str, Array]:
    """Method -> its heatmaps (n h w) in a result of `explain`.

    Raises:
        OptionError: it is no such result.
    """
    if result.verb != "explain":
        raise OptionError(f"A result of explain is measured; one of {result.verb} was given.")
    if isinstance(result.details, AttributionDetails):
        return {result.details.method: result["heatmap"]}
    methods = result.details_as(ComparisonDetails).methods
    return {entry.method: result[f"{entry.method}.heatmap"] for entry in methods}


def target_in(result: Result, model: Model, targets: TargetLike | Sequence[TargetLike]) -> Target:
    """What the result was asked about, or what is given instead.

    Raises:
        TargetError: it was asked about a callable, which is not kept with a result.
    """
    if targets is not None:
        return Target.of(model, targets)
    choices = [
        parse_question(model, record.text)
        if record.text is not None
        else Choice(record.index, record.against)
        for record in result.details_as(MapDetails).targets
        if record is not None
    ]
    if not choices or len(choices) < len(result.details_as(MapDetails).targets):
        raise TargetError(
            "The result was made with a callable target, which is not kept with it; give it again"
            " with target=."
        )
    return Target(model, tuple(choices))


def method_in(result: Result, name: str, probe: Probe) -> Method | None:
    """The method of a result, ready to be run again; None where the result does not say how it was
    made."""
    arguments = dict(result.provenance.get("arguments", {}))
    if not arguments:
        return None
    layer, seed = arguments.pop("layer", None), int(arguments.pop("seed", 0))
    half = bool(arguments.pop("half", False))
    record = _record_of(result, name)
    # A call without a method names no options, and yet the default one has some.
    options = record.options if record is not None else None
    is_alone = "heatmap" in result or options is not None
    if options is None:
        options = {
            key: value for key, value in arguments.items() if key not in ("method", "target")
        }
    layer = layer or (record.layer if record is not None else None)
    method = Method.of(name, probe, seed=seed, **options_for(name, layer, options, alone=is_alone))
    return replace(method, half=half)


def _record_of(result: Result, name: str) -> AttributionDetails | MethodRecord | None:
    """What a result says of one of its methods."""
    if isinstance(result.details, ComparisonDetails):
        return next((entry for entry in result.details.methods if entry.method == name), None)
    return result.details_as(AttributionDetails)
