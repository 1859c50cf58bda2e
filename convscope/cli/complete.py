"""Completion of names and values in a shell; nothing here imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from convscope import attribution, metrics
from convscope.cli.public import preset_files
from convscope.core.schema import Parameter
from convscope.networks.catalog import list_models
from convscope.networks.sources import registry as sources

Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

_VALUES: dict[str, Callable[[], Iterable[str]]] = {
    "method": attribution.registry.names,
    "methods": attribution.registry.names,
    "metric": metrics.registry.names,
    "metrics": metrics.registry.names,
    "preset": lambda: [path.stem for path in preset_files()],
}
"""Options whose values are names that Convscope knows."""


def complete_model(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Model sources, and the networks of a source once it is written."""
    names = list_models() if ":" in incomplete else [f"{name}:" for name in sources.names()]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def completion_of(parameter: Parameter) -> Completion | None:
    """How the values of an option are completed: the words it allows, or the names it knows, also
    after a comma."""
    words, names = parameter.choices, _VALUES.get(parameter.name)
    if not words and names is None:
        return None

    def complete(
        context: click.Context, option: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        before, comma, last = incomplete.rpartition(",")
        known = words or tuple(names() if names is not None else ())
        return [CompletionItem(f"{before}{comma}{name}") for name in known if name.startswith(last)]

    return complete


def complete_photo(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Sample photos where "sample:" is being written, else files."""
    from convscope.photos.samples import PREFIX, SAMPLES

    if incomplete and PREFIX.startswith(incomplete[: len(PREFIX)]):
        names = [f"{PREFIX}{name}" for name in SAMPLES]
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return [CompletionItem(incomplete, type="file")]
