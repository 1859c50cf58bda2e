"""Flaws that were planted are reported, and nothing else is."""

from __future__ import annotations

import re

import pytest

import convscope
from tests.audit import colored_photos


def test_a_tag_in_the_corner_is_the_first_odd_reason(tmp_path):
    planted = set(colored_photos.write(tmp_path, flaw="tag"))
    result = colored_photos.run(tmp_path)
    reasons = [finding for finding in result.details.findings if finding.kind == "reason"]
    group = {row["photo"] for row in result.table if row["group"] == reasons[0].subject}
    assert len(planted) == 12
    assert group == planted
    assert len(reasons) == 1
    page = (tmp_path / "audit.html").read_text()
    section = page[page.index("<h2>Odd reasons") :]
    first = re.search(r"<h3>(.*?)</h3>", section)
    assert first is not None
    assert first[1] == f"{reasons[0].subject}: odd"
    assert "100.0 % of the answers change" in section


def test_a_class_that_its_background_tells(tmp_path):
    colored_photos.write(tmp_path, flaw="background")
    result = colored_photos.run(tmp_path)
    told = [entry.subject for entry in result.details.findings if entry.kind == "background"]
    assert told == ["blue"]


def test_swapped_labels_are_the_worst_mistakes(tmp_path):
    planted = set(colored_photos.write(tmp_path, count=100, swapped=5))
    result = colored_photos.run(tmp_path)
    assert {row["photo"] for row in result.table if row["correct"] is False} == planted
    assert [finding.kind for finding in result.details.findings] == ["label"]
    page = (tmp_path / "audit.html").read_text()
    assert page.count("The label may be wrong") == 5
    assert page.count("gives") == 5
    for sentence in re.findall(r"The network gives .*?\.(?= <|<)", page):
        assert "of above 99.9 %, and the label" in sentence
        assert " below 0.1 %" in sentence
    assert "0.0 % <" not in page[page.index("The worst mistakes") : page.index("Odd reasons")]
    assert result["accuracy"][0] == pytest.approx(0.95)


def test_clean_photos_raise_no_alarm(tmp_path):
    colored_photos.write(tmp_path)
    result = colored_photos.run(tmp_path)
    assert result.details.findings == []
    # Wilson's interval of 96 right photos: from 1 / (1 + 1.96^2 / 96) on.
    assert result["accuracy"].tolist() == pytest.approx([1, 1 / (1 + 1.959964**2 / 96), 1])
    assert "No labels look swapped" in (tmp_path / "audit.html").read_text()
    assert {*result.table[0]} == {
        *("photo", "label", "predicted", "probability", "correct", "group")
    }
    picture = result.picture()
    assert picture.width > 400


def test_a_label_with_dollar_signs_is_drawn_as_it_is(tmp_path):
    labels = [r"a$\frac$", r"$b$", r"c$\d$", "gray"]
    colored_photos.write(tmp_path, count=16)
    paths = sorted((tmp_path / "photos").rglob("*.png"))
    model = convscope.load_model(colored_photos.network(), size=32, labels=labels)
    result = convscope.audit(
        model,
        [str(path) for path in paths],
        labels=[str(colored_photos.CLASSES.index(path.parent.name)) for path in paths],
        out=str(tmp_path / "audit.html"),
        unit_steps=0,
    )
    assert result.picture().width > 400
