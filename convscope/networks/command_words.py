"""The words of a command line that name a network."""

from __future__ import annotations

from convscope.networks.model import Model


def model_words(model: Model) -> list[str]:
    """The options that load this network again; one from memory stands there as MODEL."""
    words = [] if model.spec == "embedded" else ["--model", model.spec or "MODEL"]
    return words + [
        word
        for name, value in model.options.items()
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
