"""Options that several functions share stand once, and read as if each had them."""

from __future__ import annotations

import inspect
from typing import Literal, TypedDict, Unpack

import pytest

import convscope
from convscope.cli.public import schema_of
from convscope.core.ranges import PositiveInt
from convscope.core.schema import Schema
from convscope.core.unpack import written_out
from convscope.core.validation import check_arguments
from convscope.errors import OptionError

SYNTHESIS = ("caricature", "class_image", "dream", "fool", "invert", "visualize")


class Shared(TypedDict, total=False):
    """What two functions take."""

    depth: PositiveInt | None
    """how deep."""
    shape: Literal["round", "square"] | None
    """its form,
    from above."""


class Wider(Shared, total=False):
    """One more."""

    width: float | None
    """how wide."""


def dig(place: str, *, speed: float = 1.0, **options: Unpack[Wider]) -> dict[str, object]:
    """Dig a hole.

    Args:
        place: where.
        depth: at least so deep.

    Raises:
        OptionError: rock.
    """
    return {"place": place, "speed": speed, **options}


dig = written_out(dig)


def test_the_signature_and_the_docstring_have_every_key():
    assert list(inspect.signature(dig).parameters) == ["place", "speed", "depth", "shape", "width"]
    schema = Schema.of_function(dig)
    assert [parameter.help for parameter in schema.parameters] == [
        "where.",
        "",
        "at least so deep.",
        "its form, from above.",
        "how wide.",
    ]
    assert "Raises:\n    OptionError: rock." in schema.doc


def test_arguments_are_checked_by_the_annotations_of_the_keys():
    bound = check_arguments(dig, ("here",), {"depth": 3})
    assert dig(*bound.args, **bound.kwargs) == {
        "place": "here",
        "speed": 1.0,
        "depth": 3,
        "shape": None,
        "width": None,
    }
    for wrong in ({"depth": 0}, {"shape": "oval"}, {"wide": 1.0}):
        with pytest.raises(OptionError):
            check_arguments(dig, ("here",), wrong)


@pytest.mark.parametrize("verb", SYNTHESIS)
def test_the_source_reads_like_the_live_function(verb):
    """The command line reads the file, a form the function."""
    source, live = schema_of(verb), Schema.of_function(getattr(convscope, verb))
    assert [(entry.name, entry.type, entry.help, entry.keyword) for entry in source.parameters] == [
        (entry.name, entry.type, entry.help, entry.keyword) for entry in live.parameters
    ]
    assert {"steps", "optimizer", "rate", "l2"} <= {entry.name for entry in source.options}
    assert all(entry.help for entry in source.parameters)
