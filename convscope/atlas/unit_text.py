"""A unit as people write it."""

from __future__ import annotations

from collections.abc import Collection

from convscope.errors import UnitError
from convscope.networks.concept_file import names_concept


def parse_unit(text: str, layers: Collection[str]) -> tuple[str, int]:
    """The layer and the index that `layer:index` names, or `concept:NAME/3` for a saved concept,
    where the atlas has these `layers`: that concept alone, or all of its file.

    Raises:
        UnitError: it is written otherwise.
    """
    is_concept = names_concept(text)
    if is_concept and text in layers:
        return text, 0
    name, mark, number = text.rpartition("/" if is_concept else ":")
    if not mark or not number.isdecimal():
        raise UnitError(f"A unit is written layer:index; {text!r} was given.")
    return name, int(number)
