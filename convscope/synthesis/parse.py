"""Objectives from text, JSON or units, checked against a network before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from convscope.errors import ConvscopeError, LayerError, OptionError, UnitError
from convscope.networks.concept_file import read_concept
from convscope.networks.layer import Unit
from convscope.probe import Probe
from convscope.questions.grammar import KINDS, parse_question
from convscope.questions.target import find_class
from convscope.synthesis import objectives
from convscope.synthesis.grammar import Combination, Series, read_expression
from convscope.synthesis.objective import (
    JsonTerm,
    Objective,
    Term,
    channel,
    interpolate,
    neuron,
    objective,
)
from convscope.synthesis.questions import KIND
from convscope.synthesis.tokens import CONCEPT, Atom, pointer

ObjectiveLike: TypeAlias = str | Unit | Objective | JsonTerm | Sequence[JsonTerm]
"""What `parse` reads: text, a unit, an objective, or what `Objective.to_json` wrote."""

MAX_OBJECTIVES = 100_000
"""Objectives of one text: more units than any layer has."""


def parse(source: ObjectiveLike, probe: Probe) -> Objective:
    """One objective; `parse_all` says what can be written.

    Raises:
        LayerError, UnitError, TargetError, OptionError: what it names does not exist, or the text
            stands for several objectives.
    """
    parsed = parse_all(source, probe)
    if len(parsed) != 1:
        raise UnitError(f"One objective is wanted here; {source!r} stands for {len(parsed)}.")
    return parsed[0]


def parse_all(source: ObjectiveLike, probe: Probe) -> list[Objective]:
    """The objectives that a text stands for; everything they name is checked.

    `layer:index` is a channel, `layer:index:row,column` a neuron, a layer's name alone the whole
    layer (DeepDream), `concept:NAME/3` a concept that was saved in NAME.safetensors,
    `logit(label)`, `probability(label)` or `name(layer, ...)` an objective by name, a question in
    words (`value:1`, `mask:road`) its score. Sums, factors and brackets as in `0.5*(a + b) - c/2`.
    `layer:0-15` and `layer:*` stand for several units, `a..b/5` for five steps from one objective
    to another.

    Raises:
        LayerError, UnitError, TargetError, OptionError: what it names does not exist; in a text of
            several terms the message points at the one that is wrong.
    """
    if isinstance(source, Unit):
        source = str(source)
    if isinstance(source, str):
        if not source.strip():
            raise _no_unit(source, probe)
        parsed = _read(source, probe)
    elif isinstance(source, Objective):
        parsed = [source]
    elif isinstance(source, (list, tuple, Mapping)) and source:
        terms = [source] if isinstance(source, Mapping) else list(source)
        parsed = [Objective.from_json(terms)]
    else:
        raise _no_unit(source, probe)
    for parsed_objective in parsed:
        for term in parsed_objective.terms:
            _check(term, probe)
    return parsed


def _no_unit(source: object, probe: Probe) -> UnitError:
    return UnitError(
        f"A unit is written layer:index (as in {probe.layers.example()}); {source!r} was given."
    )


def _read(text: str, probe: Probe) -> list[Objective]:
    word = text.strip().partition(":")[0]
    if word in KINDS and word != "concept" and word not in probe.layers:
        return [objective(KIND, question=text.strip())]
    try:
        expression = read_expression(text, probe.layers)
    except UnitError as error:
        sentence, newline, place = str(error).partition("\n")
        unit = probe.layers.example()
        example = f"{unit} or 0.5*{unit} + {unit[:-1]}1"
        raise UnitError(
            f"{sentence} Units and sums of them are written as in {example}.{newline}{place}"
        ) from None
    if isinstance(expression, Series):
        first, last = (_resolve(side, text, probe) for side in (expression.first, expression.last))
        if len(first) != 1 or len(last) != 1:
            raise UnitError(f"An interpolation goes from one objective to one; {text!r} has more.")
        return interpolate(first[0], last[0], expression.count)
    return _resolve(expression, text, probe)


def _resolve(combination: Combination, text: str, probe: Probe) -> list[Objective]:
    """A weighted sum of atoms as objectives: several where an atom is a range of units."""
    sums: list[Objective] = [Objective(())]
    for weight, atom in combination:
        try:
            choices = _atom(atom, probe)
        except ConvscopeError as error:
            if len(combination) == 1 and atom.text == text.strip():
                raise
            raise type(error)(f"{error}{pointer(text, atom.start)}") from None
        # A weight of 1 is left an integer, as `channel(...)` alone has it.
        scaled = [choice if weight == 1 else choice * weight for choice in choices]
        if len(sums) * len(scaled) > MAX_OBJECTIVES:
            raise UnitError(f"{text!r} stands for more than {MAX_OBJECTIVES} objectives.")
        sums = [total + choice for total in sums for choice in scaled]
    return sums


def _atom(atom: Atom, probe: Probe) -> list[Objective]:
    if atom.arguments is not None:
        return [_call(atom.name, atom.arguments, probe)]
    if atom.name == CONCEPT:
        concept = read_concept(atom.text)
        direction, name = concept.direction, atom.text.strip()
        return [objective("direction", layer=concept.layer, vector=direction, name=name)]
    layers = probe.layers
    if atom.units is not None:
        first, last = atom.units
        last = layers[atom.name].units - 1 if last is None else last
        if last < first:
            raise UnitError(f"The range {atom.text!r} has no units: its end is before its start.")
        layers.unit(f"{atom.name}:{last}")
        return [channel(atom.name, index) for index in range(first, last + 1)]
    if ":" not in atom.text[len(atom.name) :]:
        _require_layer(atom.name, probe)
        return [objective("layer", layer=atom.name)]
    unit = layers.unit(atom.text)
    if unit.row is None:
        return [channel(unit.layer, unit.index)]
    return [neuron(unit.layer, unit.index, unit.row, unit.column)]


def _require_layer(name: str, probe: Probe) -> None:
    """Refuse what is no layer; a word without a dot or a run was probably meant as a unit."""
    layers = probe.layers
    try:
        layers[name]
    except LayerError as error:
        labels = probe.model.labels or ()
        of_class = (
            f" {name!r} is a class: class_image shows one, and logit({name}) stands for its score."
            if any(name in label.split(", ") for label in labels)
            else ""
        )
        raise LayerError(
            f"{error}{of_class} A unit is written layer:index, as in {layers.example()}."
        ) from None


def _call(name: str, inside: str, probe: Probe) -> Objective:
    """An objective by name, with its parameters in order or by name."""
    schema = objectives.registry.schema(name)
    if schema.options and schema.options[0].name == "target":
        return objective(name, target=find_class(probe.model, inside))
    if name == KIND:
        return objective(name, question=inside)
    arguments = _split(inside)
    if len(arguments) > len(schema.options):
        raise OptionError(
            f"The objective {name} takes {len(schema.options)} parameter(s); {len(arguments)} were"
            " given."
        )
    parameters = {}
    for option, argument in zip(schema.options, arguments, strict=False):
        key, equals, value = argument.partition("=")
        parameters[key.strip() if equals else option.name] = (value if equals else key).strip()
    return objective(name, **schema.validate(parameters))


def _split(inside: str) -> list[str]:
    """Text at its commas, those within brackets left out."""
    parts, depth = [""], 0
    for character in inside:
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def _check(term: Term, probe: Probe) -> None:
    """Whether the network has what a term names."""
    objectives.registry.get(term.kind)
    options = term.options
    layer = options.get("layer")
    if isinstance(layer, str):
        units = probe.layers[layer].units
        index, row, column = (options.get(name) for name in ("index", "row", "column"))
        if index is not None:
            place = "" if row is None or column is None else f":{row},{column}"
            probe.layers.unit(f"{layer}:{index}{place}")
        vector = options.get("vector")
        if isinstance(vector, tuple) and len(vector) != units:
            raise OptionError(
                f"A direction at {layer!r} has {units} numbers, one per channel; {len(vector)} were"
                " given."
            )
    question = options.get("question")
    if isinstance(question, str):
        parse_question(probe.model, question).of_any_image()
    target = options.get("target")
    if isinstance(target, (int, str)):
        find_class(probe.model, target)
