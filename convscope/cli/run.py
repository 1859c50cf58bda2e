"""Call a verb with what was typed, and write what it gives back."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import convscope
from convscope.cli import show
from convscope.cli.options import flag_of, model_schemas, values
from convscope.cli.public import CHOOSERS, method_options
from convscope.core.schema import Parameter, Schema
from convscope.core.validation import check
from convscope.errors import OptionError, OutputError, suggest
from convscope.photos.samples import PREFIX
from convscope.results import pictures
from convscope.results.result import ENDINGS, Result

TABLES = ("predict", "layers", "evaluate", "models", "benchmark_attribution", "activations")
"""Verbs whose answer is read in the terminal."""


def run_verb(schema: Schema, typed: dict[str, Any]) -> int:
    """Run one verb with what was typed; the exit code."""
    out = typed.pop("out")
    _check_out(out, schema.name)
    default_out = _default_name(schema.name, typed)
    positional = [
        _positional(schema.name, parameter, typed)
        for parameter in schema.parameters
        if not parameter.keyword and parameter.name not in ("model", "out")
    ]
    options = values(schema.options, typed, schema.name)
    if schema.name in CHOOSERS:
        options |= _method_options(schema, options, typed)
    if schema.name == "report":
        options["out"] = out or "report.html"
    with show.progress(typed["quiet"] or typed["as_json"]):
        if any(parameter.name == "model" for parameter in schema.parameters):
            positional.insert(0, load_typed_model(typed))
        answer = getattr(convscope, schema.name)(*positional, **options)
    if isinstance(answer, Path):
        print(answer)
        return 0
    return _write(schema.name, answer, out or default_out, typed, is_default=out is None)


def _write(name: str, result: Any, out: str, typed: dict[str, Any], *, is_default: bool) -> int:
    if not isinstance(result, Result):
        show.lines(result, as_json=typed["as_json"])
        return 0
    drawing = _drawing(result, typed["draw"])
    writes = not is_default or (name not in TABLES and not typed["as_json"])
    path = None
    if writes:
        path = result.save(out, **(drawing if Path(out).suffix.lower() == ".png" else {}))
    ended = str(result.details.get("ended") or "")
    if ended.startswith("interrupted"):
        print(f"convscope: {ended}; what was made so far is kept.", file=sys.stderr)
    if typed["as_json"]:
        print(json.dumps(result.json(), indent=2, ensure_ascii=False))
        return 0
    if not typed["quiet"]:
        show.table(result)
    if path is not None:
        print(path)
    if result.note and not typed["quiet"]:
        print(result.note, file=sys.stderr)
    return 0


def _default_name(name: str, typed: dict[str, Any]) -> str:
    """Where a picture goes when nobody said: named after the photo and the verb, in this folder."""
    photos = typed.get("photo") or ()
    stem = Path(photos[0].removeprefix(PREFIX)).stem + "-" if photos else ""
    return f"{stem}{name}.png"


def _positional(verb: str, parameter: Parameter, typed: dict[str, Any]) -> Any:
    value = typed.pop(parameter.name, None)
    if parameter.type is int:
        return check(verb, parameter.name, int, value)
    if parameter.name == "result":
        return Result.load(value)
    if isinstance(value, tuple):
        return value[0] if len(value) == 1 else list(value)
    return value


def load_typed_model(typed: dict[str, Any]) -> Any:
    """The network that the options name.

    Raises:
        OptionError: an option that its source does not have.
    """
    from convscope.networks.load import full_spec, load_model

    spec = typed.pop("model", None)
    texts = {
        name.removeprefix("model_"): value
        for name, value in typed.items()
        if name.startswith("model_") and value is not None
    }
    source = full_spec(spec or "embedded").partition(":")[0]
    known = {
        parameter.name: (schema.name, parameter)
        for schema in model_schemas(source)
        for parameter in schema.options
    }
    for name in texts:
        if name not in known:
            raise OptionError(
                f"{flag_of(name)} is not an option of {source}: networks; {suggest(name, known)}"
            )
    return load_model(
        spec,
        **{
            name: check(known[name][0], name, known[name][1].type, text)
            for name, text in texts.items()
        },
    )


def _method_options(
    schema: Schema, options: dict[str, Any], typed: dict[str, Any]
) -> dict[str, Any]:
    """The options that belong to the chosen methods.

    Raises:
        OptionError: one that none of them has.
    """
    chooser, registry = CHOOSERS[schema.name]
    default = next(
        parameter.default for parameter in schema.parameters if parameter.name == chooser
    )
    chosen = options.get(chooser, default)
    names = (
        chosen if isinstance(chosen, list) else [part.strip() for part in str(chosen).split(",")]
    )
    accepted: dict[str, Any] = {}
    for name in names:
        accepted |= values(method_options(schema, name), typed, name)
    others = {parameter.name for name in registry for parameter in method_options(schema, name)}
    for name in sorted(others - accepted.keys()):
        if typed.get(name) not in (None, ()):
            raise OptionError(f"{', '.join(names)} has no option {flag_of(name)}.")
    return accepted


def _drawing(result: Result, typed: tuple[str, ...]) -> dict[str, Any]:
    """The `--draw NAME=VALUE` options, checked against the picture that draws this result."""
    pairs = dict(text.partition("=")[::2] for text in typed)
    return pictures.registry.schema(result.view).validate(pairs) if pairs else {}


def _check_out(out: str | None, name: str) -> None:
    """Refuse an ending that cannot be written before any work is done."""
    allowed = (".html",) if name == "report" else ENDINGS
    if out is not None and Path(out).suffix.lower() not in allowed:
        raise OutputError(f"--out {out}: the name must end in {' or '.join(allowed)}.")
    if out is not None and Path(out).is_dir():
        raise OutputError(f"--out {out} is a folder; give the name of a file.")
