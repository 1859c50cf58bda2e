"""Parameters of functions as options of commands, and the typed text as values again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import click

from convscope.cli.complete import complete_model, completion_of
from convscope.cli.messages import PLAIN
from convscope.cli.public import LISTS, PAGES, TABLES, schema_of
from convscope.core.annotations import base, members
from convscope.core.schema import REQUIRED, Parameter, Schema
from convscope.core.types import Options
from convscope.core.validation import check
from convscope.networks.command_words import network_flag
from convscope.networks.sources import registry as sources

REPEATABLE = ("layers", "methods", "metrics")
"""Options that may be given several times instead of with commas."""


def can_be_typed(parameter: Parameter) -> bool:
    """Whether some value of a parameter can be written on a command line: a mapping (of tensors by
    name) cannot."""
    kinds = {base(member) for member in members(parameter.type)} - {type(None)}
    return not kinds <= {dict, Mapping}


def flag_of(name: str) -> str:
    """`--learning-rate` of `learning_rate`."""
    return f"--{name.replace('_', '-')}"


def option(parameter: Parameter) -> click.Option:
    """A parameter as an option; its value is checked by the schema, so that all shells say the
    same."""
    flag = flag_of(parameter.name)
    if {base(member) for member in members(parameter.type)} - {type(None)} == {bool}:
        state = "" if parameter.default is None else f" [{'on' if parameter.default else 'off'}]"
        return click.Option(
            [f"{flag}/--no-{flag[2:]}", parameter.name],
            default=None,
            help=parameter.help + state,
        )
    has_default = parameter.default not in (None, REQUIRED, (), "")
    return click.Option(
        [flag, parameter.name],
        metavar=metavar(parameter),
        help=parameter.help + (f" [{parameter.default}]" if has_default else ""),
        shell_complete=completion_of(parameter),
        multiple=parameter.name in REPEATABLE,
    )


def metavar(parameter: Parameter) -> str:
    """What stands for the value in a help text."""
    kinds = {base(member) for member in members(parameter.type)} - {type(None)}
    if parameter.choices:
        return "|".join([*parameter.choices, *(["NUMBER"] if int in kinds else [])])
    if not parameter.keyword:
        return parameter.name.upper() if parameter.required else f"[{parameter.name.upper()}]"
    if kinds <= {int, float}:
        return "NUMBER"
    return "TEXT" if str in kinds else "VALUES"


def values(
    parameters: tuple[Parameter, ...] | list[Parameter], typed: Mapping[str, object], owner: str
) -> Options:
    """The options that were typed, converted; the others are left out, so that the function's own
    defaults hold."""
    converted = {}
    for parameter in parameters:
        value = typed.get(parameter.name)
        if value is None or value == ():
            continue
        if isinstance(value, tuple):
            value = [part for text in value for part in text.split(",")]
        converted[parameter.name] = check(owner, flag_of(parameter.name), parameter.type, value)
    return converted


def model_schemas(source: str | None = None) -> list[Schema]:
    """The options of `load_model` and those of a source, or of all sources."""
    names = sources.names() if source is None else [source] if source in sources else []
    return [schema_of("load_model"), *(sources.schema(name) for name in names)]


def model_options(used_flags: set[str]) -> Iterator[click.Option]:
    """The options that say which network and how it is loaded. Those that are called --input-...
    have their plain name too, hidden, where the verb has no other option of that name."""
    yield click.Option(
        ["-m", "--model"],
        help="A network, written source:name (default: the embedded one).",
        shell_complete=complete_model,
    )
    seen = {"model"}
    for schema in model_schemas():
        for parameter in schema.options:
            if parameter.name in seen or not can_be_typed(parameter):
                continue
            seen.add(parameter.name)
            yield from _model_option(parameter, schema.name, used_flags)


def _model_option(
    parameter: Parameter, schema: str, used_flags: set[str]
) -> Iterator[click.Option]:
    """One option of networks, and its hidden plain name."""
    flag, plain = network_flag(parameter.name), flag_of(parameter.name)
    source = "" if schema == "load_model" else f" ({schema}:)"
    name = f"model_{parameter.name}"
    if parameter.type is bool:
        yield click.Option([flag, name], is_flag=True, default=None, help=parameter.help + source)
        return
    yield click.Option([flag, name], metavar=metavar(parameter), help=parameter.help + source)
    if plain != flag and plain not in used_flags:
        yield click.Option([plain, f"{PLAIN}{name}"], hidden=True)


WHERE_TO_WRITE = (
    "Where to write: a picture (.png, .jpg, .pdf, .svg; - for standard output), the arrays too"
    " (.npz), or a table (.csv, .json)."
)


def output_options(verb: str, where: str) -> list[click.Option]:
    """What every verb has; what cannot be asked of this one is hidden, so that it is refused in a
    sentence of its own."""
    quiet = "No progress bar and no table."
    if verb in TABLES:
        quiet = "Print only the table."
    elif verb in PAGES:
        quiet = "Print only where the page is."
    return [
        click.Option(["-o", "--out"], help=where, hidden=verb in LISTS),
        click.Option(
            ["--draw"],
            multiple=True,
            metavar="NAME=VALUE",
            help="An option of the picture, such as style=overlay.",
            hidden=verb in (*LISTS, *PAGES),
        ),
        click.Option(["--json", "as_json"], is_flag=True, help="Print the result as JSON."),
        click.Option(["-q", "--quiet"], is_flag=True, help=quiet),
        help_option(),
    ]


def help_option() -> click.Option:
    """`--help` among the other options of a command."""
    return _shows(["-h", "--help"], "Show this and stop.", lambda context: context.get_help())


SHOWS_ALL = "convscope.shows_all"
"""The key in a context's `meta` that says that a help shows every option."""


def help_all_option() -> click.Option:
    """`--help-all`, where `--help` shows the common options only."""

    def text(context: click.Context) -> str:
        context.meta[SHOWS_ALL] = True
        return context.get_help()

    return _shows(["--help-all"], "Show all options and stop.", text)


def version_option(version: str) -> click.Option:
    """`--version`."""
    return _shows(
        ["--version"], "Show the version and stop.", lambda context: f"convscope {version}"
    )


def _shows(flags: list[str], text: str, printed: Callable[[click.Context], str]) -> click.Option:
    def show(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value and not context.resilient_parsing:
            click.echo(printed(context))
            context.exit()

    return click.Option(
        flags, is_flag=True, is_eager=True, expose_value=False, help=text, callback=show
    )
