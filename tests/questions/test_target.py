from __future__ import annotations

import pytest
import torch

import convscope
from convscope.errors import TargetError
from convscope.questions.target import Target, find_class
from tests.small_networks import ByHand


@pytest.fixture
def model():
    labels = ["tabby, tabby cat", "tiger cat", "crane", "crane", "dog, hound"]
    network = torch.nn.Sequential(
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 5)
    )
    return convscope.load_model(network, size=4, labels=labels)


SCORES = torch.tensor([[0.0, 1.0, 2.0, 3.0, 4.0], [9.0, 1.0, 2.0, 3.0, 4.0]])


def test_scores(model):
    assert Target.of(model, 2)(SCORES).tolist() == [2.0, 2.0]
    assert Target.of(model, [1, "hound"])(SCORES).tolist() == [1.0, 4.0]
    assert Target.of(model, None)(SCORES).tolist() == [4.0, 9.0]
    assert Target.of(model, None).resolved(SCORES).titles() == ["dog", "tabby"]
    assert Target.of(model, "tabby vs tiger cat")(SCORES).tolist() == [-1.0, 8.0]
    assert Target.of(model, lambda output: output.sum(1))(SCORES).tolist() == [10.0, 19.0]
    assert Target.of(model, [0, 1]).repeat(2)(SCORES.repeat_interleave(2, 0)).tolist() == [
        0.0,
        0.0,
        1.0,
        1.0,
    ]


@pytest.mark.parametrize(
    ("given", "index"),
    [("tabby", 0), ("TABBY CAT", 0), ("tiger", 1), ("hound", 4), ("4", 4), (3, 3)],
)
def test_finds_a_class(model, given, index):
    assert find_class(model, given) == index


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("cat", "fits 2 classes: 0 .*, 1 "),
        ("crane", "fits 2 classes: 2 .*, 3 "),
        ("tabbby", "no class 'tabbby'; did you mean 'tabby'"),
        (5, "5 classes, 0 to 4; 5 was given"),
        (-1, "5 classes, 0 to 4; -1 was given"),
        (1.5, "class index, a label, None or a callable"),
    ],
)
def test_refuses(model, given, message):
    with pytest.raises(TargetError, match=message):
        Target.of(model, given)


def test_no_labels():
    model = convscope.load_model(ByHand(), channels=1, size=2)
    with pytest.raises(TargetError, match="no labels"):
        Target.of(model, "cat")
    with pytest.raises(TargetError, match="3 targets were given for 2 images"):
        Target.of(model, [0, 1, 0]).expand(2)
