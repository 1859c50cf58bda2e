"""The benchmark on ideas for speed takes each idea out of the package; what it takes is there."""

from __future__ import annotations

import pytest

from benchmarks import ideas

WITHOUT = {**ideas.AT_PREPARATION, **ideas.AT_EACH_STEP}


@pytest.mark.parametrize("idea", WITHOUT)
def test_each_idea_can_be_taken_out(idea):
    with WITHOUT[idea]():
        pass
