"""Objective text as tokens: numbers, units, layers, calls and signs, each with its place."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from convscope.errors import UnitError

_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w#])")
_CONCEPT = re.compile(r"concept:[^\s()*+]+/\d+")
_NAME = re.compile(r"[\w#]+(?:\.[\w#]+)*")
_NAME_GOES_ON = re.compile(r"[\w#]|\.(?!\.)")
_PLACE = re.compile(r":\d+:\d+,\d+")
_RANGE = re.compile(r":(?P<first>\d+)-(?P<last>\d+)(?![\w.:#]|\s*[*/(])|:(?P<all>\*)")
_INDEX = re.compile(r":\d*")
_SYMBOLS = ("..", "+", "-", "*", "/", "(", ")")

CONCEPT = "concept:"
"""The name of an atom that stands for a saved concept, `concept:NAME/3`."""

TokenKind = Literal["number", "atom", "symbol", "end"]


@dataclass(frozen=True)
class Atom:
    """A unit, a layer or a call, as written, and where it starts in the text.

    `name` is the layer or the called objective, `arguments` what stood in the brackets of a call,
    and `units` the first and last unit of a range (None for the last one of the layer).
    """

    text: str
    start: int
    name: str
    arguments: str | None = None
    units: tuple[int, int | None] | None = None


@dataclass(frozen=True)
class Token:
    """A piece of the text and where it starts; `atom` where it is, or may be, a unit or a layer."""

    kind: TokenKind
    text: str
    start: int
    atom: Atom | None = None


def pointer(text: str, place: int) -> str:
    """The text with a caret below one of its characters; a long text is cut around it."""
    begin = max(0, place - 60)
    shown = text[begin : place + 20].replace("\n", " ").replace("\t", " ")
    return f"\n    {shown}\n    {' ' * (place - begin)}^"


def tokenize(text: str, layer_names: Collection[str]) -> list[Token]:
    """The tokens of a text, with one at its end; `layer_names` are recognized even where they hold
    signs or spaces.

    Raises:
        UnitError: a character that stands for nothing, or a bracket that is never closed.
    """
    # The longest first, so that "conv-1" is not read as "conv" less 1.
    names = sorted(layer_names, key=len, reverse=True)
    tokens = []
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        token = _token(text, place, names)
        tokens.append(token)
        place += len(token.text)
    return [*tokens, Token("end", "", len(text))]


def _token(text: str, start: int, names: list[str]) -> Token:
    concept = _CONCEPT.match(text, start)
    if concept:
        return Token("atom", concept[0], start, Atom(concept[0], start, CONCEPT))
    layer = next((name for name in names if _stands_at(text, start, name)), None)
    number = _NUMBER.match(text, start)
    if number and (layer is None or number.end() > start + len(layer)):
        return _number_or_atom(text, start, number.group())
    if layer is None:
        symbol = next((sign for sign in _SYMBOLS if text.startswith(sign, start)), None)
        if symbol is not None:
            return Token("symbol", symbol, start)
        word = _NAME.match(text, start)
        if word is None:
            raise UnitError(
                f"An objective cannot hold the character {text[start]!r} here."
                + (" Several units are separated by spaces." if text[start] == "," else "")
                + pointer(text, start)
            )
        layer = word.group()
    end = start + len(layer)
    if text.startswith("(", end):
        return _call(text, start, layer)
    if number and number.end() == end and not text.startswith(":", end):
        return Token("number", layer, start, Atom(layer, start, layer))
    return _unit(text, start, layer)


def _number_or_atom(text: str, start: int, number: str) -> Token:
    """A number, or the layer of that name where a unit follows ("0:3")."""
    if text.startswith(":", start + len(number)):
        return _unit(text, start, number)
    return Token("number", number, start, Atom(number, start, number))


def _stands_at(text: str, start: int, name: str) -> bool:
    """Whether a layer's name stands here as a whole word."""
    return text.startswith(name, start) and not _NAME_GOES_ON.match(text, start + len(name))


def _unit(text: str, start: int, layer: str) -> Token:
    """A layer with what follows its colon."""
    end = start + len(layer)
    units = None
    if match := _RANGE.match(text, end):
        units = (0, None) if match["all"] else (int(match["first"]), int(match["last"]))
    else:
        match = _PLACE.match(text, end) or _INDEX.match(text, end)
    if match:
        end = match.end()
    if text.startswith(":", end) or text[end - 1] == ":":
        raise UnitError(
            "A unit is written layer:index or layer:index:row,column; a number is missing here."
            + pointer(text, min(end, len(text)))
        )
    written = text[start:end]
    return Token("atom", written, start, Atom(written, start, layer, units=units))


def _call(text: str, start: int, name: str) -> Token:
    """A name with everything up to the bracket that closes it."""
    opened = start + len(name)
    depth = 0
    for place in range(opened, len(text)):
        depth += (text[place] == "(") - (text[place] == ")")
        if depth == 0:
            written = text[start : place + 1]
            inside = text[opened + 1 : place].strip()
            return Token("atom", written, start, Atom(written, start, name, arguments=inside))
    raise UnitError("This bracket is never closed." + pointer(text, opened))
