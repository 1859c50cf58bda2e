"""The words of a command line that name a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convscope.networks.model import Model

WITH_PREFIX = ("channels", "crop", "labels", "scale", "size")
"""Options of networks that are called --input-... on every command, since some verbs have an option
of that name that means something else."""


def network_flag(name: str) -> str:
    """The option of a command that stands for an option of `load_model`."""
    prefix = "input-" if name in WITH_PREFIX else ""
    return f"--{prefix}{name.replace('_', '-')}"


def model_words(model: Model) -> list[str]:
    """The options that load this network again; one from memory stands there as MODEL."""
    words = [] if model.spec == "embedded" else ["--model", model.spec or "MODEL"]
    for name, value in sorted(model.options.items()):
        words += [network_flag(name), text_of(value)]
    return words


def text_of(value: object) -> str:
    """A value as the command line reads it."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(text_of, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
