"""Sums of objectives, paths between them, and their text."""

from __future__ import annotations

import json

import pytest

from convscope.errors import (
    ConvscopeError,
    LayerError,
    OptionError,
    UnitError,
)
from convscope.probe import Probe
from convscope.synthesis.objective import Objective, channel, interpolate, neuron, objective
from convscope.synthesis.parse import parse
from tests.contract.optimized import OBJECTIVES, options_of, trunk


def test_algebra():
    a, b = channel("x", 1), channel("y", 2)
    total = 0.5 * a + b * 2 - a
    assert [term.weight for term in total.terms] == [0.5, 2, -1]
    assert total.layers == ("x", "y")
    assert sum([a, b]) == a + b
    assert -a == a * -1 == -1 * a
    assert (a + b) * 3 == a * 3 + b * 3
    assert not total.reads_output
    assert (a + objective("logit", target=0)).reads_output
    assert hash(channel("x", 1)) == hash(a) != hash(b)
    assert len({a, b, channel("x", 1)}) == 2
    with pytest.raises(OptionError):
        sum([a], start=1)


def test_interpolation():
    a, b = channel("x", 1), channel("y", 2)
    steps = interpolate(a, b, 5)
    assert [[term.weight for term in each.terms] for each in steps] == [
        [1, 0],
        [0.75, 0.25],
        [0.5, 0.5],
        [0.25, 0.75],
        [0, 1],
    ]
    assert interpolate(a, b, 1) == [a * 1.0 + b * 0.0]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_json_and_text_give_the_same_objective_back(name):
    model = trunk()
    alone = objective(name, **options_of(name))
    for wanted in (
        alone,
        alone * 0.25 + channel("first.0", 3),
        channel("first.0", 3) - alone * 1e-7,
        alone * (1 / 3),
    ):
        assert Objective.from_json(json.loads(json.dumps(wanted.to_json()))) == wanted
        assert hash(Objective.from_json(wanted.to_json())) == hash(wanted)
        with Probe(model) as probe:
            assert parse(str(wanted), probe) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("second:3", channel("second", 3)),
        ("second:3:1,2", neuron("second", 3, 1, 2)),
        ("second", objective("layer", layer="second")),
        ("0.5*second:3 - third:1", channel("second", 3) * 0.5 - channel("third", 1)),
        ("-second:3 + 1e-3*third:1", -channel("second", 3) + channel("third", 1) * 1e-3),
        ("logit(2)", objective("logit", target=2)),
        ("neuron(second, 3)", neuron("second", 3)),
        (
            "direction(second, vector=(1,2,3,4,5,6,7,-8), power=2)",
            objective("direction", layer="second", vector=(1, 2, 3, 4, 5, 6, 7, -8), power=2),
        ),
        ("relu#2:4", channel("relu#2", 4)),
    ],
)
def test_text(text, wanted):
    model = trunk()
    with Probe(model) as probe:
        assert parse(text, probe) == wanted


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("secnd:3", LayerError, "second"),
        ("second:8", UnitError, "8"),
        ("second:3:40,0", UnitError, "32"),
        ("chanel(second, 3)", OptionError, "channel"),
        ("channel(second, indx=3)", OptionError, "index"),
        ("channel(second)", OptionError, "index"),
        ("channel(second, 3, 4)", OptionError, "2 parameter"),
        ("channel(second, three)", OptionError, "index must be an integer"),
        ("match(nowhere)", LayerError, "nowhere"),
        ("logit(7)", ConvscopeError, "5 classes"),
        ("", UnitError, "layer:index"),
    ],
)
def test_text_that_names_what_is_not_there(text, error, said):
    model = trunk()
    with Probe(model) as probe, pytest.raises(error, match=said):
        parse(text, probe)
