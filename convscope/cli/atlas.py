"""`convscope atlas VERB`: the verbs are the files of `convscope/atlas/` whose docstring shows a
command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

import click

import convscope
from convscope.cli.commands import Verb, examples, option, values
from convscope.core.schema import REQUIRED, Parameter, Schema, convert
from convscope.errors import OptionError, suggest

SUMMARY = "Pictures and example photos of every unit of a network, in one folder."

OPTIONS = ("layers", "layer", "images", "out")
"""Positional in Python, options here, where there are several."""

EVERY = 20.0
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
        return [name for name, schema in convscope.atlas.verbs().items() if examples(schema)]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        name = name.replace("-", "_")
        return (
            Chapter(name, convscope.atlas.verbs()[name])
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


class Chapter(Verb):
    """One verb of the atlas as a command."""

    def __init__(self, name: str, schema: Schema) -> None:
        # With a network as its first argument the verb takes all options of `load_model`; a model=
        # by name is an option of its own.
        self.loads = any(
            parameter.name == "model" and not parameter.keyword for parameter in schema.parameters
        )
        super().__init__(name, schema)

    def _arguments(self) -> list[click.Parameter]:
        plain = [
            parameter
            for parameter in self.schema.parameters
            if not parameter.keyword and parameter.name not in ("model", *OPTIONS)
        ]
        return [
            click.Argument([one.name], required=one.default is REQUIRED, metavar=one.name.upper())
            for one in plain
        ]

    def _typed(self) -> list[Parameter]:
        return [
            one
            for one in self.schema.parameters
            if one.simple and (one.keyword or one.name in OPTIONS)
        ]

    def _options(self) -> Iterable[click.Option]:
        own = []
        for parameter in self._typed():
            made = option(parameter)
            made.required = parameter.required
            if parameter.name == "out":
                made.opts = ["-o", *made.opts]
            if parameter.name == "model":
                made.opts = ["-m", *made.opts]
            own.append(made)
        self.groups["Options"] = own
        if self.loads:
            self.groups["Model"] = list(
                self._model_options({name for one in own for name in one.opts})
            )
        self.groups["Output"] = [
            click.Option(
                ["--json", "as_json"], is_flag=True, help="Print what came of it as JSON."
            ),
            click.Option(["-q", "--quiet"], is_flag=True, help="No progress and no table."),
            click.Option(
                ["-h", "--help"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                help="Show this and stop.",
                callback=_help,
            ),
        ]
        return {one.name: one for options in self.groups.values() for one in options}.values()

    def _run(self, **given: Any) -> int:
        from convscope.cli import show
        from convscope.cli.run import model

        positional: list[Any] = []
        with show.progress(given["quiet"] or given["as_json"], lines=EVERY):
            for parameter in self.schema.parameters:
                if parameter.keyword:
                    continue
                if parameter.name == "model":
                    positional.append(model(given))
                else:
                    value = given[parameter.name]
                    text = ",".join(value) if isinstance(value, tuple) else value
                    positional.append(
                        parameter.default
                        if text is None
                        else convert(self.schema.name, parameter, text)
                    )
            function = getattr(convscope.atlas, self.schema.name)
            report = function(*positional, **values(self.schema, given))
        return _say(report, given)


def _say(report: Any, given: dict[str, Any]) -> int:
    """Print what came of it: 0, 2 where something is left to mend, 130 after Ctrl-C."""
    from convscope.cli import show

    if given["as_json"]:
        print(json.dumps(report.json(), indent=2, ensure_ascii=False))
    elif not given["quiet"]:
        show.rows(report.table)
    if not given["as_json"]:
        print(report.sentence, file=sys.stdout if report.ok and not report.stopped else sys.stderr)
    return 130 if report.stopped else 0 if report.ok else 2


def _help(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        click.echo(context.get_help())
        context.exit()
