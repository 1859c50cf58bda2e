"""What a notebook shows while a cell runs: a bar that is updated in place and gone at its end, and
nothing on the output streams."""

from __future__ import annotations

import sys
import threading
import types

import pytest

import convscope
from convscope.atlas.store.summary import Summary
from convscope.core import notebook
from convscope.core.progress import advance, report_to
from convscope.core.registry import NoTraits, Registry


class ZMQInteractiveShell:
    """A kernel's shell, by its name."""

    execution_count = 1


class Page:
    """The outputs below the cells: one for each display, as it was updated last."""

    def __init__(self) -> None:
        self.shell = ZMQInteractiveShell()
        self.outputs: list[list[dict[str, str]]] = []

    def display(self, data, *, raw, display_id):
        assert raw
        assert display_id
        versions = [data]
        self.outputs.append(versions)
        return types.SimpleNamespace(update=lambda new, raw: versions.append(new))


@pytest.fixture
def page(monkeypatch):
    shown = Page()
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shown.shell  # type: ignore[attr-defined]
    of_display = types.ModuleType("IPython.display")
    of_display.display = shown.display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", of_display)
    monkeypatch.setattr(notebook, "FIRST_SHOWN", 0.0)
    monkeypatch.setattr(notebook, "BETWEEN_UPDATES", 0.0)
    monkeypatch.setattr(notebook, "_bars", {})
    return shown


def test_a_bar_is_updated_in_place_and_gone_at_the_end(page, capsys, embedded):
    convscope.visualize(embedded, "blocks.0:1", steps=4, size=16)
    (versions,) = page.outputs
    assert [version["text/plain"].partition(",")[0] for version in versions] == [
        "visualize: 0 of 4",
        "visualize: 1 of 4",
        "visualize: 2 of 4",
        "visualize: 3 of 4",
        "",
    ]
    assert '<progress value="3" max="4"></progress> visualize: 3 of 4' in versions[3]["text/html"]
    assert versions[-1]["text/html"] == ""
    assert not any("\r" in text for version in versions for text in version.values())
    assert capsys.readouterr() == ("", "")


def test_each_cell_has_its_own_bar(page):
    advance("photos", 1, 9)
    advance("photos", 2, 9)
    page.shell.execution_count = 2
    advance("photos", 3, 9)
    assert [len(versions) for versions in page.outputs] == [2, 1]


def test_a_loop_that_was_broken_off_keeps_its_bar(page):
    advance("photos", 5, 9)
    advance("photos", 1, 9)
    assert [len(versions) for versions in page.outputs] == [1, 1]


def test_short_loops_show_nothing(page, monkeypatch):
    monkeypatch.setattr(notebook, "FIRST_SHOWN", 60.0)
    for done in range(10):
        advance("photos", done, 9)
    assert page.outputs == []


def test_names_are_harmless(page):
    advance("<script>alert(1)</script>", 1, 9)
    assert "<script>" not in page.outputs[0][0]["text/html"]


def test_other_shells_and_threads_are_left_alone(page, monkeypatch):
    with report_to(lambda what, done, total: None):
        advance("photos", 1, 9)
    thread = threading.Thread(target=advance, args=("photos", 1, 9))
    thread.start()
    thread.join()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: object())
    advance("photos", 1, 9)
    assert page.outputs == []
    assert not notebook.in_notebook()


def test_a_summary_is_shown_as_text_and_table():
    summary = Summary("a/: 3 units & more.", [{"layer": "<b>third</b>", "units": 3}])
    assert summary._repr_html_() == (
        "<table><thead><tr><th>layer</th><th>units</th></tr></thead><tbody><tr>"
        "<td>&lt;b&gt;third&lt;/b&gt;</td><td>3</td></tr></tbody></table>\n"
        "<p>a/: 3 units &amp; more.</p>"
    )
    assert repr(summary) == "<Summary: a/: 3 units & more.>"


def test_libraries_say_nothing_while_they_are_loaded(tmp_path, monkeypatch, recwarn):
    """tqdm, for one, warns of missing widgets when timm is first loaded in a notebook."""
    package = tmp_path / "noisy_parts"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "loud.py").write_text(
        "import warnings\n"
        "from tests.core.test_notebook import parts\n"
        "warnings.warn('IProgress not found')\n"
        "@parts[0].register()\n"
        "def loud():\n"
        "    '''One.'''\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    parts[:] = [Registry("noisy_parts", "part", NoTraits)]
    assert parts[0].get("loud").__name__ == "loud"
    assert len(recwarn) == 0


parts: list[Registry[NoTraits]] = []
