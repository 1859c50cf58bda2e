"""Which method `explain` takes where none is named."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope.errors import OptionError
from convscope.results.details import AttributionDetails, ComparisonDetails
from tests.quick_verbs import photo, small_model


def method_of(result: convscope.Result) -> str:
    return result.details_as(AttributionDetails).method


@pytest.mark.parametrize("target", [None, 1])
def test_a_class_is_compared_with_its_rivals(target):
    model = small_model()
    default = convscope.explain(model, photo(), target=target)
    named = convscope.explain(model, photo(), target=target, method="finer_cam", rivals=10)
    assert method_of(default) == "finer_cam"
    assert np.array_equal(default["attribution"], named["attribution"])
    with_one_rival = convscope.explain(model, photo(), target=target, rivals=1)
    assert not np.allclose(with_one_rival["attribution"], default["attribution"])


@pytest.mark.parametrize("target", ["1 vs 2", lambda output: output[:, 0]])
def test_other_questions_are_grad_cam(target):
    model = small_model()
    default = convscope.explain(model, photo(), target=target)
    assert method_of(default) == "grad_cam"
    named = convscope.explain(model, photo(), target=target, method="grad_cam")
    assert np.array_equal(default["attribution"], named["attribution"])
    with pytest.raises(OptionError, match="rivals"):
        convscope.explain(model, photo(), target=target, rivals=1)


@pytest.mark.parametrize("options", [{"task": "multi-label"}, {"head": "sigmoid"}])
def test_classes_that_do_not_compete_have_no_rivals(options):
    model = convscope.load_model(small_model().network, size=32, **options)
    assert method_of(convscope.explain(model, photo(), target=1)) == "grad_cam"


def test_a_record_without_a_method_takes_options_of_the_default_one(embedded, tmp_path):
    result = convscope.explain(embedded, "sample:chelsea", rivals=3)
    path = result.save(tmp_path / "three.png")
    again = convscope.rerun(path)
    assert method_of(again) == "finer_cam"
    assert np.array_equal(again["attribution"], result["attribution"])


@pytest.mark.parametrize("saved", [False, True])
def test_the_default_method_is_measured_as_it_ran(saved, tmp_path):
    """Ten rivals, of which the call says nothing: the numbers are those of the method by name."""
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Tanh(), nn.Flatten()
    network = nn.Sequential(*layers, nn.Linear(8 * 14 * 14, 20))
    model = convscope.load_model(network, size=16)
    image = np.random.default_rng(0).random((16, 16, 3), dtype=np.float32)

    def measured(**options):
        result = convscope.explain(model, image, target=1, **options)
        if saved:
            result.save(tmp_path / "heat.npz")
        explained = str(tmp_path / "heat.npz") if saved else result
        table = convscope.evaluate(model, image, explained, metric="sensitivity,sanity").table
        return [row["value"] for row in table]

    default = measured()
    assert default == measured(method="finer_cam", rivals=10)
    assert default != measured(method="finer_cam", rivals=3)
    assert measured(half=True) == measured(half=True, method="finer_cam", rivals=10)
    assert measured(half=True) != default


def test_the_options_of_a_comparison_are_those_of_each_method():
    model = small_model()
    result = convscope.explain(
        model, photo(), method="finer_cam,smoothgrad", base="finer_cam", rivals=1, samples=2
    )
    finer, smooth = result.details_as(ComparisonDetails).methods
    assert finer.options == {"rivals": 1}
    assert smooth.options == {"rivals": 1, "base": "finer_cam", "samples": 2}
    table = convscope.evaluate(model, photo(), result, metric="sensitivity", samples=2).table
    alone = convscope.explain(model, photo(), method="finer_cam", rivals=1)
    wanted = convscope.evaluate(model, photo(), alone, metric="sensitivity", samples=2).table
    assert table[0]["value"] == wanted[0]["value"]
