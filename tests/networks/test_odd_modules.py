"""Modules that cannot be looked into, and outputs with nothing in them: one sentence each."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import convscope
from convscope.errors import ConvscopeError, ModelError, OptionError
from convscope.networks import load
from tests.quick_verbs import LAYER, SIDE, VERBS, photo, small_network

IMAGE = torch.zeros(1, 3, SIDE, SIDE)


class Lazy(nn.Module):
    """Its weights have no shape before it ran."""

    def __init__(self):
        super().__init__()
        self.first = nn.LazyConv2d(4, 3)
        self.head = nn.LazyLinear(3)

    def forward(self, image):
        return self.head(self.first(image).mean((2, 3)))


class Gives(nn.Module):
    """A layer, and an output with nothing in it."""

    def __init__(self, output):
        super().__init__()
        self.second = nn.Conv2d(3, 4, 3)
        self.output = output

    def forward(self, image):
        return self.output(self.second(image).mean((2, 3)))


def scripted():
    return torch.jit.script(small_network().eval())


def traced():
    return torch.jit.trace(small_network().eval(), IMAGE)


def with_a_scripted_part():
    return nn.Sequential(nn.Conv2d(3, 3, 1), scripted())


@pytest.mark.filterwarnings(
    "ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning"
)
@pytest.mark.parametrize("make", [scripted, traced, with_a_scripted_part])
@pytest.mark.parametrize("verb", ["predict", "explain", "layers"])
def test_torchscript_in_memory_names_the_way_out(make, verb, tmp_path):
    with pytest.raises(ModelError, match=r"TorchScript, which takes no hooks; .*torchscript:PATH"):
        VERBS[verb](make(), tmp_path)


@pytest.mark.parametrize("verb", ["predict", "explain", "layers"])
def test_a_lazy_module_is_run_first(verb, tmp_path):
    with pytest.raises(ModelError, match=r"lazy module .*\(the first is first.weight\).*run it"):
        VERBS[verb](Lazy(), tmp_path)


def test_a_lazy_module_that_ran_is_like_any_other():
    network = Lazy()
    network(IMAGE)
    assert convscope.predict(convscope.load_model(network, size=SIDE), photo(), top=3).table


OUTPUTS = {
    "no classes": lambda scores: scores[:, :0],
    "no rows": lambda scores: scores[:0],
    "nothing": lambda scores: None,
    "a list": lambda scores: [],
    "a dictionary": lambda scores: {},
    "a text": lambda scores: "cat",
}
ASK_THE_OUTPUT = ["predict", "explain", "class_image", "fool", "intervene", "overview", "evaluate"]


@pytest.mark.parametrize("verb", ASK_THE_OUTPUT)
@pytest.mark.parametrize("output", OUTPUTS)
def test_an_output_with_nothing_in_it(output, verb, tmp_path):
    model = convscope.load_model(Gives(OUTPUTS[output]), size=SIDE)
    with pytest.raises(ModelError, match="not one score per class and image") as raised:
        VERBS[verb](model, tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("output", OUTPUTS)
def test_layers_need_no_output(output):
    model = convscope.load_model(Gives(OUTPUTS[output]), size=SIDE)
    assert convscope.activations(model, photo(), layers=[LAYER])[LAYER].shape[1] == 4


SOURCES = ["torchvision:resnet18", "timm:resnet18", "keras:applications/MobileNetV2", "python:a:b"]


@pytest.mark.parametrize("classes", [0, -1, True, "ten", 2.5, 10**9])
@pytest.mark.parametrize("spec", SOURCES)
def test_numbers_of_classes_that_are_none(spec, classes):
    with pytest.raises(OptionError, match="classes must be an integer from 1 to 1,000,000"):
        convscope.load_model(spec, weights=False, classes=classes)


def test_a_head_that_has_no_room_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(load, "available_memory", lambda: 2**30)
    with pytest.raises(OptionError, match=r"classes=600,000 needs 1.1 GiB .* 1.0 GiB are free"):
        convscope.load_model("timm:resnet18", weights=False, classes=600_000)


def test_an_allocation_that_fails_while_loading_is_one_sentence(monkeypatch):
    def refuse(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(load, "_from_source", refuse)
    with pytest.raises(ConvscopeError, match="load_model: there is not enough memory; take a"):
        convscope.load_model("timm:resnet18", weights=False)
