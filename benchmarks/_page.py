"""A page of the documentation whose tables a benchmark writes, between two marks."""

from __future__ import annotations


def between(page: str, begin: str, end: str, text: str) -> str:
    """The page with `text` between the lines `begin` and `end`.

    Raises:
        ValueError: the page lacks a mark.
    """
    before, first, rest = page.partition(begin)
    _, last, after = rest.partition(end)
    if not (first and last):
        raise ValueError(f"The page lacks {begin if not first else end}.")
    return f"{before}{begin}\n\n{text.rstrip()}\n\n{end}{after}"
