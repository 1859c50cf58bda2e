"""Call a verb with what was typed, and write what it gives back."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import convscope
from convscope.cli import show
from convscope.cli.messages import PLAIN
from convscope.cli.options import flag_of, model_schemas, values
from convscope.cli.paths import STDOUT, default_output, photos_in
from convscope.cli.public import CHOOSERS, PAGES, TABLES, method_options
from convscope.core.schema import Parameter, Schema
from convscope.core.types import Options
from convscope.core.validation import check
from convscope.errors import OptionError, printable, suggest
from convscope.networks.command_words import network_flag
from convscope.results import pictures
from convscope.results.details import AttributionDetails, ComparisonDetails
from convscope.results.result import Result

if TYPE_CHECKING:
    from convscope.networks.model import Model

DOWNLOADED = ("torchvision", "timm")
"""Sources whose networks are known without their weights, which come from a server."""


def run_verb(schema: Schema, typed: Options) -> int:
    """Run one verb with what was typed; the exit code."""
    out = typed.pop("out")
    photos = photos_in(typed)
    default_out = default_output(schema.name, photos)
    _check_drawing(typed["draw"])
    positional = [
        _positional(schema.name, parameter, typed)
        for parameter in schema.parameters
        if not parameter.keyword and parameter.name not in ("model", "out")
    ]
    options = values(schema.options, typed, schema.name)
    if schema.name in CHOOSERS:
        options |= _method_options(schema, options, typed)
    if schema.name in PAGES:
        options["out"] = out or f"{schema.name}.html"
    if typed.get("photo"):  # of a verb that can do without one, and therefore has --photo
        options["photo"] = list(typed["photo"])
    # What libraries and networks print while they work (torch.hub: "Downloading ...") is no part of
    # the answer.
    with show.progress(typed["quiet"] or typed["as_json"]), redirect_stdout(sys.stderr):
        if any(parameter.name == "model" for parameter in schema.parameters):
            positional.insert(0, load_typed_model(typed, with_weights=schema.name != "layers"))
        answer = getattr(convscope, schema.name)(*positional, **options)
    if schema.name in PAGES:
        return _say_page(answer, typed)
    if isinstance(answer, Path):
        print(answer)
        return 0
    return _write(schema.name, answer, out or default_out, typed, photos, is_default=out is None)


def _say_page(page: Result, typed: Options) -> int:
    if typed["as_json"]:
        print(json.dumps(page.json(), indent=2, ensure_ascii=False))
        return 0
    print(page.details["path"])
    if page.note and not typed["quiet"]:
        print(page.note, file=sys.stderr)
    return 0


def _write(
    name: str,
    result: Result | Sequence[str],
    out: str,
    typed: Options,
    photos: Sequence[str],
    *,
    is_default: bool,
) -> int:
    if not isinstance(result, Result):
        show.lines(result, as_json=typed["as_json"])
        return 0
    drawing = _drawing(result, typed["draw"])
    if out == STDOUT:
        sys.stdout.buffer.write(result.png(**drawing))
        return _exit_code(result)
    writes = not is_default or (name not in TABLES and not typed["as_json"])
    path = None
    if writes:
        path = result.save(out, **drawing)
    if typed["as_json"]:
        print(json.dumps(result.json(), indent=2, ensure_ascii=False))
        return _exit_code(result)
    # Where the table is the answer, being quiet leaves out only what is beside it.
    if not typed["quiet"] or name in TABLES:
        show.table(result, photos)
    if not typed["quiet"]:
        for sentence in _explained(result, photos):
            print(sentence, file=sys.stderr)
    if path is not None:
        print(path)
    if result.note and not typed["quiet"]:
        print(result.note, file=sys.stderr)
    return _exit_code(result)


def _explained(result: Result, photos: Sequence[str]) -> list[str]:
    """What an explanation is of, with the probability of its class, by which method and at which
    layer: a line for each map; of several `photos`, with the photo's name."""
    details = result.details
    if isinstance(details, AttributionDetails):
        methods = [(details.method, details.layer)]
    elif isinstance(details, ComparisonDetails):
        methods = [(record.method, record.layer) for record in details.methods]
    else:
        return []
    probabilities = details.probabilities or [None] * len(details.titles)
    subjects = [
        title if probability is None else f"{title} ({probability:.1%})"
        for title, probability in zip(details.titles, probabilities, strict=True)
    ]
    if len(photos) > 1 and len(photos) == len(result.photos):
        named = zip(details.photo_of, subjects, strict=True)
        subjects = [f"{photos[photo]}: {subject}" for photo, subject in named]
    lines = []
    for method, layer in methods:
        maps = result["heatmap" if len(methods) == 1 else f"{method}.heatmap"]
        place = "" if layer is None else f" at {layer}"
        for subject, heatmap in zip(subjects, maps, strict=True):
            blank = "" if heatmap.any() else ": zero everywhere, so there is nothing to show"
            lines.append(printable(f"{subject}: {method}{place}{blank}"))
    return lines


