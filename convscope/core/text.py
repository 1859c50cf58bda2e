"""Text from elsewhere - labels, layer and file names - made harmless to show."""

from __future__ import annotations

import re

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but for tab and line feed
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of writing
    "\ud800-\udfff]"  # lone surrogates, which no encoding has
)

LONGEST_NUMBER = 18
"""Digits of a number that fits 64 bits."""


def visible(text: str) -> str:
    """The same text with a replacement character for each control character, mark of direction and
    lone surrogate, so that it can neither hide nor break anything around it."""
    return _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", text)


def encodable(text: str) -> bytes:
    """Text in UTF-8; lone surrogates, which UTF-8 does not have, as JSON and Python write them."""
    return text.encode("utf-8", "backslashreplace")


def storable(text: str) -> str:
    """Text that any file can hold: as it is, but for lone surrogates, which are escaped."""
    return encodable(text).decode()


def is_whole_number(text: str) -> bool:
    """Whether text is a number of 0 or more that `int` reads and an index can be: ASCII digits ("²"
    is one for `str.isdigit`), at most eighteen."""
    digits = text.strip()
    return digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_NUMBER
