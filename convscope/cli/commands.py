"""Each verb of the API as a command: its arguments and options are read from its signature and
docstring."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

import convscope
from convscope.cli.complete import complete_model, source_names
from convscope.core.registry import Registry
from convscope.core.schema import REQUIRED, Parameter, Schema, convert
from convscope.errors import OptionError, suggest

VERBS = {
    "report": "One page: what this network sees in this photo",
    "predict": "Look at a photo",
    "activations": "Look at a photo",
    "explain": "Look at a photo",
    "evaluate": "Look at a photo",
    "benchmark_attribution": "Look at a photo",
    "visualize": "Make pictures by gradient ascent",
    "class_image": "Make pictures by gradient ascent",
    "caricature": "Make pictures by gradient ascent",
    "invert": "Make pictures by gradient ascent",
    "dream": "Make pictures by gradient ascent",
    "fool": "Make pictures by gradient ascent",
    "layers": "Find your way",
    "models": "Find your way",
    "rerun": "Find your way",
}
"""Verb -> the heading it stands under in `convscope --help`."""

ALIASES = {"models": "list_models"}
"""Verbs that have another name in Python, where a noun alone would say too little."""

PLUGGED = {
    "explain": ("method", "convscope.attribution"),
    "evaluate": ("metric", "convscope.metrics"),
}
"""Verbs that pass further options on to a function chosen by name: the parameter that chooses, and
the package it chooses from."""

GROUPS = {"atlas": "Make an atlas"}
"""Verbs that have verbs of their own, each in the file of its name beside this one, and the heading
they stand under."""

_ROOT = Path(convscope.__file__).parent
_NOT_FROM_THE_COMMAND_LINE = {"model", "photo", "out"}


def schema_of(name: str) -> Schema:
    """The schema of a public function, read from its source."""
    name = ALIASES.get(name, name)
    path = _ROOT.joinpath(*convscope._WHERE[name].split(".")[1:])
    return Schema.of_file(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"), name)


def _exists(name: str) -> bool:
    try:
        return ALIASES.get(name, name) in convscope._WHERE and schema_of(name) is not None
    except (OSError, OptionError):
        return False


def source_schemas() -> dict[str, Schema]:
    """The model sources, read from their files: importing the package that holds them would import
    torch."""
    return {
        name: Schema.of_file(_ROOT / "networks" / "sources" / f"{name}.py", name)
        for name in source_names()
    }


class Verbs(click.Group):
    """The commands, made when they are asked for."""

    def __init__(self) -> None:
        super().__init__(
            "convscope",
            help="Convscope shows what a convolutional network sees.",
            context_settings={"help_option_names": ["-h", "--help"]},
        )
        self.params.append(_version())

    def list_commands(self, context: click.Context) -> list[str]:
        return [*(name for name in VERBS if _exists(name)), *GROUPS]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name in GROUPS:
            return _group(name)
        name = name.replace("-", "_")
        if name not in VERBS or not _exists(name):
            return None
        return Verb(name, schema_of(name))

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(context, args[0]) is None and not args[0].startswith("-"):
            raise OptionError(
                f"There is no verb {args[0]!r}; {suggest(args[0], self.list_commands(context))}"
            )
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        for heading in dict.fromkeys(VERBS.values()):
            rows = [
                (name, schema_of(name).summary)
                for name in self.list_commands(context)
                if VERBS.get(name) == heading
            ]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
        for name, heading in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(name, _group(name).short_help or "")])
        with formatter.section("Examples"):
            for name in self.list_commands(context)[:6]:
                for example in examples(schema_of(name))[:1]:
                    formatter.write_text(example)


def _group(name: str) -> click.Group:
    """The group of that name, from its file."""
    found: click.Group = getattr(
        importlib.import_module(f"convscope.cli.{name}"), name.capitalize()
    )()
    return found


class Verb(click.Command):
    """One verb as a command."""

    def __init__(self, name: str, schema: Schema) -> None:
        self.schema = schema
        self.groups: dict[str, list[click.Option]] = {}
        super().__init__(name, callback=self._run, help=schema.doc, short_help=schema.summary)
        self.params = [*self._arguments(), *self._options()]

    def format_help_text(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        text = schema_text(self.schema)
        formatter.write_paragraph()
        for paragraph in text.split("\n\n"):
            formatter.write_text(" ".join(paragraph.split()).replace("`", ""))
            formatter.write_paragraph()
        if examples(self.schema):
            with formatter.section("Examples"):
                for example in examples(self.schema):
                    formatter.write_text(example)

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, options in self.groups.items():
            rows = [
                record
                for option in options
                if (record := option.get_help_record(context)) is not None
            ]
            with formatter.section(heading):
                formatter.write_dl(rows or [("(no options)", "")])

    def _arguments(self) -> list[click.Parameter]:
        found: list[click.Parameter] = []
        for parameter in self.schema.parameters:
            if parameter.keyword or parameter.name in ("model", "out"):
                continue
            many = parameter.name in ("photo", "units", "target")
            found.append(
                click.Argument(
                    [parameter.name],
                    nargs=-1 if many else 1,
                    required=parameter.default is REQUIRED,
                    metavar=_metavar(parameter),
                )
            )
        return found

    def _options(self) -> Iterable[click.Option]:
        own = [
            option(parameter)
            for parameter in self.schema.options
            if parameter.name not in _NOT_FROM_THE_COMMAND_LINE
        ]
        self.groups["Options"] = own
        taken = {name for one in own for name in one.opts}
        if self.name in PLUGGED:
            chooser, package = PLUGGED[self.name]
            for choice in Registry.of(package):
                mine = Registry.of(package).schema(choice)
                own_names = {parameter.name for parameter in self.schema.parameters}
                fresh = [
                    option(parameter)
                    for parameter in mine.options
                    if parameter.name not in own_names
                ]
                taken |= {name for one in fresh for name in one.opts}
                self.groups[f"--{chooser} {choice}: {mine.summary.rstrip('.')}"] = fresh
        if any(parameter.name == "model" for parameter in self.schema.parameters):
            self.groups["Model"] = list(self._model_options(taken))
        self.groups["Output"] = [
            click.Option(
                ["-o", "--out"], help="Where to write: .png (picture), .npz (arrays, too) or .json."
            ),
            click.Option(
                ["--draw"],
                multiple=True,
                metavar="NAME=VALUE",
                help="An option of the picture, such as style=overlay.",
            ),
            click.Option(["--json", "as_json"], is_flag=True, help="Print the result as JSON."),
            click.Option(["-q", "--quiet"], is_flag=True, help="No progress bar and no table."),
            click.Option(
                ["-h", "--help"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                help="Show this and stop.",
                callback=_show_help,
            ),
        ]
        # Methods may share an option's name: each shows it in its own section, the command has it
        # once.
        return {one.name: one for options in self.groups.values() for one in options}.values()

    def _model_options(self, taken: set[str]) -> Iterable[click.Option]:
        yield click.Option(
            ["-m", "--model"],
            help="A network, written source:name (default: the embedded one).",
            shell_complete=complete_model,
        )
        seen = {"--model"}
        for schema in (schema_of("load_model"), *source_schemas().values()):
            for parameter in schema.options:
                flag = f"--{parameter.name.replace('_', '-')}"
                if flag in seen:
                    continue
                seen.add(flag)
                flag = f"--input-{parameter.name.replace('_', '-')}" if flag in taken else flag
                source = "" if schema.name == "load_model" else f" ({schema.name}:)"
                yield click.Option(
                    [flag, f"model_{parameter.name}"],
                    metavar=_metavar(parameter),
                    help=parameter.help + source,
                )

    def _run(self, **given: Any) -> int:
        from convscope.cli.run import run_verb

        return run_verb(self.schema, given)


def option(parameter: Parameter) -> click.Option:
    """A parameter as an option; its value is checked by the schema, so that all shells say the
    same."""
    flag = f"--{parameter.name.replace('_', '-')}"
    shown = (
        ""
        if parameter.default in (None, REQUIRED, (), "") or isinstance(parameter.default, bool)
        else f" [{parameter.default}]"
    )
    if parameter.type is bool:
        return click.Option(
            [f"{flag}/--no-{flag[2:]}", parameter.name],
            default=None,
            help=f"{parameter.help} [{'on' if parameter.default else 'off'}]",
        )
    many = parameter.name in ("layers", "methods", "metrics")
    return click.Option(
        [flag, parameter.name],
        metavar=_metavar(parameter),
        help=parameter.help + shown,
        multiple=many,
    )


def values(schema: Schema, given: dict[str, Any]) -> dict[str, Any]:
    """The given options of a function, converted; those not given are left out, so that its own
    defaults hold."""
    found = {}
    for parameter in schema.options:
        value = given.get(parameter.name)
        if value is None or value == ():
            continue
        if isinstance(value, tuple):
            value = [part for text in value for part in text.split(",")]
        found[parameter.name] = convert(schema.name, parameter, value)
    return found


def examples(schema: Schema) -> list[str]:
    """The command lines in a docstring's `Example:` section."""
    return [line.strip()[2:] for line in schema.doc.splitlines() if line.strip().startswith("$ ")]


def schema_text(schema: Schema) -> str:
    """The docstring without its sections."""
    kept = []
    for paragraph in schema.doc.split("\n\n"):
        if paragraph.lstrip().startswith(("Args:", "Example:", "Examples:", "Raises:", "Returns:")):
            continue
        kept.append(paragraph)
    return "\n\n".join(kept)


def _metavar(parameter: Parameter) -> str:
    if parameter.choices:
        return "|".join(parameter.choices)
    if not parameter.keyword:
        return parameter.name.upper()
    kinds = parameter.plain.replace(" | None", "")
    return {"int": "NUMBER", "float": "NUMBER", "int | float": "NUMBER"}.get(
        kinds, "TEXT" if "str" in kinds or "TargetLike" in kinds else "VALUES"
    )


def _version() -> click.Option:
    def show(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value and not context.resilient_parsing:
            click.echo(f"convscope {convscope.__version__}")
            context.exit()

    return click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        help="Show the version and stop.",
        callback=show,
    )


def _show_help(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        click.echo(context.get_help())
        context.exit()
