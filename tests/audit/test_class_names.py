"""Classes that have one label, as ImageNet's two cranes."""

from __future__ import annotations

import html
import re
import shlex

import pyarrow.parquet

import convscope
from convscope.audit.class_names import class_name
from convscope.questions.find_class import find_class
from convscope.results.details import AuditDetails
from tests.audit import colored_photos

LABELS = ["crane, machine", "green", "crane, bird", "gray"]


def test_a_label_that_two_classes_have_comes_with_the_index():
    model = convscope.load_model(colored_photos.network(), size=32, labels=LABELS)
    names = [class_name(model, index) for index in range(4)]
    assert names == ["crane (0)", "green", "crane (2)", "gray"]
    unnamed = convscope.load_model(colored_photos.network(), size=32)
    assert class_name(unnamed, 1) == "class 1"


def test_groups_and_commands_of_classes_with_one_label(tmp_path):
    colored_photos.write(tmp_path, count=96, flaw="tag", swapped=4)
    paths = sorted((tmp_path / "photos").rglob("*.png"))
    classes = [colored_photos.CLASSES.index(path.parent.name) for path in paths]
    model = convscope.load_model(colored_photos.network(), size=32, labels=LABELS)
    result = convscope.audit(
        model,
        [str(path) for path in paths],
        labels=classes,
        out=str(tmp_path / "audit.html"),
        unit_steps=0,
    )
    rows = pyarrow.parquet.read_table(tmp_path / "audit" / "photos.parquet").to_pylist()
    groups: dict[str, set[int]] = {}
    for row in rows:
        if row["group"]:
            groups.setdefault(row["group"], set()).add(row["predicted_index"])
    assert {index for indices in groups.values() for index in indices} >= {0, 2}
    assert all(len(indices) == 1 for indices in groups.values())
    assert "crane (0) 1" in groups
    assert {entry.label for entry in result.details_as(AuditDetails).classes} >= {
        "crane (0)",
        "crane (2)",
    }
    page = html.unescape((tmp_path / "audit.html").read_text())
    commands = [
        shlex.split(line) for line in re.findall(r"<pre>(convscope explain .*?)</pre>", page)
    ]
    assert commands
    for words in commands:
        target = words[words.index("--target") + 1]
        for text in target.split(" vs "):
            assert find_class(model, text) == int(text)
