"""The report page: one file, written whole or not at all, and named."""

from __future__ import annotations

import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.cli import main
from convscope.concepts.concept_set import ConceptSet
from convscope.core.progress import report_to
from convscope.errors import InputError
from convscope.verbs import _report_concepts, _small_pictures
from convscope.verbs import _report_parts as parts
from tests.questions.answering_networks import Detector, Embedder, Regressor, Segmenter
from tests.quick_verbs import photo, small_model


@pytest.fixture(autouse=True)
def one_step(monkeypatch, tmp_path):
    """Every picture on the page after one step of optimization: quick, and enough to be drawn."""
    for name in ("visualize", "class_image", "invert", "dream", "fool"):
        whole = getattr(parts, name)
        monkeypatch.setattr(
            parts, name, lambda *a, _whole=whole, **k: _whole(*a, **(k | {"steps": 1}))
        )
    for module, name in ((_small_pictures, "visualize"), (_report_concepts, "activation_grid")):
        whole = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *a, _whole=whole, **k: _whole(*a, **(k | {"steps": 1}))
        )
    monkeypatch.chdir(tmp_path)


def test_the_first_command_of_the_readme(tmp_path, capsys):
    assert main(["report", "sample:chelsea", "--out", "pages/r.html"]) == 0
    assert capsys.readouterr().out.strip().endswith("r.html")
    assert [entry.name for entry in tmp_path.rglob("*")] == ["pages", "r.html"]
    page = (tmp_path / "pages" / "r.html").read_text()
    assert "<pre>convscope report sample:chelsea --out pages/r.html</pre>" in page
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


class OnlyInLight(Detector):
    """Sees its boxes in photos that are not dark."""

    def forward(self, image):
        return [
            {name: value[: len(value) if pixels.mean() > 0.1 else 0] for name, value in row.items()}
            for row, pixels in zip(super().forward(image), image, strict=True)
        ]


def test_a_map_that_is_nowhere_positive_is_said(monkeypatch):
    """Else the page shows the bare photo without a word."""
    whole = convscope.explain

    def explain(*arguments, **options):
        result = whole(*arguments, **options)
        if "method" in options:
            return result
        heatmap = result["heatmap"].copy()
        heatmap[1] = -np.abs(heatmap[1])
        return replace(result, arrays={**result.arrays, "heatmap": heatmap})

    monkeypatch.setattr(parts, "explain", explain)
    answer = parts.answer_section(small_model(), photo(), 0)
    assert [row.is_blank for row in answer.rows] == [False, True, False]
    convscope.report(small_model(), photo(), out="r.html")
    assert Path("r.html").read_text().count("no place speaks for it more than for the") == 1


def test_a_detector_that_finds_nothing():
    """The page says so, and shows what does not need an answer; of several photos, the sections
    about the first are not about the second's boxes."""
    dark = np.zeros((16, 16, 3), np.float32)
    light = np.random.default_rng(0).random((16, 16, 3)).astype(np.float32)
    model = convscope.load_model(OnlyInLight(), size=16, task="detection")
    for photos in ([dark, light], [light, dark]):
        convscope.report(model, photos, out="r.html")
        page = Path("r.html").read_text()
        assert page.count("Nothing found") == 1
        assert page.count("LayerCAM at") == 1
        is_seen = photos[0] is light
        assert ("How little it takes" in page) == is_seen
        assert ("looks like to it" in page) == is_seen
        assert "What each depth still knows" in page
        assert "embedding" not in page


def test_the_concepts_of_a_photo(tmp_path):
    """Each concept's part in the score is by how much `intervene` lowers it without the concept."""
    model = small_model()
    channels = convscope.activations(model, photo(), layers=["second"])["second"].shape[1]
    directions = np.random.default_rng(0).normal(size=(3, channels)).astype(np.float32)
    ConceptSet(directions, "second", {}).save(tmp_path / "pets.safetensors")
    convscope.report(model, photo(), out="r.html", concepts="pets.safetensors")
    page = (tmp_path / "r.html").read_text()
    for index in range(3):
        silenced = convscope.intervene(model, photo(), f"concept:pets/{index}", scale=0.0)
        top = int(silenced["original"][0].argmax())
        falls = silenced["original"][0, top] - silenced["score"][0, top]
        expected = f"<strong>concept {index}</strong>, {falls:+.2f} of the"
        assert expected in page
    assert "The photo, place by place" in page
    assert "--concepts pets.safetensors" in page
    assert "In the audit" not in page


def test_what_an_audit_says_of_a_photo(tmp_path):
    pytest.importorskip("pyarrow")
    model = small_model()
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(4):
        Image.fromarray(photo(seed)).save(folder / f"{seed}.png")
    rows = ["photo,label", *(f"{seed}.png,{seed}" for seed in range(4))]
    (folder / "labels.csv").write_text("\n".join(rows))
    audited = convscope.audit(
        model,
        str(folder),
        "audit.html",
        labels=str(folder / "labels.csv"),
        layer="second",
        unit_steps=0,
    )
    row = audited.table[2]
    convscope.report(model, str(folder / "2.png"), out="r.html", audit="audit.html")
    page = (tmp_path / "r.html").read_text()
    page = page[page.index("<h2>In the audit") :][:900]
    assert f"<code>{row['photo']}</code>, labeled 2 and called\n{row['predicted']}: " in page
    assert ("right" if row["correct"] else "wrong") in page
    assert (f"<strong>{row['group']}</strong>" in page) if row["group"] else "in no group" in page
    # The tables of something else, as an atlas or a data set has them.
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(tmp_path / "audit" / "groups.parquet", other / "photos.parquet")
    shutil.copy(tmp_path / "audit" / "photos.parquet", other / "groups.parquet")
    with pytest.raises(InputError, match=r"photos\.parquet is no table of an audit"):
        convscope.report(model, photo(), out="none.html", audit="other")
    shutil.copy(tmp_path / "audit" / "photos.parquet", other / "photos.parquet")
    with pytest.raises(InputError, match=r"groups\.parquet is no table of an audit"):
        convscope.report(model, photo(), out="none.html", audit="other")
    assert not (tmp_path / "none.html").exists()
    convscope.report(model, photo(9), out="r.html", audit="audit")
    assert "does not know this photo" in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"concepts": "nothing.safetensors"}, "There is no file nothing"),
        ({"concepts": "other.safetensors"}, "of another network"),
        ({"audit": "nowhere"}, "holds no finished audit"),
    ],
)
def test_files_that_are_none_leave_no_page(options, message, tmp_path):
    ConceptSet(np.ones((1, 5), np.float32), "second", {}).save(tmp_path / "other.safetensors")
    with pytest.raises(convscope.ConvscopeError, match=message):
        convscope.report(small_model(), photo(), out="r.html", **options)
    assert not (tmp_path / "r.html").exists()
