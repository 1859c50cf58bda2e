"""Concepts of the worst mistakes: on a network that is solved by hand, in bounded time, and left
out with a sentence where there can be none."""

from __future__ import annotations

import importlib
import re

import numpy as np
import pyarrow.parquet
import pytest
import torch
from torch import nn

import convscope
from convscope.audit import audit_run, passes
from convscope.audit.concept_pass import COUNT, MOST_MISTAKES, MOST_PHOTOS, chosen_for_concepts
from convscope.audit.explainer import ExplainedPhoto
from convscope.audit.unit_pictures import drawn_pictures
from convscope.concepts.concept_set import ConceptSet
from convscope.photos.sources.entry import Entry
from tests.audit import colored_photos

YELLOW = 3
"""The unit that sees the tag, which counts for red."""


@pytest.fixture
def tagged(tmp_path):
    """Photos where four with the yellow tag, which the network takes for red, are labeled green."""
    colored_photos.write(tmp_path, flaw="tag")
    source, target = tmp_path / "photos" / "red", tmp_path / "photos" / "green"
    paths = [source / f"{number:03d}.png" for number in range(0, 32, 8)]
    return [path.rename(target / path.name) for path in paths]


def mistakes_of(root):
    page = (root / "audit.html").read_text()
    return page[page.index("The worst mistakes") : page.index("Odd reasons")]


def test_what_speaks_for_a_tagged_photo_is_the_concept_of_the_tag(tagged, tmp_path):
    colored_photos.run(tmp_path, masks=None)
    section = mistakes_of(tmp_path)
    assert section.count("<h3>") == 4
    shown = re.findall(r"<figcaption>concept (\d+), 100\.0 %", section)
    assert len(shown) == 4
    assert len(set(shown)) == 1
    index = int(shown[0])
    saved = ConceptSet.load(tmp_path / "audit" / "concepts.safetensors")
    assert saved.directions[index] == pytest.approx(np.eye(5)[YELLOW], abs=1e-2)
    # It is where the tag is: rows 25 to 30 and columns 1 to 6 of 32.
    maps = pyarrow.parquet.read_table(tmp_path / "audit" / "concept_maps.parquet").to_pylist()
    rows = [row for row in maps if row["concept"] == index and row["contribution"] is not None]
    assert [row["photo"] for row in rows] == [f"green/{path.name}" for path in sorted(tagged)]
    for row in rows:
        heat = np.reshape(row["heat"], (row["rows"], row["columns"]))
        # Cells of 3 pixels.
        assert heat.shape == (11, 11)
        assert heat[8:, :3].sum() > 0.99 * heat.sum() > 0
    # Pure colors of the tag (36 pixels) times the head's weight, averaged over the photo.
    expected = 200 * 36 / colored_photos.SIDE**2
    assert rows[0]["contribution"] == pytest.approx(expected, rel=1e-2)


def test_a_concept_of_an_audit_is_a_unit(tagged, tmp_path):
    colored_photos.run(tmp_path, masks=None)
    command = re.search(r"convscope visualize (concept:\S+)/\d+", mistakes_of(tmp_path))
    assert command is not None
    model = colored_photos.model()
    maps = convscope.activations(model, str(tagged[0]), layers=[command[1]])[command[1]]
    assert maps.shape[1] == 5
    assert maps.max() > 0


def test_few_photos_have_no_concepts_and_those_of_an_earlier_audit_are_gone(tagged, tmp_path):
    colored_photos.run(tmp_path, masks=None)
    assert (tmp_path / "audit" / "concepts.safetensors").exists()
    colored_photos.run(tmp_path, masks=None, max_explained=COUNT - 1, worst=2)
    assert f"Concepts are learned from {COUNT} photos or more, and 9 are" in mistakes_of(tmp_path)
    assert not (tmp_path / "audit" / "concepts.safetensors").exists()


def test_without_scikit_learn_an_audit_has_no_concepts(tagged, tmp_path, monkeypatch):
    load = importlib.import_module

    def without(name, *rest):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return load(name, *rest)

    monkeypatch.setattr("convscope.core.extras.importlib.import_module", without)
    colored_photos.run(tmp_path, masks=None)
    assert "There are no concepts. This needs the package sklearn" in mistakes_of(tmp_path)


def test_concepts_count_within_the_time_for_explanations(tagged, tmp_path, monkeypatch):
    monkeypatch.setattr(
        audit_run, "learn_all_concepts", lambda *_: pytest.fail("there was no time for that")
    )
    colored_photos.run(tmp_path, masks=None, max_seconds=1e-9)
    assert "No time was left for concepts" in mistakes_of(tmp_path)


def test_a_killed_run_does_not_learn_its_concepts_again(tagged, tmp_path, monkeypatch):
    whole = colored_photos.run(tmp_path, masks=None)
    expected = mistakes_of(tmp_path)
    module = importlib.import_module("convscope.audit.audit")
    render = module.page_of

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "page_of", killed)
    with pytest.raises(KeyboardInterrupt):
        colored_photos.run(tmp_path, masks=None)
    monkeypatch.setattr(module, "page_of", render)
    monkeypatch.setattr(passes, "learn_concepts", lambda *_: pytest.fail("they were learned"))
    resumed = colored_photos.run(tmp_path, masks=None)
    assert mistakes_of(tmp_path) == expected
    assert resumed.table == whole.table


def test_the_photos_of_concepts_are_the_mistakes_and_some_of_all_others():
    photos = [
        ExplainedPhoto(number, Entry(f"{number}.png", 0, None, ()), 0, int(number < 40))
        for number in range(200)
    ]
    chosen, num_mistakes = chosen_for_concepts(photos, 50)
    numbers = [photo.number for photo in chosen]
    assert num_mistakes == MOST_MISTAKES
    assert numbers[:MOST_MISTAKES] == list(range(MOST_MISTAKES))
    assert len(set(numbers)) == MOST_PHOTOS
    assert numbers[-1] == 199
    assert np.diff(numbers[MOST_MISTAKES:]).max() <= 6


class DeadUnits(nn.Module):
    """Unit 0 is the mean color; the others never fire."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.gate = nn.Conv2d(3, 3, 1, groups=3)
        with torch.no_grad():
            self.gate.weight.copy_(torch.tensor([1.0, 0.0, 0.0]).reshape(3, 1, 1, 1))

    def forward(self, image):
        return self.gate(self.conv(image)).mean((2, 3))


@pytest.mark.parametrize(("units", "drawn"), [([1, 2], []), ([1, 0], [1]), ([], [])])
def test_a_unit_without_a_picture_does_not_end_an_audit(units, drawn):
    model = convscope.load_model(DeadUnits().eval(), size=32)
    pictures = drawn_pictures(model, [f"gate:{unit}" for unit in units], 2, 0)
    assert len(pictures) == len(units)
    assert [place for place, picture in enumerate(pictures) if picture] == drawn