def _exit_code(result: Result) -> int:
    """130 and a sentence where Ctrl-C ended the work early, else 0."""
    stopped = result.provenance.get("interrupted")
    if stopped is None:
        return 0
    print(
        f"convscope: interrupted after {stopped['after']} of {stopped['of']} steps; what was made"
        " so far is kept.",
        file=sys.stderr,
    )
    return 130


def _positional(verb: str, parameter: Parameter, typed: Options) -> object:
    value = typed.pop(parameter.name, None)
    if value is None and not parameter.required:
        return parameter.default
    if parameter.type is int:
        return check(verb, parameter.name, int, value)
    if parameter.name == "result":
        return Result.load(value)
    if isinstance(value, tuple):
        return value[0] if len(value) == 1 else list(value)
    return value


def load_typed_model(typed: Options, *, with_weights: bool = True) -> Model:
    """The network that the options name; without weights, what would be downloaded is random.

    Raises:
        OptionError: an option that its source does not have.
    """
    from convscope.networks.load import full_spec, load_model

    spec = typed.pop("model", None)
    texts = {
        name.removeprefix(PLAIN).removeprefix("model_"): value
        for name, value in typed.items()
        if name.startswith(("model_", f"{PLAIN}model_")) and value is not None
    }
    source = full_spec("embedded" if spec is None else spec).partition(":")[0]
    known = {
        parameter.name: (schema.name, parameter)
        for schema in model_schemas(source)
        for parameter in schema.options
    }
    for name in texts:
        if name not in known:
            raise OptionError(
                f"{network_flag(name)} is not an option of {source}: networks;"
                f" {suggest(name, known)}"
            )
    options: Options = {
        name: check(known[name][0], network_flag(name), known[name][1].type, text)
        for name, text in texts.items()
    }
    if not with_weights and source in DOWNLOADED:
        options = {"weights": False} | options
    return load_model(spec, **options)


def _method_options(schema: Schema, options: Options, typed: Options) -> Options:
    """The options that belong to the chosen methods.

    Raises:
        OptionError: one that none of them has.
    """
    chooser, registry = CHOOSERS[schema.name]
    default = next(
        parameter.default for parameter in schema.parameters if parameter.name == chooser
    )
    chosen = options.get(chooser) or default or []
    names = (
        chosen if isinstance(chosen, list) else [part.strip() for part in str(chosen).split(",")]
    )
    accepted: Options = {}
    for name in names:
        for part in _with_wrapped(schema, name, typed):
            accepted |= values(method_options(schema, part), typed, part)
    others = {parameter.name for name in registry for parameter in method_options(schema, name)}
    for name in sorted(others - accepted.keys()):
        if typed.get(name) not in (None, ()):
            said = ", ".join(names) or f"The default {chooser}"
            raise OptionError(f"{said} has no option {flag_of(name)}.")
    return accepted


def _with_wrapped(schema: Schema, name: str, typed: Options) -> list[str]:
    """A method, and the one that its option `base` names where it wraps another."""
    default = next(
        (option.default for option in method_options(schema, name) if option.name == "base"), None
    )
    return [name] if default is None else [name, str(typed.get("base") or default)]


def _drawing(result: Result, typed: tuple[str, ...]) -> Options:
    """The `--draw NAME=VALUE` options, checked against the picture that draws this result."""
    pairs = dict(text.partition("=")[::2] for text in typed)
    return pictures.registry.schema(result.view).validate(pairs) if pairs else {}


def _check_drawing(typed: tuple[str, ...]) -> None:
    """Refuse an option that no picture has, before any work is done."""
    known = {
        parameter.name
        for view in pictures.registry
        for parameter in pictures.registry.schema(view).options
    }
    for text in typed:
        name, equals, value = text.partition("=")
        if not equals:
            raise OptionError(
                f"--draw is written NAME=VALUE (as in style=overlay); {text} was given."
            )
        if name not in known:
            raise OptionError(f"--draw: no picture has an option {name!r}; {suggest(name, known)}")
        _check_drawn_value(name, value)


def _check_drawn_value(name: str, value: str) -> None:
    """Refuse a value that the option has in no picture.

    Raises:
        OptionError: what the first picture says to it.
    """
    refused: OptionError | None = None
    for view in pictures.registry:
        for parameter in pictures.registry.schema(view).options:
            if parameter.name == name:
                try:
                    check("--draw", name, parameter.type, value)
                except OptionError as error:
                    refused = refused or error
                else:
                    return
    if refused is not None:
        raise refused
