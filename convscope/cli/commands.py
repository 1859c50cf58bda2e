"""Each verb of the API as a command: its arguments and options are read from its signature and
docstring."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

import convscope
from convscope.cli.atlas import SUMMARY as ATLAS_SUMMARY
from convscope.cli.atlas import Atlas
from convscope.cli.complete import complete_photo
from convscope.cli.help import write_options, write_text
from convscope.cli.listings import SUMMARIES, Listing
from convscope.cli.live import Live
from convscope.cli.messages import in_words_of
from convscope.cli.options import (
    REPEATABLE,
    SHOWS_ALL,
    WHERE_TO_WRITE,
    help_all_option,
    metavar,
    model_options,
    option,
    output_options,
    version_option,
)
from convscope.cli.paths import (
    STDOUT,
    check_inputs,
    check_output,
    check_standard_output,
    photos_in,
    reader_may_stop,
)
from convscope.cli.public import (
    CHOOSERS,
    LISTS,
    PAGES,
    VERBS,
    doc_of,
    method_options,
    schema_of,
)
from convscope.core.docstring import command_lines, summary
from convscope.core.schema import Schema
from convscope.core.types import Options
from convscope.errors import OptionError, OutputError, suggest
from convscope.results.endings import ANIMATIONS, CONCEPTS, ENDINGS, PICTURES

_NOT_FROM_THE_COMMAND_LINE = {"model", "photo", "out"}
_SEVERAL = ("photo", "photos", "units", "target")
"""Arguments that may be given several times."""

LIVE_HEADING = "Look for yourself, in the browser"
ATLAS_HEADING = "Make an atlas"
EXAMPLES_SHOWN = 6


class Verbs(click.Group):
    """The commands, made when they are asked for."""

    def __init__(self) -> None:
        super().__init__(
            "convscope",
            help="Convscope shows what a vision network sees.",
            context_settings={"help_option_names": ["-h", "--help"]},
        )
        self.params.append(version_option(convscope.__version__))

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """`convscope help VERB` and `convscope version` are read as the options of that name."""
        if args[:1] == ["help"]:
            args = [*args[1:], "--help"]
        elif args == ["version"]:
            args = ["--version"]
        return super().parse_args(context, args)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        with reader_may_stop():  # of the help
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, context: click.Context) -> Any:
        with reader_may_stop():
            return super().invoke(context)

    def list_commands(self, context: click.Context) -> list[str]:
        return [*VERBS, *SUMMARIES, "live", "atlas"]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        name = name.replace("-", "_")
        if name in SUMMARIES:
            return Listing(name)
        if name == "atlas":
            return Atlas()
        if name == "live":
            return Live()
        return Verb(name, schema_of(name)) if name in VERBS else None

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
            names = [name for name in VERBS if VERBS[name] == heading]
            with formatter.section(heading):
                formatter.write_dl([(name, summary(doc_of(name))) for name in names])
        with formatter.section(LIVE_HEADING):
            formatter.write_dl([("live", summary(doc_of("live")))])
        with formatter.section("Lists"):
            formatter.write_dl([(name, text.replace("`", "")) for name, text in SUMMARIES.items()])
        with formatter.section(ATLAS_HEADING):
            formatter.write_dl([("atlas", ATLAS_SUMMARY)])
        with formatter.section("Examples"):
            for name in list(VERBS)[:EXAMPLES_SHOWN]:
                formatter.write_text(command_lines(doc_of(name))[0])


class Verb(click.Command):
    """One verb as a command."""

    def __init__(self, name: str, schema: Schema) -> None:
        self.schema = schema
        self.groups: dict[str, list[click.Option]] = {}
        super().__init__(name, callback=self._run, help=schema.doc, short_help=schema.summary)
        self.params = [*self._arguments(), *self._options()]

    def format_help_text(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        write_text(self.schema, formatter)

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        if context.meta.get(SHOWS_ALL) or self.schema.name not in CHOOSERS:
            write_options(self.groups, context, formatter)
            return
        chooser, _ = CHOOSERS[self.schema.name]
        shown = {name: self.groups[name] for name in ("Options", "Output")}
        write_options({**shown, "Model": self.groups["Model"][:1]}, context, formatter)
        formatter.write_paragraph()
        formatter.write_text(f"The options of each --{chooser}, and those of networks:")
        formatter.write_text(f"convscope {self.schema.name} --help-all")

    def _arguments(self) -> list[click.Parameter]:
        return [
            click.Argument(
                [parameter.name],
                nargs=-1 if parameter.name in _SEVERAL else 1,
                required=parameter.required,
                metavar=metavar(parameter) + ("..." if parameter.name in _SEVERAL else ""),
                shell_complete=complete_photo if parameter.name == "photo" else None,
            )
            for parameter in self.schema.parameters
            if not parameter.keyword and parameter.name not in ("model", "out")
        ]

    def _options(self) -> Iterable[click.Option]:
        self.groups["Options"] = [
            option(parameter)
            for parameter in self.schema.options
            if parameter.name not in _NOT_FROM_THE_COMMAND_LINE
        ]
        self.groups["Options"] += [
            click.Option(
                ["--photo"], multiple=True, metavar="PATH", help=f"{parameter.help} (repeatable)"
            )
            for parameter in self.schema.parameters
            if parameter.keyword and parameter.name == "photo"
        ]
        if self.schema.name in CHOOSERS:
            chooser, registry = CHOOSERS[self.schema.name]
            for name in registry:
                heading = f"--{chooser} {name}: {registry.schema(name).summary.rstrip('.')}"
                self.groups[heading] = [
                    option(parameter) for parameter in method_options(self.schema, name)
                ]
        if any(parameter.name == "model" for parameter in self.schema.parameters):
            used_flags = {
                flag
                for options in self.groups.values()
                for click_option in options
                for flag in click_option.opts
            }
            self.groups["Model"] = list(model_options(used_flags))
        page = next(
            (parameter for parameter in self.schema.parameters if parameter.name == "out"), None
        )
        self.groups["Output"] = output_options(
            str(self.name),
            WHERE_TO_WRITE if page is None else f"Where to write: {page.help} [{page.default}]",
        )
        if self.schema.name in CHOOSERS:
            self.groups["Output"].append(help_all_option())
        # Methods may share an option's name: each shows it in its own section, the command has it
        # once.
        return {
            click_option.name: click_option
            for group in self.groups.values()
            for click_option in group
        }.values()

    def _run(self, **typed: Any) -> int:
        with in_words_of(self):
            return self._run_checked(typed)

    def _run_checked(self, typed: Options) -> int:
        photos = [name for name in photos_in(typed) if isinstance(name, str)]
        # A page is about a source of photos, which need not be files.
        if "photos" not in typed or self.schema.name not in PAGES:
            check_inputs(photos, [name for name in REPEATABLE if typed.get(name)])
        check_standard_output()
        is_page = self.schema.name in PAGES
        if typed["out"] == STDOUT and typed["as_json"]:
            raise OptionError("--json and --out - both write to standard output; give one of them.")
        if self.name in LISTS and (typed["out"] or typed["draw"]):
            raise OptionError(
                f"{self.name} prints names, one a line; write them with {self.name} > FILE."
            )
        if is_page and typed["draw"]:
            raise OptionError(
                f"--draw {typed['draw'][0]} is about a picture, and {self.name} writes a page."
            )
        if typed["out"] is not None and (is_page or typed["out"] != STDOUT):
            read = [*photos, *filter(None, (typed.get("result"), typed.get("path")))]
            endings = (".html",) if is_page else ENDINGS
            check_output(typed["out"], read, endings)
            _check_drawn(typed["out"], typed["draw"])
            self._check_holds(Path(typed["out"]).suffix.lower(), typed)
        from convscope.cli.run import run_verb

        return run_verb(self.schema, typed)

    def _check_holds(self, suffix: str, typed: Options) -> None:
        """Refuse a file for what the verb does not make, before it works.

        Raises:
            OutputError: a moving picture without snapshots, or concepts of another verb.
        """
        if self.schema.name == "rerun":
            return
        if suffix in ANIMATIONS and not (typed.get("snapshots") or typed.get("show_every")):
            can = any(parameter.name == "snapshots" for parameter in self.schema.parameters)
            hint = "add --snapshots 1,10,100" if can else f"{self.name} makes none"
            raise OutputError(
                f"--out {typed['out']}: a {suffix} file is a moving picture of snapshots; {hint}."
            )
        if suffix == CONCEPTS and self.schema.name != "concepts":
            raise OutputError(
                f"--out {typed['out']}: only concepts are saved as {CONCEPTS}, and {self.name}"
                " learns none."
            )


def _check_drawn(out: str, drawing: Sequence[str]) -> None:
    """Refuse options of the picture where none is drawn.

    Raises:
        OptionError: `--draw` beside a file that holds no picture.
    """
    if drawing and not out.lower().endswith(PICTURES):
        raise OptionError(
            f"--draw {drawing[0]} is about a picture, and --out {out} holds none; pictures end in"
            f" {' or '.join(PICTURES)}."
        )
