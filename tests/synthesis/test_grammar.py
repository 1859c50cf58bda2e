"""Objective text: what reads alike, what is refused and where, and what comes back unchanged."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import convscope
from convscope.errors import ConvscopeError, LayerError, TargetError, UnitError
from convscope.probe import Probe
from convscope.synthesis.grammar import MAX_DEPTH, MAX_LENGTH, read_expression
from convscope.synthesis.objective import Objective, channel, interpolate, neuron, objective
from convscope.synthesis.parse import parse, parse_all

LABELS = ["ant", "fire engine", "crane (bird)", "cat, house cat", "well-known thing"]


class Odd(nn.Module):
    """Layers with awkward names: a number, a sign, a space, dots and a number within."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
        for name in ("0", "conv-1", "conv", "two words"):
            self.add_module(name, nn.Conv2d(8, 8, 1))
        self.head = nn.Linear(8, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        image = self.body(image)
        for name in ("0", "conv-1", "conv", "two words"):
            image = self.get_submodule(name)(image)
        return self.head(image.mean((2, 3)))


@pytest.fixture(scope="module")
def probe():
    torch.manual_seed(0)
    model = convscope.load_model(Odd(), size=16, labels=LABELS)
    with Probe(model) as opened:
        yield opened


A, B = channel("body.0", 1), channel("body.1", 2)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("body.0:1 -body.1:2", A - B),
        ("body.0:1-body.1:2", A - B),
        ("body.0:1*0.5", A * 0.5),
        (".5*body.0:1", A * 0.5),
        ("5e-1 * body.0:1", A * 0.5),
        ("0.5*(body.0:1 + body.1:2)", A * 0.5 + B * 0.5),
        ("(body.0:1 + body.1:2)*2", A * 2 + B * 2),
        ("-(body.0:1 + body.1:2)/2", A * -0.5 + B * -0.5),
        ("body.0:1 - -body.1:2", A + B),
        ("2*-3*body.0:1", A * -6),
        ("0:3", channel("0", 3)),
        ("2*0:3 + 0.5*0:1", channel("0", 3) * 2 + channel("0", 1) * 0.5),
        ("0", objective("layer", layer="0")),
        ("2*0", objective("layer", layer="0") * 2),
        ("conv-1:4", channel("conv-1", 4)),
        ("conv:1 - conv-1:2", channel("conv", 1) - channel("conv-1", 2)),
        ("two words:3 + conv:1", channel("two words", 3) + channel("conv", 1)),
        ("body.0:1:7,8", neuron("body.0", 1, 7, 8)),
        ("body.0#1:1", channel("body.0#1", 1)),
        ("logit(fire engine) - logit(crane (bird))/4", None),
        ("logit(well-known thing)", objective("logit", target=4)),
        ("logit(cat, house cat)", objective("logit", target=3)),
    ],
)
def test_text_reads_as_people_write_it(text, wanted, probe):
    if wanted is None:
        wanted = objective("logit", target=1) - objective("logit", target=2) * 0.25
    assert parse(text, probe) == wanted


def test_several_objectives_from_one_text(probe):
    assert parse_all("conv:2-4", probe) == [channel("conv", index) for index in (2, 3, 4)]
    assert parse_all("conv:*", probe) == [channel("conv", index) for index in range(8)]
    assert parse_all("conv:1 - 0.5*0:2-3", probe) == [
        channel("conv", 1) - channel("0", index) * 0.5 for index in (2, 3)
    ]
    # Unit 4 of the layer "0" follows a sign, so "2-0:4" is no range.
    assert parse_all("conv:2-0:4", probe) == [channel("conv", 2) - channel("0", 4)]
    assert parse_all("body.0:1..body.1:2/5", probe) == interpolate(A, B, 5)
    assert parse_all("body.0:1 .. 2*body.1:2 / 3", probe) == interpolate(A, B * 2, 3)
    assert parse_all("body.0..body.1/2", probe) == interpolate(
        objective("layer", layer="body.0"), objective("layer", layer="body.1"), 2
    )
    with pytest.raises(UnitError, match="stands for 8"):
        parse("conv:*", probe)


