"""How far a pass has come is read from a file, or is nothing where the file is damaged."""

from __future__ import annotations

import numpy as np
import pytest

from convscope.atlas.scan.pass_state import PassState
from convscope.atlas.scan.sampling import Sample
from convscope.atlas.unit_cards.card_state import CardState
from convscope.atlas.unit_cards.label_sums import LabelSums

SUMS = LabelSums(np.ones(2, np.int64), np.ones((2, 3)), np.ones((2, 3)))
STATES = [
    Sample(np.ones((3, 4), np.float32), np.arange(3), {0}, [("a.png", "cut short")]),
    CardState(PassState({}, 4), PassState({}, 4), {"second": SUMS}),
]


@pytest.mark.parametrize("state", STATES, ids=["sample", "cards"])
def test_a_damaged_file_is_nothing(state):
    pytest.importorskip("pyarrow")
    whole, kind = state.to_bytes(), type(state)
    assert kind.from_bytes(whole).shards == state.shards
    rng = np.random.default_rng(0)
    for end in rng.integers(1, len(whole), 60):
        assert kind.from_bytes(whole[:end]) is None
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
        kind.from_bytes(bytes(damaged))
