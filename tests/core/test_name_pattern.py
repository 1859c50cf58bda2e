"""What patterns of dotted names fit."""

from __future__ import annotations

import pytest

import convscope
from convscope.core.name_pattern import name_pattern
from tests.quick_verbs import small_model

NAMES = ["blocks", "blocks.1", "blocks.12", "blocks.1.conv", "blocks.1.conv.bn", "b[1]"]


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("*", ["blocks", "b[1]"]),
        ("**", NAMES),
        ("blocks.*", ["blocks.1", "blocks.12"]),
        ("blocks.?", ["blocks.1"]),
        ("blocks.**", ["blocks.1", "blocks.12", "blocks.1.conv", "blocks.1.conv.bn"]),
        ("blocks.[0-9]", ["blocks.1"]),
        ("blocks.[!2-9]", ["blocks.1"]),
        ("blocks.*.conv", ["blocks.1.conv"]),
        ("b[[]1]", ["b[1]"]),
        ("blocks.[9-0]", []),
        ("blocks.[", []),
    ],
)
def test_a_star_does_not_cross_a_dot(pattern, fits):
    assert [name for name in NAMES if name_pattern(pattern).fullmatch(name)] == fits


def test_layers_shows_all_by_default():
    model = small_model()
    table = convscope.layers(model).table
    assert len(table) == len(convscope.layers(model, match="**").table)
    assert {"first", "second"} <= {row["name"] for row in table}
