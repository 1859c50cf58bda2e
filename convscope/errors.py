"""Every error Convscope raises on purpose, as one tree.

    ConvscopeError
    ├── InputError              what the caller gave cannot be used
    │   ├── ImageError          a photo that cannot be read or used
    │   ├── ModelError          a network that cannot be found, loaded or run
    │   ├── LayerError          a layer name the network does not have
    │   ├── UnitError           a unit or place the layer does not have
    │   ├── TargetError         a class the network does not have
    │   ├── OptionError         an unknown method, preset or parameter, or a value out of range
    │   ├── OutputError         a place that cannot be written
    │   └── ExtraError          an optional dependency that is not installed
    └── ComputeError            the computation itself cannot give an answer
        ├── NoGradientError     the score does not depend on what is asked about
        ├── DeadUnitError       the unit never fired, so there is nothing to show
        ├── NumericError        NaN or infinity
        └── RuleError           a backward rule that changed nothing

A message is one sentence: what was given, what exists, what to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

_LONG_WORD = re.compile(r"(\S{120})\S{160,}(\S{20})")
"""A word that no name of a file (at most 255 bytes) or layer has the length of, in three parts."""

_LINE_BREAK = re.compile(r"\n(?! {4})")
"""A line break that is no indented line of a text with its fault pointed at: one in a name."""


class ConvscopeError(Exception):
    """The root: catch this to catch everything Convscope raises on purpose.

    Its text is safe to print: names of files, layers and labels may hold control characters, or be
    pages long.
    """

    def __str__(self) -> str:
        text = _LONG_WORD.sub(r"\1...\2", super().__str__())
        return printable(_LINE_BREAK.sub(r"\\n", text))


class InputError(ConvscopeError, ValueError):
    """What the caller gave cannot be used."""


class ImageError(InputError):
    """A photo that cannot be read or used."""


class ModelError(InputError):
    """A network that cannot be found, loaded or run."""


class LayerError(InputError):
    """A layer name the network does not have."""


class UnitError(InputError):
    """A unit or place the layer does not have."""


class TargetError(InputError):
    """A class the network does not have."""


class OptionError(InputError):
    """An unknown method, preset or parameter, or a value out of range."""


class OutputError(InputError):
    """A place that cannot be written."""


class ExtraError(InputError):
    """An optional dependency that is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"This needs the package {package}, which is not installed: pip install"
            f" 'convscope[{extra}]'."
        )


class ComputeError(ConvscopeError, RuntimeError):
    """The computation itself cannot give an answer."""


class NoGradientError(ComputeError):
    """The score does not depend on what is asked about."""


class DeadUnitError(ComputeError):
    """The unit never fired, so there is nothing to show."""


class NumericError(ComputeError):
    """NaN or infinity."""


class RuleError(ComputeError):
    """A backward rule that changed nothing."""


def shown(value: object, *, most: int = 80) -> str:
    """A value as a message shows it: on one line, cut to `most` characters, with control
    characters escaped."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"a {type(value).__name__} of shape {' x '.join(map(str, shape))}"
    try:
        text = " ".join(repr(value).split())
    except Exception:  # a caller's own object, or a list within itself a thousand times
        text = f"a {type(value).__name__}"
    return shortened(text, most=most)


def shortened(value: object, *, most: int = 80) -> str:
    """A value's text, cut to `most` characters."""
    text = str(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def printable(text: str) -> str:
    """Text for a terminal: control characters, direction marks and lone surrogates, which a file or
    a label may have in its name, are written as escapes."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in text
    )


def _letters(name: str) -> str:
    """A name without capitals and signs: "Grad-CAM" and "grad_cam" are the same."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def suggest(name: str, known: Iterable[str], *, most: int = 5) -> str:
    """The half sentence that helps after a misspelt name: near misses, or else what exists."""
    names = list(known)
    same = [other for other in names if _letters(other) == _letters(name) != ""]
    if same:
        return "did you mean " + " or ".join(repr(other) for other in same[:most]) + "?"
    lowered = {known_name.lower(): known_name for known_name in names}
    near = [
        lowered[match] for match in get_close_matches(name.lower(), lowered, n=most, cutoff=0.6)
    ]
    near += [
        other for other in names if name and name.lower() in other.lower() and other not in near
    ][: most - len(near)]
    if near:
        return "did you mean " + " or ".join(repr(other) for other in near[:most]) + "?"
    shown = ", ".join(names[:12]) + (f" ... ({len(names)} in all)" if len(names) > 12 else "")
    return f"there is: {shown}." if names else "there is none."
