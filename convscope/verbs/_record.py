"""The record inside a picture, checked before anything of it is used: a file may lie."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from convscope import attribution, metrics
from convscope.concepts import registry as concept_methods
from convscope.core.registry import Registry
from convscope.core.validation import check, check_arguments
from convscope.errors import ConvscopeError, InputError, shown
from convscope.photos.samples import PREFIX
from convscope.results import pictures
from convscope.results.provenance import SCHEMA, Json, Provenance
from convscope.results.result import Result
from convscope.verbs._bounds import (
    check_bounds,
    check_preset,
    texts_of,
    without_preset_text,
)
from convscope.verbs._verb import photo_argument
from convscope.verbs.activation_grid import activation_grid
from convscope.verbs.activations import activations
from convscope.verbs.attention import attention
from convscope.verbs.caricature import caricature
from convscope.verbs.class_image import class_image
from convscope.verbs.concepts import concepts
from convscope.verbs.dream import dream
from convscope.verbs.evaluate import evaluate
from convscope.verbs.explain import DEFAULT_METHODS, explain
from convscope.verbs.features import features
from convscope.verbs.fool import fool
from convscope.verbs.invert import invert
from convscope.verbs.layers import layers
from convscope.verbs.predict import predict
from convscope.verbs.semantic_dictionary import semantic_dictionary
from convscope.verbs.visualize import visualize

VERBS: Mapping[str, Callable[..., Result]] = {
    "activation_grid": activation_grid,
    "activations": activations,
    "attention": attention,
    "caricature": caricature,
    "class_image": class_image,
    "concepts": concepts,
    "dream": dream,
    "evaluate": evaluate,
    "explain": explain,
    "features": features,
    "fool": fool,
    "invert": invert,
    "layers": layers,
    "predict": predict,
    "semantic_dictionary": semantic_dictionary,
    "visualize": visualize,
}
"""What a picture may ask for: verbs that look or optimize. None of them writes a file."""

VIEWS: Mapping[str, tuple[str, ...]] = {
    **{name: (name,) for name in ("activations", "features")},
    **dict.fromkeys(("attention",), ("attribution",)),
    "concepts": ("attribution", "concept_cards"),
    **dict.fromkeys(("evaluate", "layers"), ("table",)),
    "explain": ("attribution", "comparison"),
    "fool": ("fooling",),
    "predict": ("predictions", "detections", "segmentation", "values"),
}
"""The views that a verb's result is drawn as; of all others it is `images`."""

MOST_THREADS, MOST_ENTRIES, LONGEST_TEXT, DEEPEST = 256, 10_000, 100_000, 16
"""Bounds of a record: threads, entries of a list or object, characters of a text, and nesting."""

READ_BY_THE_VERB = ("model", "photo", "photos", "result", "mask", "units", "target")
"""Arguments with a grammar or files of their own; the verb refuses what it cannot read."""

CODE_SOURCES = ("python", "torchscript", "pt2")
"""Sources of networks that run code of the file or module while they load it."""

_DEVICE = re.compile(r"cpu|mps|cuda(:\d{1,3})?")


def check_record(path: str, record: Provenance) -> None:
    """Refuse a record that is not one that a verb wrote, before anything of it is used.

    Raises:
        InputError: a part that is missing or of the wrong type, an unknown verb or option, a value
            out of bounds, or an object that only existed in memory.
    """
    try:
        if record.get("schema", 0) > SCHEMA:
            raise InputError(
                f"it was written by a newer Convscope (record {record['schema']}, this one reads"
                f" {SCHEMA}); update Convscope."
            )
        for key in Provenance.__annotations__.keys() - {"seconds", "picture", "interrupted"}:
            if key not in record:
                raise InputError(f"the record inside lacks {key!r}.")
        _check_values(record, 0)
        _check_opaque(record)
        _check_machine(record)
        _check_verb(record)
    except ConvscopeError as error:
        raise type(error)(f"{path} cannot be made again: {error}") from None


def outside_names(record: Provenance, *, with_photos: bool = True) -> list[str]:
    """What making the picture again would open outside the working folder, or run as code: files
    and sources by name, each once."""
    paths = [photo["path"] for photo in record["photos"] if photo["path"] and with_photos]
    names = list(filter(_is_outside, paths))
    model = record["model"]
    spec = model["spec"] or ""
    says_trust = model["options"].get("trust", False) is not False
    if spec.partition(":")[0] in CODE_SOURCES or _names_code(spec) or says_trust:
        names.append(spec)
    for value in [spec, model["options"], without_preset_text(record["arguments"])]:
        for text in texts_of(value):
            if text.startswith("python:") or any(map(_is_outside, _path_candidates(text))):
                names.append(text)
    explanation = _explanation_of(record)
    if explanation is not None:
        names += outside_names(explanation, with_photos=with_photos)
    return list(dict.fromkeys(names))


def _explanation_of(record: Provenance) -> Provenance | None:
    """The record of the explanation that was measured, where it is kept in that of `evaluate`."""
    result = record["arguments"].get("result")
    return result["made_by"] if isinstance(result, dict) and "made_by" in result else None


