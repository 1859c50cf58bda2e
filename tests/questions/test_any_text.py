"""Property: any text is a question or one sentence."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from convscope.errors import ConvscopeError
from convscope.networks.model import Model
from convscope.questions.grammar import parse_question
from convscope.questions.question import Question
from tests.quick_verbs import small_network

LABELS = ("tabby, tabby cat", "crane", "crane (bird)", "a vs b", "3")
NETWORK = small_network()
MODELS = [Model(NETWORK), Model(NETWORK, labels=LABELS), Model(NETWORK, task="regression")]

WORDS = ["box", "mask", "pixel", "value", "unit", "like", "text", "concept", "class", "vs", "tabby"]
PIECES = [
    *WORDS,
    ":",
    "@",
    ",",
    "/",
    " ",
    "-",
    "+",
    "²",
    "٣",
    "9" * 5000,
    "1e9",
    "-1",
    "2",
    "crane",
]
texts = st.text(max_size=20) | st.lists(st.sampled_from(PIECES), max_size=6).map("".join)


@pytest.mark.parametrize("model", MODELS, ids=["no labels", "labels", "regression"])
@settings(max_examples=300, deadline=None)
@given(text=texts)
@example(text="²")
@example(text="--5")
@example(text="-" * 5000 + "5")
@example(text="9" * 5000)
@example(text="class ²")
@example(text="² vs 1")
@example(text="box:²")
@example(text="box:1@²")
@example(text="value:²")
@example(text="value:" + "9" * 5000)
@example(text="pixel:²,3")
@example(text="unit:second:²")
@example(text="unit:second#²:1")
@example(text="concept:x/²")
def test_any_text_is_a_question_or_a_sentence(model, text):
    try:
        question = parse_question(model, text)
        question = question.prepare(model, (32, 32))
    except ConvscopeError as error:
        assert str(error)
    else:
        assert isinstance(question, Question)


@pytest.mark.parametrize("text", ["value:-1", "value:²", "box:²#1", "²", "--5"])
def test_what_is_no_number_is_no_index(text):
    with pytest.raises(ConvscopeError):
        parse_question(MODELS[1], text)
