"""What is read as class scores, what is refused, and a network with one output and two classes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import convscope
from convscope.errors import ModelError, TargetError
from convscope.networks.class_scores import class_scores
from convscope.probe import Probe
from tests.small_networks import Trunk

SCORES = torch.tensor([[1.0, 2.0, 3.0]])
BOXES = torch.rand(300, 4)


class Pair(NamedTuple):
    out: Tensor
    maps: Tensor


@pytest.mark.parametrize(
    "output",
    [
        SCORES,
        SCORES[:, :, None, None],
        [SCORES],
        (SCORES, torch.rand(1, 8, 4, 4)),
        (SCORES, None),
        (SCORES, SCORES.clone()),
        {"logits": SCORES, "hidden": torch.rand(1, 7)},
        {"out": SCORES},
        Pair(SCORES, torch.rand(1, 8, 4, 4)),
    ],
)
def test_what_is_read_as_scores(output):
    assert torch.equal(class_scores(output, "net", 1), SCORES)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ([{"boxes": BOXES, "labels": torch.ones(300), "scores": torch.rand(300)}], "list of 1"),
        ({"boxes": BOXES}, "boxes"),
        ({"out": SCORES, "aux": torch.rand(1, 9)}, "out, aux"),
        ({"embedding": torch.rand(1, 9), "answer": SCORES}, "embedding"),
        ((SCORES, torch.rand(1, 9)), "tuple of 2"),
        ((torch.rand(1, 8732, 4), torch.rand(1, 8732, 91)), "1 x 8732 x 4"),
        (torch.rand(1, 21, 8, 8), "1 x 21 x 8 x 8"),
        (torch.rand(0, 5), "0 x 5"),
        (torch.rand(1, 0), "1 x 0"),
        (torch.tensor([[1, 2]]), "int64"),
        ([], "empty list"),
        (None, "NoneType"),
        ("text", "str"),
    ],
)
def test_what_is_refused(output, words):
    with pytest.raises(ModelError) as caught:
        class_scores(output, "net")
    assert words in str(caught.value)
    assert "callable target" in str(caught.value)


class Detector(nn.Module):
    """What Faster R-CNN and SSD of torchvision return."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, image: Tensor) -> list[dict[str, Tensor]]:
        boxes = self.conv(image).flatten(2).transpose(1, 2)
        return [{"boxes": b, "labels": b[:, 0].long(), "scores": b[:, 0]} for b in boxes]


def test_boxes_are_no_classes():
    """They are read as boxes; a class that no box has is refused."""
    model = convscope.load_model(Detector().eval(), size=32)
    photo = torch.rand(1, 3, 32, 32)
    assert convscope.predict(model, photo).details.view == "detections"
    with pytest.raises(TargetError, match="1 was given"):
        convscope.fool(model, photo, target=1)
    assert convscope.layers(model).table, "its layers can be looked at all the same"


class Averages(Trunk):
    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image).mean(0, keepdim=True)


def test_a_network_that_averages_its_batch():
    model = convscope.load_model(Averages().eval(), size=32)
    photos = list(torch.rand(2, 1, 3, 32, 32))
    with pytest.raises(ModelError, match="1 row"):
        convscope.predict(model, photos)


class WithSoftmax(Trunk):
    def forward(self, image: Tensor) -> Tensor:
        return (10 * super().forward(image)).softmax(1)


def test_a_softmax_inside_the_network_is_not_applied_twice():
    network = WithSoftmax().eval()
    model = convscope.load_model(network, size=32)
    photo = torch.rand(1, 3, 32, 32)
    assert model.head == "probability"
    with torch.no_grad():
        expected = network(photo).numpy()
    assert np.allclose(convscope.predict(model, photo)["probability"], expected, atol=1e-6)
    assert convscope.load_model(Trunk().eval(), size=32).head == "softmax"
    assert convscope.load_model(network, size=32, head="softmax").head == "softmax"


@pytest.fixture
def cats():
    """One logit: above 0 it is a dog."""
    network = Trunk(classes=1).eval()
    return network, convscope.load_model(network, size=32, labels=["cat", "dog"])


def test_one_sigmoid_two_classes(cats):
    network, model = cats
    photo = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        logit = float(network(photo))
    result = convscope.predict(model, photo)
    assert model.classes == 2
    assert result["score"] == pytest.approx(np.array([[-logit, logit]]), abs=1e-5)
    dog = 1 / (1 + np.exp(-logit))
    assert result["probability"] == pytest.approx(np.array([[1 - dog, dog]]), abs=1e-5)
    assert result.table[0]["label"] == ("dog" if dog > 0.5 else "cat")


def test_the_decision_is_at_one_half(cats):
    network, model = cats
    photo = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        logit = float(network(photo))
        for shift, label in ((-0.01, "cat"), (0.01, "dog")):
            network.head.bias += shift - logit
            assert convscope.predict(model, photo).table[0]["label"] == label
            network.head.bias -= shift - logit


def test_the_first_class_is_explained_by_minus_the_logit(cats):
    _, model = cats
    photo = torch.rand(1, 3, 32, 32)
    cat, dog = (
        convscope.explain(model, photo, method="saliency", target=label)["attribution"]
        for label in ("cat", "dog")
    )
    with Probe(model) as probe:
        from convscope.questions.target import Target

        image = model.preprocess(photo)
        gradient = probe.image_gradient(image, Target.of(model, "cat")).numpy()
        other = probe.image_gradient(image, Target.of(model, 1)).numpy()
    assert np.allclose(gradient, -other, atol=1e-7)
    assert cat.shape == dog.shape


def test_fooling_into_the_other_class(cats):
    network, model = cats
    photo = torch.rand(1, 3, 32, 32)
    answer = convscope.predict(model, photo).table[0]["label"]
    other = "cat" if answer == "dog" else "dog"
    with torch.no_grad():
        logit = float(network(photo))
        network.head.bias -= logit - (0.02 if logit > 0 else -0.02)
    result = convscope.fool(model, photo, target=other, steps=64)
    after = convscope.predict(model, torch.from_numpy(result["image"])).table[0]["label"]
    assert after == other


def test_one_label_and_three_labels():
    network = Trunk(classes=1).eval()
    assert convscope.load_model(network, size=32, labels=["dog"]).classes == 1
    with pytest.raises(ModelError, match="1 classes, but 3"):
        convscope.load_model(network, size=32, labels=["a", "b", "c"])


def test_one_probability_two_classes():
    class Answer(Trunk):
        def forward(self, image: Tensor) -> Tensor:
            return super().forward(image).sigmoid()

    network = Answer(classes=1).eval()
    model = convscope.load_model(network, size=32, labels=["cat", "dog"], head="probability")
    photo = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        dog = float(network(photo))
    expected = np.array([[1 - dog, dog]])
    assert convscope.predict(model, photo)["probability"] == pytest.approx(expected, abs=1e-6)
