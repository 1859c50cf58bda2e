"""What an explanation says of itself: the probability of its class, at no run that matters."""

from __future__ import annotations

import pytest

import convscope
from convscope.cli import main
from convscope.networks.model import Model
from convscope.results.details import MapDetails
from convscope.results.result import Result
from tests.quick_verbs import LAYER, photo, small_model

METHODS = ["grad_cam", "saliency", "smoothgrad", "score_cam", "occlusion", "rise", "ablation_cam"]


def probability(model: Model, index: int, seed: int = 0) -> float:
    """What `predict` says of the class."""
    rows = convscope.predict(model, photo(seed), top=5).table
    return float(next(row["probability"] for row in rows if row["index"] == index))


@pytest.mark.parametrize("method", METHODS)
def test_the_probability_is_that_of_predict(method):
    model = small_model()
    said = convscope.explain(model, photo(), method=method, target=1)
    assert said.details_as(MapDetails).probabilities == [
        pytest.approx(probability(model, 1), abs=1e-6)
    ]


def test_each_map_has_its_own():
    model = small_model()
    said = convscope.explain(model, [photo(0), photo(1)], layer=LAYER, target=[1, 2])
    wanted = [probability(model, 1, 0), probability(model, 2, 1)]
    assert said.details_as(MapDetails).probabilities == pytest.approx(wanted, abs=1e-6)
    several = convscope.explain(model, photo(), method="grad_cam,saliency", target=[0, 3])
    wanted = [probability(model, 0), probability(model, 3)]
    assert several.details_as(MapDetails).probabilities == pytest.approx(wanted, abs=1e-6)


def test_what_is_no_class_has_none(tmp_path):
    model = small_model()
    for target in ("1 vs 2", f"unit:{LAYER}:1", lambda output: output[:, 0]):
        said = convscope.explain(model, photo(), method="saliency", target=target)
        assert said.details_as(MapDetails).probabilities == [None]
    path = said.save(tmp_path / "e.npz")
    assert Result.load(path).details_as(MapDetails).probabilities == [None]


@pytest.mark.parametrize(
    ("method", "place"), [("grad_cam", " at bn2"), ("saliency", ""), ("integrated_gradients", "")]
)
def test_the_command_says_class_probability_method_and_layer(
    method, place, capsys, embedded, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main(["explain", "sample:chelsea", "--target", "tabby", "--method", method]) == 0
    rows = convscope.predict(embedded, "sample:chelsea", top=5).table
    tabby = next(row["probability"] for row in rows if row["label"] == "tabby")
    assert capsys.readouterr().err == f"tabby ({tabby:.1%}): {method}{place}\n"


def test_the_command_says_that_a_map_is_zero(capsys, tmp_path, monkeypatch):
    """A network whose rectifier is off everywhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "rectified_off.py").write_text(
        "import torch\nfrom torch import nn\n"
        "def network():\n"
        "    first = nn.Conv2d(3, 4, 3, padding=1)\n"
        "    nn.init.constant_(first.weight, -1); nn.init.constant_(first.bias, -100)\n"
        "    return nn.Sequential(first, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),"
        " nn.Linear(4, 3))\n"
    )
    network = ["--model", "python:rectified_off:network", "--trust", "--input-size", "32"]
    asked = ["explain", "sample:chelsea", "--method", "grad_cam,saliency", "--target", "1"]
    assert main([*asked, *network]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.endswith(": zero everywhere, so there is nothing to show") for line in lines)
