"""`convscope live`: start the microscope and keep it up until Ctrl-C."""

from __future__ import annotations

from typing import Any

import click

from convscope.cli.help import write_options, write_text
from convscope.cli.messages import in_words_of
from convscope.cli.options import help_option, model_options, option, values
from convscope.cli.public import schema_of


class Live(click.Command):
    """The command; its options are read from the signature of `convscope.live`."""

    def __init__(self) -> None:
        self.schema = schema_of("live")
        live_options = [option(parameter) for parameter in self.schema.options]
        used_flags = {flag for item in live_options for flag in item.opts}
        self.groups = {
            "Options": [*live_options, help_option()],
            "Model": list(model_options(used_flags)),
        }
        super().__init__(
            "live", callback=self._run, help=self.schema.doc, short_help=self.schema.summary
        )
        self.params = [
            click.Argument(["photos"], nargs=-1, metavar="[PHOTO]..."),
            *(item for group in self.groups.values() for item in group),
        ]

    def format_help_text(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        write_text(self.schema, formatter)

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        write_options(self.groups, context, formatter)

    def _run(self, **typed: Any) -> int:
        import convscope
        from convscope.cli.run import load_typed_model

        with in_words_of(self):
            options = values(list(self.schema.options), typed, "live")
            photos = list(typed.pop("photos"))
            convscope.live(load_typed_model(typed), photos, **options).wait()
        return 0
