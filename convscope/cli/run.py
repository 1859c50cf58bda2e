"""Call a verb with what was typed, and write what it gives back."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import convscope
from convscope.cli import show
from convscope.cli.commands import PLUGGED, values
from convscope.core.registry import Registry
from convscope.core.schema import Schema, convert
from convscope.errors import OptionError, OutputError, suggest
from convscope.photos.samples import PREFIX
from convscope.results.result import ENDINGS, Result

TABLES = ("predict", "layers", "evaluate", "models", "benchmark_attribution", "activations")
"""Verbs whose answer is read in the terminal."""


def run_verb(schema: Schema, given: dict[str, Any]) -> int:
    """Run one verb; the exit code."""
    out = given.pop("out")
    _check_out(out, schema.name)
    usual = _default_name(schema.name, given)
    positional = [
        _positional(parameter.name, given)
        for parameter in schema.parameters
        if not parameter.keyword and parameter.name not in ("model", "out")
    ]
    options = values(schema, given)
    if schema.name in PLUGGED:
        options |= _plugged(schema, options, given)
    if schema.name == "report":
        options["out"] = out or "report.html"
    with show.progress(given["quiet"] or given["as_json"]):
        if any(parameter.name == "model" for parameter in schema.parameters):
            positional.insert(0, model(given))
        answer = getattr(convscope, schema.name)(*positional, **options)
    if isinstance(answer, Path):
        print(answer)
        return 0
    return _write(schema.name, answer, out, given, usual)


def _write(name: str, result: Any, out: str | None, given: dict[str, Any], usual: str) -> int:
    if not isinstance(result, Result):
        show.lines(result, as_json=given["as_json"])
        return 0
    drawing = _drawing(result, given["draw"])
    if out is None and name not in TABLES and not given["as_json"]:
        out = usual
    if out is not None:
        path = result.save(out, **(drawing if Path(out).suffix.lower() == ".png" else {}))
    ended = str(result.details.get("ended") or "")
    if ended.startswith("interrupted"):
        print(f"convscope: {ended}; what was made so far is kept.", file=sys.stderr)
    if given["as_json"]:
        print(json.dumps(result.json(), indent=2, ensure_ascii=False))
    else:
        if not given["quiet"]:
            show.table(result)
        if out is not None:
            print(path)
    return 0


def _default_name(name: str, given: dict[str, Any]) -> str:
    """Where a picture goes when nobody said: named after the photo and the verb, in this folder."""
    photos = given.get("photo") or ()
    stem = Path(photos[0].removeprefix(PREFIX)).stem + "-" if photos else ""
    return f"{stem}{name}.png"


def _positional(name: str, given: dict[str, Any]) -> Any:
    value = given.pop(name, None)
    if name == "result":
        return Result.load(value)
    if isinstance(value, tuple):
        return value[0] if len(value) == 1 else list(value)
    return value


def model(given: dict[str, Any]) -> Any:
    """The network that the options name."""
    from convscope.networks.load import full_spec, load_model
    from convscope.networks.sources import registry as sources

    spec = given.pop("model", None)
    typed = {
        name.removeprefix("model_"): value
        for name, value in given.items()
        if name.startswith("model_") and value is not None
    }
    source = full_spec(spec or "embedded").partition(":")[0]
    own = Schema.of_file(Path(str(sys.modules["convscope.networks.load"].__file__)), "load_model")
    schemas = [own, *([sources.schema(source)] if source in sources else [])]
    known = {
        parameter.name: (schema.name, parameter)
        for schema in schemas
        for parameter in schema.options
    }
    for name in typed:
        if name not in known:
            raise OptionError(
                f"--{name.replace('_', '-')} is not an option of {source}: networks;"
                f" {suggest(name, known)}"
            )
    options = {
        name: convert(known[name][0], known[name][1], value) for name, value in typed.items()
    }
    return load_model(spec, **options)


def _plugged(schema: Schema, options: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The options that belong to the chosen method."""
    chooser, package = PLUGGED[schema.name]
    registry = Registry.of(package)
    default = next(
        parameter.default for parameter in schema.parameters if parameter.name == chooser
    )
    chosen = options.get(chooser, default)
    names = (
        chosen if isinstance(chosen, list) else [part.strip() for part in str(chosen).split(",")]
    )
    own = {parameter.name for parameter in schema.parameters}
    found: dict[str, Any] = {}
    for name in names:
        found |= {
            key: value
            for key, value in values(registry.schema(name), given).items()
            if key not in own
        }
    others = {
        parameter.name for name in registry for parameter in registry.schema(name).options
    } - own
    for key in sorted(others - found.keys()):
        if given.get(key) not in (None, ()):
            raise OptionError(f"{', '.join(names)} has no option --{key.replace('_', '-')}.")
    return found


def _drawing(result: Result, typed: tuple[str, ...]) -> dict[str, Any]:
    """The `--draw NAME=VALUE` options, checked against the picture that draws this result."""
    registry = Registry.of("convscope.results.pictures")
    pairs = dict(text.partition("=")[::2] for text in typed)
    return registry.schema(result.view).validate(pairs) if pairs else {}


def _check_out(out: str | None, name: str) -> None:
    """Refuse an ending that cannot be written before any work is done."""
    allowed = (".html",) if name == "report" else ENDINGS
    if out is not None and Path(out).suffix.lower() not in allowed:
        raise OutputError(f"--out {out}: the name must end in {' or '.join(allowed)}.")
    if out is not None and Path(out).is_dir():
        raise OutputError(f"--out {out} is a folder; give the name of a file.")