def _check_values(value: Json, depth: int) -> None:
    """Sizes of texts, lists and objects, and how deep they are nested."""
    if depth > DEEPEST:
        raise InputError("the record inside is nested too deeply.")
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        raise InputError(f"the record inside holds a text of {len(value):,} characters.")
    if isinstance(value, (dict, list)):
        if len(value) > MOST_ENTRIES:
            raise InputError(f"the record inside holds a list of {len(value):,} entries.")
        for entry in value.values() if isinstance(value, dict) else value:
            _check_values(entry, depth + 1)


def _check_opaque(record: Provenance) -> None:
    """Objects that the provenance could only describe, not keep."""
    for value in (record["arguments"], record["model"]["options"]):
        for text in texts_of(value):
            if text.startswith("<") and text.endswith(">"):
                raise InputError(
                    f"it was made with {shown(text)}, an object that only existed in memory."
                )
    if record["model"]["spec"] is None:
        raise InputError(
            f"it was made with {shown(record['model']['name'])}, a network given as an object in"
            " memory, which cannot be loaded by name."
        )


def _check_machine(record: Provenance) -> None:
    if not 1 <= record["threads"] <= MOST_THREADS:
        raise InputError(
            f"it asks for {record['threads']} threads; 1 to {MOST_THREADS} are allowed."
        )
    if not _DEVICE.fullmatch(record["device"]):
        raise InputError(f"it asks for the device {shown(record['device'])}.")


def _check_verb(record: Provenance) -> None:
    """The verb is one that looks, its arguments are its own, and their values are in bounds."""
    name, arguments = record["verb"], record["arguments"]
    if name not in VERBS:
        is_page = name in ("report", "audit")
        hint = f" Call convscope {name} again to write the page." if is_page else ""
        raise InputError(
            f"it names the verb {shown(name)}; a picture can ask for {', '.join(sorted(VERBS))}."
            + hint
        )
    explanation = _explanation_of(record)
    if explanation is not None:
        if name != "evaluate" or explanation["verb"] != "explain":
            raise InputError("the record inside holds another one where none belongs.")
        check_record("The explanation", explanation)
    check_bounds(arguments)
    check_bounds(record.get("picture", {}))
    check_preset(name, arguments.get("preset"))
    values = dict(arguments) | {"model": None}
    if record["photos"]:
        values[photo_argument(VERBS[name])] = None
    function = getattr(VERBS[name], "__wrapped__", VERBS[name])
    target = arguments.get("target")
    for entry in target if isinstance(target, list) else [target]:
        if not isinstance(entry, (int, str, type(None))):
            raise InputError(f"it asks about the target {shown(entry)}.")
    bound = check_arguments(function, (), values, unchecked=READ_BY_THE_VERB)
    _check_options(name, bound.arguments)
    _check_picture(name, record.get("picture", {}))


def _check_options(name: str, arguments: Mapping[str, Json]) -> None:
    """What came through `**options` belongs to one of the chosen methods or metrics."""
    options = arguments.get("options", {})
    choosers: dict[str, tuple[str, Registry[object]]] = {
        "concepts": ("method", concept_methods),
        "explain": ("method", attribution.registry),
        "evaluate": ("metric", metrics.registry),
    }
    if not options or name not in choosers:
        return
    chooser, registry = choosers[name]
    chosen = arguments[chooser]
    if chosen is None:  # the verb chooses; what it hands options to is one of these
        chosen = list(DEFAULT_METHODS)
    names = chosen.split(",") if isinstance(chosen, str) else list(chosen)
    # A wrapper such as SmoothGrad hands options on to the method it wraps.
    names += [options["base"]] if isinstance(options.get("base"), str) else []
    known = {
        parameter.name: parameter
        for method in names
        for parameter in registry.schema(str(method).strip()).options
    }
    for option, value in options.items():
        if option not in known:
            raise InputError(f"{', '.join(names)} has no option {shown(option)}.")
        check(name, option, known[option].type, value)


def _check_picture(name: str, options: Mapping[str, Json]) -> None:
    """Options of the picture, which fit one of the verb's views."""
    views = VIEWS.get(name, ("images",))
    for view in views:
        try:
            pictures.registry.schema(view).validate(options)
            return
        except InputError:
            if view == views[-1]:
                raise


def _path_candidates(text: str) -> list[str]:
    """What may be a path within a text: all of it, what follows a colon, and entries of a list."""
    return [text, *re.split(r"[:,@\s]+", text)]


def _is_outside(text: str) -> bool:
    """Whether a text, read as a path, leads out of the working folder, also by a link."""
    if text.startswith(PREFIX) or not text or "\0" in text:
        return "\0" in text
    try:
        return not Path(text).resolve().is_relative_to(Path.cwd().resolve())
    except (OSError, RuntimeError, ValueError):
        return True


def _names_code(spec: str) -> bool:
    """Whether a card in the working folder names a module to import."""
    card = Path(spec.removeprefix("card:"))
    if card.suffix.lower() != ".toml" or not card.is_file():
        return False
    return "python:" in card.read_text(encoding="utf-8", errors="replace")
