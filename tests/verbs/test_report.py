"""The report page: one file, written whole or not at all, and named."""

from __future__ import annotations

import signal

import numpy as np
import pytest

import convscope
from convscope.cli import main
from convscope.core.progress import report_to
from convscope.verbs import _report_parts as parts
from tests.questions.answering_networks import Detector, Embedder, Regressor, Segmenter


@pytest.fixture(autouse=True)
def two_steps(monkeypatch, tmp_path):
    """Every picture on the page after two steps of optimization: quick, and enough to be drawn (the
    first step may have to open a rectifier)."""
    for name in ("visualize", "class_image", "invert", "dream", "fool"):
        whole = getattr(parts, name)
        monkeypatch.setattr(
            parts, name, lambda *a, _whole=whole, **k: _whole(*a, **(k | {"steps": 2}))
        )
    monkeypatch.chdir(tmp_path)


def test_the_first_command_of_the_readme(tmp_path, capsys):
    assert main(["report", "sample:chelsea", "--out", "r.html"]) == 0
    assert capsys.readouterr().out.strip().endswith("r.html")
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.html"]
    page = (tmp_path / "r.html").read_text()
    assert "tiger cat" in page
    assert page.count("<img") > 20
    assert "http" not in page.replace("http://www.w3.org", "")


def test_ctrl_c_ends_the_report_and_writes_no_page(embedded, tmp_path):
    def press(task: str, step: int, total: int) -> None:
        if task.startswith("class image"):
            signal.raise_signal(signal.SIGINT)

    with report_to(press), pytest.raises(KeyboardInterrupt):
        convscope.report(embedded, "sample:chelsea", out="r.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("network", "task", "shown", "hidden"),
    [
        (Detector, "detection", ["LayerCAM at", "class 1", "How little it takes"], []),
        (Segmenter, "segmentation", ["LayerCAM at", "How little it takes"], []),
        (Regressor, "regression", ["Grad-CAM at", "value:1", "value 0"], []),
        (
            Embedder,
            "embedding",
            ["An embedding of 3 numbers", "What each depth"],
            ["How little", "Where it looks", "looks like to it"],
        ),
    ],
)
def test_the_sections_fit_the_task(network, task, shown, hidden, tmp_path):
    rng = np.random.default_rng(0)
    photo = rng.random((16, 16, 3)).astype(np.float32)
    model = convscope.load_model(network(), size=16, task=task)
    convscope.report(model, photo, out="r.html")
    page = (tmp_path / "r.html").read_text()
    assert [text for text in shown if text not in page] == []
    assert [text for text in hidden if text in page] == []
    assert "None" not in page
