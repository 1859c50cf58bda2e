"""Completion of names in a shell; nothing here imports torch."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from convscope.networks.catalog import list_models


def source_names() -> list[str]:
    """The model sources, by their files: importing the package that holds them would import
    torch."""
    folder = Path(__file__).parent.parent / "networks" / "sources"
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def complete_model(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Model sources, and the networks of a source once it is written."""
    if ":" not in incomplete:
        return [
            CompletionItem(f"{name}:") for name in source_names() if name.startswith(incomplete)
        ]
    return [CompletionItem(name) for name in list_models() if name.startswith(incomplete)]
