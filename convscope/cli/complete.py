"""Completion of names in a shell; nothing here imports torch."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from convscope.networks.sources import registry as sources


def complete_model(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Model sources, and the networks of a source once it is written."""
    from convscope.networks.catalog import list_models

    names = list_models() if ":" in incomplete else [f"{name}:" for name in sources.names()]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
