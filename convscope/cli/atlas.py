"""`convscope atlas VERB`: the verbs are the files of `convscope/atlas/` whose docstring shows a
command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from typing import Any

import click

import convscope
from convscope.cli.help import write_options, write_text
from convscope.cli.messages import in_words_of
from convscope.cli.options import help_option, model_options, option, values
from convscope.core.docstring import command_lines
from convscope.core.schema import Parameter, Schema
from convscope.core.types import Options
from convscope.core.validation import check
from convscope.errors import OptionError, suggest

SUMMARY = "Pictures and example photos of every unit of a network, in one folder."

AS_OPTIONS = ("layers", "layer", "images", "out")
"""Positional in Python, options here, where there are several."""

SECONDS_BETWEEN_LINES = 20.0
"""Seconds between two lines of progress in a log."""


class Atlas(click.Group):
    """The verbs of an atlas."""

    def __init__(self) -> None:
        super().__init__(
            "atlas",
            help=SUMMARY,
            short_help=SUMMARY,
            context_settings={"help_option_names": ["-h", "--help"]},
        )

    def list_commands(self, context: click.Context) -> list[str]:
        return [
            name for name, schema in convscope.atlas.verbs().items() if command_lines(schema.doc)
        ]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        name = name.replace("-", "_")
        return (
            AtlasVerb(name, convscope.atlas.verbs()[name])
            if name in self.list_commands(context)
            else None
        )

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(context, args[0]) is None:
            raise OptionError(
                f"There is no verb {args[0]!r} of atlas;"
                f" {suggest(args[0], self.list_commands(context))}"
            )
        return super().resolve_command(context, args)


class AtlasVerb(click.Command):
    """One verb of the atlas as a command."""

    def __init__(self, name: str, schema: Schema) -> None:
        self.schema = schema
        # With a network as its first argument the verb takes all options of `load_model`; a model=
        # by name is an option of its own.
        self.loads_model = any(
            parameter.name == "model" and not parameter.keyword for parameter in schema.parameters
        )
        self.groups: dict[str, list[click.Option]] = {}
        super().__init__(name, callback=self._run, help=schema.doc, short_help=schema.summary)
        self.params = [*self._arguments(), *self._options()]

    def format_help_text(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        write_text(self.schema, formatter)

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        write_options(self.groups, context, formatter)

    def _arguments(self) -> list[click.Parameter]:
        return [
            click.Argument(
                [parameter.name], required=parameter.required, metavar=parameter.name.upper()
            )
            for parameter in self.schema.parameters
            if not parameter.keyword and parameter.name not in ("model", *AS_OPTIONS)
        ]

    def _typed(self) -> list[Parameter]:
        return [
            parameter
            for parameter in self.schema.parameters
            if parameter.is_simple and (parameter.keyword or parameter.name in AS_OPTIONS)
        ]

    def _options(self) -> Iterable[click.Option]:
        options = []
        short = {"out": "-o", "model": "-m"}
        for parameter in self._typed():
            typed = option(parameter)
            typed.required = parameter.required
            if parameter.name in short:
                typed.opts = [short[parameter.name], *typed.opts]
            options.append(typed)
        self.groups["Options"] = options
        if self.loads_model:
            self.groups["Model"] = list(
                model_options({flag for typed in options for flag in typed.opts})
            )
        self.groups["Output"] = [
            click.Option(
                ["--json", "as_json"], is_flag=True, help="Print what came of it as JSON."
            ),
            click.Option(["-q", "--quiet"], is_flag=True, help="No progress and no table."),
            help_option(),
        ]
        return {
            parameter.name: parameter for group in self.groups.values() for parameter in group
        }.values()

    def _run(self, **typed: Any) -> int:
        with in_words_of(self):
            return self._run_checked(typed)

    def _run_checked(self, typed: Options) -> int:
        from convscope.cli import show
        from convscope.cli.run import load_typed_model

        positional: list[object] = []
        lines_every = SECONDS_BETWEEN_LINES
        silent = typed["quiet"] or typed["as_json"]
        with show.progress(silent, lines=lines_every), redirect_stdout(sys.stderr):
            for parameter in self.schema.parameters:
                if parameter.keyword:
                    continue
                if parameter.name == "model":
                    positional.append(load_typed_model(typed))
                else:
                    positional.append(self._value(parameter, typed[parameter.name]))
            options = values(self.schema.options, typed, self.schema.name)
            report = getattr(convscope.atlas, self.schema.name)(*positional, **options)
        return _say(report, typed)

    def _value(self, parameter: Parameter, value: object) -> object:
        if value is None or value == ():
            return parameter.default
        text = ",".join(value) if isinstance(value, tuple) else value
        return check(self.schema.name, parameter.name, parameter.type, text)


def _say(report: Any, typed: Options) -> int:
    """Print what came of it: 0, 2 where something is left to mend, 130 after Ctrl-C."""
    from convscope.cli import show

    if typed["as_json"]:
        print(json.dumps(report.json(), indent=2, ensure_ascii=False))
    elif not typed["quiet"]:
        show.rows(report.table)
    if not typed["as_json"]:
        print(report.sentence, file=sys.stdout if report.ok and not report.stopped else sys.stderr)
    return 130 if report.stopped else 0 if report.ok else 2
