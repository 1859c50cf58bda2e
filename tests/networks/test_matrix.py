"""Every kind of network that people bring, every verb: a picture comes out."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from pathlib import Path

import pytest

from convscope import Model
from tests.small_networks import assert_unchanged, snapshot
from tests.user_networks import SMALL

_spec = importlib.util.spec_from_file_location(
    "matrix", Path(__file__).parents[2] / "benchmarks" / "networks.py"
)
assert _spec is not None
assert _spec.loader is not None
matrix = importlib.util.module_from_spec(_spec)
sys.modules["matrix"] = matrix
_spec.loader.exec_module(matrix)


@pytest.fixture(scope="module")
def bring(tmp_path_factory):
    """Each network once."""
    made: dict[str, Model] = {}

    def get(name):
        if name not in made:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # exporters and Keras warn about their own past
                made[name] = SMALL[name](tmp_path_factory.mktemp("user_networks"))
        return made[name]

    return get


@pytest.mark.parametrize("verb", matrix.VERBS)
@pytest.mark.parametrize("name", SMALL)
def test_a_picture_comes_out(bring, name, verb):
    model = bring(name)
    before = snapshot(model.network)
    said = matrix.try_verb(matrix.VERBS[verb], model)
    assert_unchanged(before, model.network)
    assert not isinstance(said, str), said
