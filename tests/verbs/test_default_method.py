"""Which method `explain` takes where none is named."""

from __future__ import annotations

import numpy as np
import pytest

import convscope
from convscope.errors import OptionError
from convscope.results.details import AttributionDetails
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
