"""What a run of `benchmarks.speed` leaves in its folder: also one that is stopped, is of a few
rows, of another machine, or lacks a peer."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from benchmarks import _speed_data as data
from benchmarks import readme, speed
from benchmarks._duel import Duel, Row, Setting, rows
from benchmarks._speed_page import LIMITS, markdown
from benchmarks._speed_picture import picture, verdict
from benchmarks.speed_rows import ascent
from benchmarks.speed_rows._missing import NOT_INSTALLED

DOCS = Path(__file__).parents[2] / "docs"


def names(entries):
    return [(row.group, row.job, row.network, row.peer) for row in entries]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the rows of the documentation; what a group measures is told by `groups`."""
    shutil.copy(DOCS / "speed.json", tmp_path)
    groups: dict[str, Callable[[Setting], Iterator[Row]]] = {}

    def group(name):
        return SimpleNamespace(run=groups.get(name.rpartition(".")[2], lambda setting: iter(())))

    monkeypatch.setattr(speed, "import_module", group)
    monkeypatch.setattr(speed, "picture", lambda rows: b"")
    return tmp_path, groups


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["speed", *map(str, arguments)])
    return speed.main()


def test_a_stopped_run_leaves_every_row(folder, monkeypatch, capsys):
    path, groups = folder
    before = data.stored_rows(path)
    [first, *others] = [row for row in before if row.group == "startup"]

    def startup(setting):
        yield Row(**{**vars(first), "ours": 99.0})
        yield from others

    def overhead(setting):
        yield Row("overhead", "predict", "embedded", "")
        raise KeyboardInterrupt

    groups |= {"startup": startup, "overhead": overhead}
    assert run(monkeypatch, "--out", path) == 130
    after = data.stored_rows(path)
    assert names(after) == names(before)
    assert after[0].ours == 99.0
    unfinished = len([row for row in before if row.group != "startup"])
    assert after[-unfinished:] == before[-unfinished:]
    page = (path / "speed.md").read_text()
    assert page == markdown(after)
    assert "startup finished" in capsys.readouterr().err


def test_rows_of_two_setups_are_told_apart(folder, monkeypatch):
    path, groups = folder
    monkeypatch.setattr(speed, "setup_of", lambda device, quick: "another machine")
    [row] = [row for row in data.stored_rows(path) if row.job == "import convscope"]
    groups["startup"] = lambda setting: iter([Row(**vars(row))])
    assert run(monkeypatch, "--rows", "import convscope", "--out", path) == 0
    page = (path / "speed.md").read_text()
    assert "[1] with another machine; [2] with torch" in page
    assert "| import convscope [1] |" in page
    assert "| convscope --help [2] |" in page
    assert [row.setup for row in data.stored_rows(path)].count("another machine") == 1


def test_a_finished_group_drops_rows_that_it_no_longer_measures():
    old = [Row("cam", "a", "", "", ours=1.0), Row("cam", "b", "", ""), Row("maco", "c", "", "")]
    new = [Row("cam", "a", "", "", ours=2.0)]
    assert names(data.merged(old, new, ["cam"])) == names([old[0], old[2]])
    assert names(data.merged(old, new)) == names(old)
    assert data.merged(old, new)[0].ours == 2.0


def test_rows_of_a_peer_that_is_not_installed_stay():
    old = [Row("maco", "MaCo", "", "Horama", ours=1.0), Row("maco", "more", "", "Horama", ours=3.0)]
    timing = Duel({"ours": [2.0, 2.0]})
    [new] = rows(
        timing, group="maco", job="MaCo", network="", absent={"Horama": f"it {NOT_INSTALLED}"}
    )
    assert new.missing == f"it {NOT_INSTALLED}"
    assert (new.peer, new.ratio) == ("Horama", None)
    assert data.merged(old, [new], ["maco"]) == old


def test_a_word_that_no_row_has_is_refused_before_anything_runs(folder, monkeypatch, capsys):
    path, groups = folder
    groups |= {group: lambda setting: pytest.fail("it ran") for group in data.GROUPS}
    with pytest.raises(SystemExit) as error:
        run(monkeypatch, "--rows", "nosuchword", "--out", path)
    assert error.value.code == 2
    message = capsys.readouterr().err
    assert all(name in message for name in ("nosuchword", "overhead", "grad_cam", "Horama"))


def test_only_the_groups_with_rows_of_the_pattern_run():
    stored = data.stored_rows(DOCS)
    assert speed.groups_of("gradients", stored) == ["gradients"]
    assert speed.groups_of("Horama", stored) == ["maco"]
    assert speed.groups_of("score_cam", stored) == ["cam"]
    assert speed.groups_of(None, stored) == list(data.GROUPS)


def test_a_quick_run_does_not_write_into_the_documentation(folder, monkeypatch, capsys):
    monkeypatch.setattr(speed, "DOCS", folder[0])
    with pytest.raises(SystemExit) as error:
        run(monkeypatch, "--quick", "--out", folder[0])
    assert error.value.code == 2
    assert "--quick" in capsys.readouterr().err


def test_the_documentation_has_every_group_and_the_rows_of_the_readme():
    stored = data.stored_rows(DOCS)
    assert {row.group for row in stored} == set(data.GROUPS)
    measured = {(row.group, row.job, row.peer) for row in stored}
    assert set(readme.SPEED) <= measured


def test_a_bar_has_the_color_of_what_it_reached():
    row = Row("cam", "grad_cam", "", "peer", ratio=(4.6, 4.5, 4.7), over_limit=(1.4, 1.3, 1.5))
    assert verdict(row) == "nothing was wanted"
    row.wanted = 4.0
    assert verdict(row) == "as fast as was wanted"
    row.allowed = 1.1
    assert verdict(row) == "as fast as was wanted, but over its limit"
    row.wanted = 5.0
    assert verdict(row) == "slower than was wanted"


def test_the_picture_has_all_of_a_long_label():
    row = Row("cam", "a method of a long name, " * 4, "resnet50", "peer", ratio=(2.0, 1.9, 2.1))
    image = np.asarray(Image.open(io.BytesIO(picture([row]))).convert("L"))
    assert image.min() < 128
    edges = [image[:8], image[-8:], image[:, :8], image[:, -8:]]
    assert min(int(edge.min()) for edge in edges) == 255


def test_the_geometric_mean_has_the_range_of_the_layers():
    mean = ascent.mean_and_range([(2.0, 1.0, 9.0), None, (8.0, 7.0, 9.0)])
    assert mean == pytest.approx((4.0, 2.0, 8.0))
    assert ascent.mean_and_range([]) is None


def test_every_limit_is_told_on_the_page():
    stored = data.stored_rows(DOCS)
    page = markdown(stored)
    limited = [row for row in stored if row.limit and row.group != "overhead"]
    assert {"startup", "ascent", "cam", "memory"} <= {row.group for row in limited}
    for row in limited:
        if row.group in LIMITS:
            assert f"- {row.group}: {LIMITS[row.group]}." in page
        else:
            assert row.note.startswith("the limit is")
            assert f"{row.job} {row.network}".strip() in page
            assert f": {row.note}." in page
