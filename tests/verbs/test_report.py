"""The report page: one file, written whole or not at all, and named."""

from __future__ import annotations

import signal

import pytest

import convscope
from convscope.cli import main
from convscope.core.progress import report_to
from convscope.verbs import _report_parts as parts


@pytest.fixture(autouse=True)
def one_step(monkeypatch, tmp_path):
    """Every picture on the page after one step of optimization: quick, and enough to be drawn."""
    for name in ("visualize", "class_image", "invert", "dream", "fool"):
        whole = getattr(parts, name)
        monkeypatch.setattr(
            parts, name, lambda *a, _whole=whole, **k: _whole(*a, **(k | {"steps": 1}))
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
