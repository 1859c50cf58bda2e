"""Parts as text: what stands between them."""

from __future__ import annotations

import pytest

from convscope.errors import OptionError
from convscope.synthesis import regularizers, transforms
from convscope.synthesis.part_text import parse_parts, parse_penalties


@pytest.mark.parametrize("between", [" ", ",", ", ", " , "])
def test_spaces_or_commas(between):
    parts = parse_parts(between.join(["jitter(8)", "scale(0.9,1.1)"]), transforms.registry)
    assert [part.name for part in parts] == ["jitter", "scale"]
    penalties = parse_penalties(between.join(["l1", "0.5*border"]), regularizers.registry)
    assert [(each.name, each.weight) for each in penalties] == [("l1", 1.0), ("border", 0.5)]


@pytest.mark.parametrize("text", [",l1", "l1,", "l1,,border", "l1 ,", ","])
def test_a_comma_with_nothing_beside_it_is_refused(text):
    with pytest.raises(OptionError, match="one is written name"):
        parse_penalties(text, regularizers.registry)
