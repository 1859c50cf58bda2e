"""How the help of a command is laid out: the docstring, its examples, the options in groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from convscope.core.docstring import body, command_lines
from convscope.core.schema import Schema


def write_text(schema: Schema, formatter: click.HelpFormatter) -> None:
    """The examples, and the docstring without its sections."""
    if examples := command_lines(schema.doc):
        with formatter.section("Examples"):
            for example in examples:
                formatter.write_text(example)
    formatter.write_paragraph()
    for paragraph in body(schema.doc).split("\n\n"):
        formatter.write_text(" ".join(paragraph.split()).replace("`", ""))
        formatter.write_paragraph()


def write_options(
    groups: Mapping[str, Sequence[click.Option]],
    context: click.Context,
    formatter: click.HelpFormatter,
) -> None:
    """Each group of options under its heading."""
    for heading, options in groups.items():
        records = [option.get_help_record(context) for option in options]
        rows = [record for record in records if record is not None]
        with formatter.section(heading):
            formatter.write_dl(rows or [("(no options)", "")])
