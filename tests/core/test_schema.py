from __future__ import annotations

from pathlib import Path

import pytest

from convscope.core.schema import REQUIRED, Schema
from convscope.errors import OptionError

SOURCE = '''
from __future__ import annotations
from somewhere import Tensor

RATE = 1.5


def method(image: Tensor, *, layer: Layer, steps: int = 3, rate: float = RATE,
           mode: Literal["fast", "fine"] = "fast",
           names: list[str] | None = None, size: int | tuple[int, int] = 7,
           clip: bool = False, when: int | None = None):
    """Shows a thing: in one sentence. And more.

    A paragraph.

    Args:
        steps: how many
            of them.
        rate: how far, in pixels.

    Raises:
        Nothing: ever.
    """
'''


@pytest.fixture
def schema(tmp_path) -> Schema:
    path = Path(tmp_path) / "method.py"
    path.write_text(SOURCE)
    return Schema.of_file(path, "method")


def test_reads_a_file_without_importing_it(schema):
    assert schema.summary == "Shows a thing: in one sentence."
    assert [parameter.name for parameter in schema.parameters][:2] == ["image", "layer"]
    assert [parameter.name for parameter in schema.options] == [
        "steps",
        "rate",
        "mode",
        "names",
        "size",
        "clip",
        "when",
    ]
    steps, rate, mode = schema.options[:3]
    assert (steps.default, steps.help, steps.type) == (3, "how many of them.", int)
    assert (rate.default, rate.help) == (1.5, "how far, in pixels.")
    assert mode.choices == ("fast", "fine")
    assert schema.parameters[0].default is REQUIRED


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"steps": "4"}, {"steps": 4}),
        ({"rate": "1/4"}, {"rate": 0.25}),
        ({"mode": "fine"}, {"mode": "fine"}),
        ({"names": ["a", "b"]}, {"names": ["a", "b"]}),
        ({"size": "9"}, {"size": 9}),
        ({"size": "9,4"}, {"size": (9, 4)}),
        ({"size": [9, 4]}, {"size": (9, 4)}),
        ({"clip": "true"}, {"clip": True}),
        ({"when": "none"}, {"when": None}),
    ],
)
def test_validates(schema, given, expected):
    assert schema.validate(given) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": "many"}, "steps must be an integer; 'many' was given"),
        ({"mode": "slow"}, "mode must be fast or fine; 'slow' was given"),
        ({"stepps": 1}, "no option 'stepps'; did you mean 'steps'"),
        ({"layer": "a"}, "no option 'layer'"),
    ],
)
def test_refuses(schema, given, message):
    with pytest.raises(OptionError, match=message):
        schema.validate(given)


def test_a_live_function_reads_the_same():
    def method(image: object, *, steps: int = 3) -> None:
        """One. Two.

        Args:
            steps: how many.
        """

    schema = Schema.of_function(method)
    assert schema.summary == "One."
    assert [
        (option.name, option.default, option.help, option.type) for option in schema.options
    ] == [("steps", 3, "how many.", int)]
