"""What the help of a command says of an option's values."""

from __future__ import annotations

import re

import pytest

from convscope.cli import main
from convscope.cli.public import VERBS, schema_of


@pytest.mark.parametrize(
    ("verb", "line"),
    [
        ("visualize", r"--size auto\|NUMBER "),
        ("visualize", r"--half / --no-half "),
        ("visualize", r"--batch NUMBER +images optimized at once. \[16\]"),
        ("invert", r"--half / --no-half +compute in bfloat16. \[off\]"),
    ],
)
def test_the_line(verb, line, capsys):
    assert main([verb, "--help"]) == 0
    assert re.search(line, capsys.readouterr().out)


@pytest.mark.parametrize("verb", VERBS)
def test_a_default_is_a_value_and_no_name(verb):
    """Also where it is a constant that the file imports."""
    for parameter in schema_of(verb).parameters:
        assert not (isinstance(parameter.default, str) and parameter.default.isupper())