@pytest.mark.parametrize(
    ("text", "error", "sentence", "character"),
    [
        ("conv:1 +", UnitError, "the text ends", 8),
        ("conv:1 ++ 0:2", UnitError, "there is '+'", 8),
        ("conv:1 0:2", UnitError, "a sign is missing", 7),
        ("(conv:1 + 0:2", UnitError, "never closed", 0),
        ("conv:1)", UnitError, "not expected", 6),
        ("logit(ant", UnitError, "never closed", 5),
        ("conv:1 * 0:2", UnitError, "cannot be multiplied", 9),
        ("2 / conv:1", UnitError, "by a number only", 4),
        ("conv:1 / 0", UnitError, "divided by 0", 9),
        ("conv:1 + 3", UnitError, "number cannot be added", 9),
        ("3", UnitError, "3 is a number", 0),
        ("conv:", UnitError, "number is missing", 5),
        ("conv:1 ; 0:2", UnitError, "the character ';'", 7),
        ("conv:1..0:2", UnitError, "how many pictures", 11),
        ("conv:1..0:2/0", UnitError, "1 to 1000", 12),
        ("0.5*conv:1 + cnv:2", LayerError, "no layer 'cnv'", 13),
        ("conv:1 - conv:99", UnitError, "8 units", 9),
        ("conv:1 + logit(fox)", TargetError, "no class 'fox'", 9),
    ],
)
def test_an_error_points_at_the_character(text, error, sentence, character, probe):
    with pytest.raises(error, match="(?s)" + sentence.replace("+", r"\+")) as caught:
        parse(text, probe)
    said, shown, caret = str(caught.value).split("\n")
    assert said.endswith((".", "?"))
    assert shown.strip() == text
    assert shown.index(text[:1]) + character == caret.index("^")


def test_a_text_of_one_term_is_refused_in_one_sentence(probe):
    with pytest.raises(LayerError, match="body") as caught:
        parse("bdy.0:1", probe)
    assert "\n" not in str(caught.value)


def test_length_and_depth_are_bounded(probe):
    with pytest.raises(UnitError, match="at most"):
        parse("conv:1" + " " * MAX_LENGTH, probe)
    nested = "(" * (MAX_DEPTH + 1) + "conv:1" + ")" * (MAX_DEPTH + 1)
    with pytest.raises(UnitError, match="deep"):
        parse(nested, probe)
    with pytest.raises(UnitError, match="deep"):
        parse("-" * 5000 + "conv:1", probe)
    assert parse("(" * MAX_DEPTH + "conv:1" + ")" * MAX_DEPTH, probe) == channel("conv", 1)


weights = st.floats(-1e6, 1e6, allow_nan=False).filter(lambda value: value != 0)
layers = st.sampled_from(["body.0", "body.1", "0", "conv-1", "conv", "two words"])
index = st.integers(0, 7)
atoms = st.one_of(
    st.builds(channel, layers, index),
    st.builds(neuron, layers, index, st.integers(0, 13), st.integers(0, 13)),
    st.builds(lambda layer: objective("layer", layer=layer), layers),
    st.builds(lambda target: objective("logit", target=target), st.integers(0, 4)),
    st.builds(
        lambda layer, power: objective("caricature", layer=layer, power=power),
        layers.filter(lambda name: " " not in name),
        st.sampled_from([0.0, 1.5]),
    ),
)
sums = st.lists(st.tuples(weights, atoms), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(sums)
def test_text_gives_the_same_objective_back(probe, terms):
    wanted: Objective = sum(weight * atom for weight, atom in terms)
    assert parse(str(wanted), probe) == wanted
    assert str(parse(str(wanted), probe)) == str(wanted)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from(list("ab01:.,+-*/() #e")), max_size=30))
def test_any_text_is_read_or_refused_and_never_breaks(text):
    try:
        read_expression(text, ("a", "b.0", "0"))
    except ConvscopeError as error:
        assert isinstance(error, UnitError)
