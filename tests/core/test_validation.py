"""Annotations read from source, in words, and values checked against them."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from convscope.core.annotations import describe, resolve_text
from convscope.core.ranges import Fraction, PositiveInt
from convscope.core.validation import check, check_arguments
from convscope.errors import OptionError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int", int),
        ("PositiveInt | None", PositiveInt | None),
        ("list[int]", list[int]),
        ("tuple[int, int]", tuple[int, int]),
        ('Literal["a", "b"]', Literal["a", "b"]),
        ("Annotated[float, Gt(0), Le(1)]", Fraction),
        ("'int | None'", int | None),
        ("Tensor", None),
        ("int | Tensor", None),
        ("__import__('os').system('true')", None),
        ("(lambda: int)()", None),
        ("int if 1 else str", None),
        ("not python", None),
    ],
)
def test_annotations_are_looked_up_and_never_run(text, expected):
    assert resolve_text(text) == expected


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ("int", "an integer"),
        ("PositiveInt | None", "an integer of 1 or more"),
        ("Fraction", "a number above 0 and at most 1"),
        ("UnitInterval", "a number from 0 to 1"),
        ("str | Sequence[str] | None", "text or a list of texts"),
        ("int | tuple[int, int]", "an integer or 2 integers"),
        ('Literal["a", "b", "c"]', "a, b or c"),
        ("list[PositiveInt]", "a list of integers of 1 or more"),
        ("bool", "true or false"),
        ("str | Path", "text or a path"),
    ],
)
def test_types_in_words(annotation, words):
    assert describe(resolve_text(annotation)) == words


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        ("int", np.int64(3), 3),
        ("int", "7", 7),
        ("float", 3, 3.0),
        ("float", "1e-3", 0.001),
        ("float", np.float32(0.5), 0.5),
        ("bool", "false", False),
        ("bool", np.bool_(True), True),
        ("int | tuple[int, int]", [np.int64(3), 4], (3, 4)),
        ("int | tuple[int, int]", "(3, 4)", (3, 4)),
        ('int | tuple[int, int] | Literal["auto"]', "16", 16),
        ('int | tuple[int, int] | Literal["auto"]', "16,24", (16, 24)),
        ('int | tuple[int, int] | Literal["auto"]', "auto", "auto"),
        ("list[int] | None", "1,2", [1, 2]),
        ("list[int]", "5", [5]),
        ("list[int] | None", "None", None),
        ("str", "5", "5"),
        ("TargetLike", "281", "281"),
        ("str | Path", Path("a"), Path("a")),
    ],
)
def test_values_that_fit(annotation, value, expected):
    actual = check("f", "x", resolve_text(annotation), value)
    assert actual == expected
    assert type(actual) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("int", True),
        ("int", 2.9),
        ("int", 2.0),
        ("int", "1e20"),
        ("int | None", ""),
        ("int", "²"),
        ("int", "9" * 5000),
        ("int", None),
        ("float", float("nan")),
        ("float", "inf"),
        ("float", False),
        ("PositiveInt", 0),
        ("Fraction", "1.5"),
        ("bool", 1),
        ("bool", "perhaps"),
        ("str", 3),
        ("list[int]", 5),
        ("list[int]", ["a"]),
        ("tuple[int, int]", [1]),
        ("tuple[int, int]", [1, 2, 3]),
        ('Literal["a", "b"]', "c"),
        ("Seed", 2**70),
        ("Seed", -1),
    ],
)
def test_values_that_do_not_fit(annotation, value):
    with pytest.raises(OptionError, match=r"^f: x must be .*; .* was given\.$") as raised:
        check("f", "x", resolve_text(annotation), value)
    assert len(str(raised.value)) < 200


def draw(name: str, *, size: int = 3, **options: int) -> None: ...


@pytest.mark.parametrize(
    ("args", "kwargs", "sentence"),
    [
        (("a",), {"size": "x"}, "draw: size must be an integer; 'x' was given."),
        ((3,), {}, "draw: name must be text; 3 was given."),
        ((), {}, "draw: missing a required argument: 'name'; it takes name, size, options."),
        (("a", "b"), {}, "too many positional arguments"),
    ],
)
def test_arguments_of_a_call(args, kwargs, sentence):
    with pytest.raises(OptionError) as raised:
        check_arguments(draw, args, kwargs)
    assert sentence in str(raised.value)


def test_defaults_are_filled_in_and_unknown_options_pass():
    bound = check_arguments(draw, ("a",), {"depth": 2})
    assert bound.arguments == {"name": "a", "size": 3, "options": {"depth": 2}}


def test_the_package_evaluates_no_text():
    """No `eval` or `exec` anywhere in the package."""
    import convscope

    for path in Path(convscope.__file__).parent.rglob("*.py"):
        calls = [
            node.func.id
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        ]
        assert not {"eval", "exec"} & set(calls), path
