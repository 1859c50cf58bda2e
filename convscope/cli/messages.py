"""Refusals in the words of a command line: `weights=False` of the API is `--weights False` here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import click

from convscope.core.docstring import command_lines
from convscope.errors import ConvscopeError

PLAIN = "plain_"
"""Before the name of an option of networks that was given by its hidden plain name."""

OF_NETWORK = "model_"
"""Before the name of an option of networks."""

_ARGUMENT = re.compile(r"(?<![\w-])([a-z_]+)=('[^']*'|\w*+)(?! \(on the command line)")
_SAID_TWICE = re.compile(r"(--[\w-]+(?: \w+)?) \(\1\)")


@contextmanager
def in_words_of(command: click.Command) -> Iterator[None]:
    """Errors that are raised in the block speak of the options of a command.

    Raises:
        ClickException: the same sentence, instead of ours.
    """
    try:
        yield
    except ConvscopeError as error:
        raise click.ClickException(in_options(str(error), command)) from error


def in_options(sentence: str, command: click.Command) -> str:
    """A sentence whose `name=value` are written `--name value`, where the command has that
    option."""
    flags = {
        _plain_name(option.name): option
        for option in reversed(command.params)
        if isinstance(option, click.Option) and option.name
    }

    def written(match: re.Match[str]) -> str:
        option, value = flags.get(match[1]), match[2].strip("'")
        if option is None:
            return match[0]
        flag = option.opts[-1]
        return flag if option.is_flag and value in ("", "True") else f"{flag} {value}".strip()

    return _SAID_TWICE.sub(r"\1", _ARGUMENT.sub(written, sentence))


def _plain_name(name: str) -> str:
    return name.removeprefix(PLAIN).removeprefix(OF_NETWORK)


def usage_sentence(error: click.UsageError) -> str:
    """What is wrong with a command, with where its help is; of a command that takes several
    arguments, what they are."""
    context = error.ctx
    if context is None or context.parent is None:
        return f"{error.format_message()} (convscope --help)"
    sentence = error.format_message()
    command = context.command
    if isinstance(error, click.MissingParameter) and isinstance(error.param, click.Argument):
        required = [
            parameter.make_metavar(context)
            for parameter in command.params
            if isinstance(parameter, click.Argument) and parameter.required
        ]
        if len(required) > 1:
            names = f"{', '.join(required[:-1])} and {required[-1]}"
            sentence = f"{context.info_name} takes {names}"
            examples = command_lines(command.help or "")
            sentence += f", as in {examples[0]}" if examples else ""
    return f"{sentence} ({context.command_path} --help)"
