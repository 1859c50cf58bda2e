"""Completion of names in a shell; nothing here imports torch."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from convscope.registry import Registry


def complete_model(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Model sources, and the networks of a source once it is written."""
    try:
        from convscope.models.search import list_models
    except ImportError:
        return [CompletionItem(f"{name}:") for name in Registry.of("convscope.models") if name.startswith(incomplete)]
    return [CompletionItem(name) for name in list_models() if name.startswith(incomplete)]
