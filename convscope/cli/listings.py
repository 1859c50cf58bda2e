"""`convscope presets`, `methods`, `metrics`: what can be chosen by name, each with one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable

import click

from convscope import attribution, metrics
from convscope.cli.options import help_option
from convscope.core.registry import Registry

SUMMARIES = {
    "methods": "The attribution methods that `explain` knows.",
    "metrics": "The metrics that `evaluate` knows.",
    "presets": "The published ways to make a picture, with where their numbers are from.",
}


def _of_registry(registry: Registry[object]) -> dict[str, str]:
    return {name: registry.schema(name).summary for name in registry}


def _presets() -> dict[str, str]:
    import tomllib

    # The files are read here: the module that loads them loads torch.
    from convscope.cli.public import preset_files

    return {
        path.stem: str(tomllib.loads(path.read_text(encoding="utf-8"))["source"])
        for path in preset_files()
    }


_ROWS: dict[str, Callable[[], dict[str, str]]] = {
    "methods": lambda: _of_registry(attribution.registry),
    "metrics": lambda: _of_registry(metrics.registry),
    "presets": _presets,
}


class Listing(click.Command):
    """One of the lists as a command."""

    def __init__(self, name: str) -> None:
        as_json = click.Option(["--json", "as_json"], is_flag=True, help="Print it as JSON.")
        super().__init__(
            name,
            callback=self._run,
            help=SUMMARIES[name].replace("`", ""),
            short_help=SUMMARIES[name].replace("`", ""),
            params=[as_json, help_option()],
        )

    def _run(self, as_json: bool) -> int:
        rows = _ROWS[str(self.name)]()
        if as_json:
            click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
            return 0
        formatter = click.HelpFormatter()
        formatter.write_dl(list(rows.items()))
        click.echo(formatter.getvalue().rstrip("\n"))
        return 0
