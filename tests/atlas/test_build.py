"""The store of pictures: what is in it, resumed, mended, retried, written by two at once."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

import convscope
from convscope import atlas
from convscope.atlas.render.layer_selection import head_layers
from convscope.errors import InputError, LayerError, OptionError, OutputError
from convscope.probe import Probe
from tests.questions.answering_networks import Detector, Regressor, Segmenter
from tests.small_atlas import SMALL, Fails, small_model, state


def table(folder):
    """All rows of the pictures."""
    return [
        row
        for path in sorted(folder.glob("units/**/*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]


def test_every_unit_has_its_row(built):
    rows = table(built)
    assert {(row["layer"], row["unit"]) for row in rows} == {
        *(("first", unit) for unit in range(8)),
        *(("third", unit) for unit in range(12)),
        *(("head", unit) for unit in range(5)),
    }
    assert [
        row["label"] for row in sorted(rows, key=lambda row: row["unit"]) if row["layer"] == "head"
    ] == [
        "a cat",
        "a dog",
        "a fish",
        "a bird",
        "a cup",
    ]
    for row in rows:
        assert row["error"] is None
        assert row["dead"] == (row["image"] is None)
        assert len(row["curve"]) == 3
        assert len(row["key"]) == len(row["job"]) == 32


def test_a_picture_is_that_of_visualize_whatever_its_batch(built, model):
    """The unit's stream is seeded from its name alone."""
    alone = convscope.visualize(model, "third:6", preset="distill", steps=3, size=16)
    curve = alone["score"][0]
    row = atlas.open(str(built)).unit("third", 6)[0]
    pixels = np.asarray(row.picture, np.float32).transpose(2, 0, 1) / 255
    assert np.abs(pixels - alone["image"][0]).max() < 0.01
    assert row["curve"] == pytest.approx(curve.tolist(), rel=1e-3)


@pytest.mark.parametrize("preset", ["distill", "chollet"])
def test_the_score_is_the_units_mean_activation_on_its_picture(model, tmp_path, preset):
    """Whatever margins and turns a step sees: measured on the file, by the network alone."""
    atlas.build(model, "third,head", str(tmp_path), preset=preset, **SMALL)
    gaps = []
    with Probe(model) as probe:
        for row in atlas.open(str(tmp_path)).rows():
            if row["dead"]:
                continue
            image = torch.from_numpy(np.array(row.picture)).permute(2, 0, 1)[None] / 255
            maps = probe.activations(model.preprocess(image), [row["layer"]])[row["layer"]]
            expected = float(maps[0, row["unit"]].mean())
            assert row["score"] == pytest.approx(expected, abs=1e-3)
            gaps.append(abs(row["curve"][-1] - expected))
    assert len(gaps) > 5
    assert max(gaps) > 4e-3  # the last step's score is another number


def test_what_an_earlier_version_made_is_replaced(model, tmp_path, monkeypatch):
    from convscope.atlas.render import jobs, renderer

    with monkeypatch.context() as earlier:
        earlier.setattr(jobs, "RECIPE_VERSION", 2)
        earlier.setattr(renderer, "RECIPE_VERSION", 2)
        atlas.build(model, "head", str(tmp_path), **SMALL)
    assert len(atlas.open(str(tmp_path)).rows()) == 5
    assert atlas.build(model, "head", str(tmp_path), **SMALL)["made"] == 5
    assert {row["recipe_version"] for row in table(tmp_path)} == {3}
    assert len(table(tmp_path)) == 5


def test_only_what_is_missing_is_made_and_the_bytes_are_the_same(built, model, tmp_path):
    before = state(built)
    assert atlas.build(model, "first,third,head", str(built), **SMALL)["made"] == 0
    parts = sorted(built.rglob("*.parquet"))
    parts[0].unlink()
    parts[-1].write_bytes(parts[-1].read_bytes()[:-20])
    parts[1].write_bytes(b"")
    report = atlas.build(model, "first,third,head", str(built), **SMALL)
    assert 0 < report["made"] < report["units"]
    assert state(built) == before
    other = tmp_path / "other"
    for layer in ("head", "third", "first"):
        atlas.build(small_model(), layer, str(other), **SMALL)
    assert state(other) == before


def test_no_time_host_or_path_in_the_bytes(built):
    for path in built.rglob("*.parquet"):
        assert str(built).encode() not in path.read_bytes()


def test_faces(model, tmp_path):
    atlas.build(model, "third", str(tmp_path), diversity=2, **SMALL)
    opened = atlas.open(str(tmp_path)).unit("third", 6)
    assert [row["face"] for row in opened] == [0, 1]
    assert opened[0].bytes != opened[1].bytes
    assert opened[0].recipe["diversity"] == 2
    with Probe(model) as probe:  # `score` is the unit's own
        for row in opened:
            image = torch.from_numpy(np.array(row.picture)).permute(2, 0, 1)[None] / 255
            own = probe.activations(model.preprocess(image), ["third"])["third"][0, 6].mean()
            assert row["score"] == pytest.approx(float(own), abs=0.02)


def test_a_failed_unit_is_recorded_and_retried(model, tmp_path, monkeypatch):
    monkeypatch.setattr(Fails, "broken", True)
    report = atlas.build(model, "fails", str(tmp_path), **SMALL)
    assert report["failed"] == 1
    assert "--retry-failed" in str(report)
    rows = {row["unit"]: row for row in table(tmp_path)}
    assert "NaN" in rows[2]["error"]
    assert rows[2]["image"] is None
    assert rows[2]["score"] is None
    assert sorted(rows) == list(range(8))
    assert all(rows[unit]["error"] is None for unit in rows if unit != 2)
    monkeypatch.setattr(Fails, "broken", False)
    assert atlas.build(model, "fails", str(tmp_path), **SMALL)["made"] == 0
    atlas.compact(str(tmp_path))
    assert atlas.build(model, "fails", str(tmp_path), retry_failed=True, **SMALL)["made"] == 4
    clean = tmp_path / "clean"
    atlas.build(model, "fails", str(clean), **SMALL)
    assert all(row["error"] is None for row in table(tmp_path))
    assert sorted((row["unit"], row["checksum"]) for row in table(clean)) == sorted(
        {(row["unit"], row["checksum"]) for row in table(tmp_path) if row["layer"] == "fails"}
    )


def test_memory_and_other_file_systems(model, tmp_path, built):
    import fsspec

    atlas.build(model, "first,third,head", "memory://atlas-test", **SMALL)
    files = fsspec.filesystem("memory")
    there = {
        path.removeprefix("/atlas-test/"): files.cat_file(path)
        for path in files.find("/atlas-test")
    }
    assert there == {
        str(path.relative_to(built)): path.read_bytes() for path in built.rglob("*.parquet")
    }
    assert atlas.build(model, "first", "memory://atlas-test", **SMALL)["made"] == 0
    assert atlas.verify("memory://atlas-test").ok
    assert atlas.open("memory://atlas-test").unit("third:6")[0].picture.size == (16, 16)
    assert atlas.compact("memory://atlas-test")["after"] < len(there)
    files.rm("/atlas-test", recursive=True)
    atlas.build(model, "first,third,head", f"local://{tmp_path}/local", **SMALL)
    assert state(tmp_path / "local") == state(built)


def test_a_file_system_that_shows_half_written_files(model, monkeypatch, built):
    """Staged, then renamed; nothing staged is left."""
    import fsspec

    import convscope.atlas.store.store as store

    monkeypatch.setattr(store, "ATOMIC_PROTOCOLS", set())
    files = fsspec.filesystem("memory")
    seen = []
    original = type(files).pipe_file

    def pipe_file(self, path, data, **options):
        seen.append(path)
        return original(self, path, data, **options)

    monkeypatch.setattr(type(files), "pipe_file", pipe_file)
    atlas.build(model, "first,third,head", "memory://renamed-test", **SMALL)
    assert len(seen) == 7
    assert all(path.endswith(".part") for path in seen)
    there = {
        path.removeprefix("/renamed-test/"): files.cat_file(path)
        for path in files.find("/renamed-test")
    }
    assert there == {
        str(path.relative_to(built)): path.read_bytes() for path in built.rglob("*.parquet")
    }
    files.rm("/renamed-test", recursive=True)


def test_two_builds_at_once(tmp_path, built):
    out = tmp_path / "both"
    failures = []

    def run(model):
        try:
            atlas.build(model, "first,third,head", str(out), **SMALL)
        except BaseException as error:
            failures.append(error)

    threads = [
        threading.Thread(target=run, args=(model,)) for model in (small_model(), small_model())
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert state(out) == state(built)


def test_what_a_killed_writer_left_is_swept(built, model):
    part = next(built.rglob("part-*.parquet"))
    part.with_name(f".{part.name}.abc123.part").write_bytes(b"half")
    before = len(state(built))
    assert not atlas.verify(str(built)).ok
    atlas.build(model, "first", str(built), **SMALL)
    assert len(state(built)) == before - 1


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(model, tmp_path, monkeypatch):
    def full(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    atlas.build(model, "head", str(tmp_path / "atlas"), **SMALL)
    before = state(tmp_path)
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match=r"Cannot write .*No space left on device"):
        atlas.build(model, "third", str(tmp_path / "atlas"), **SMALL)
    assert state(tmp_path) == before


def test_a_place_that_cannot_be_written_is_said_before_work_starts(model, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="Cannot write into"):
        atlas.build(model, "head", str(tmp_path / "file" / "atlas"))
    with pytest.raises(OutputError, match="nonsense"):
        atlas.build(model, "head", "nonsense://bucket/atlas")


def test_dry_run_writes_nothing(model, tmp_path):
    report = atlas.build(model, "first,third", str(tmp_path / "none"), dry_run=True, **SMALL)
    assert report["units"] == report["missing"] == 20
    assert report["seconds"] >= 0
    assert 20 * 300 < report["bytes"] < 20 * 10_000
    assert [row["layer"] for row in report.table] == ["first", "third"]
    assert not (tmp_path / "none").exists()


def test_an_interrupt_keeps_what_is_made_and_says_so(model, tmp_path, monkeypatch, built):
    module = sys.modules["convscope.atlas.build"]

    class Interrupted(module.Renderer):  # type: ignore[misc, name-defined]
        def __call__(self, job):
            if job.first == 4:
                os.kill(os.getpid(), signal.SIGINT)
            return super().__call__(job)

    out = tmp_path / "stopped"
    monkeypatch.setattr(module, "Renderer", Interrupted)
    report = atlas.build(model, "first,third,head", str(out), **SMALL)
    assert report.stopped
    assert report["made"] == 8
    assert "17 are missing" in str(report)
    monkeypatch.undo()
    assert not atlas.build(model, "first,third,head", str(out), **SMALL).stopped
    assert state(out) == state(built)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"layers": "thirt"}, LayerError, "third"),
        ({"layers": "nothing.*"}, LayerError, "nothing"),
        ({"layers": ""}, OptionError, "No layer"),
        ({"batch": 0}, OptionError, "batch"),
        ({"diversity": 0}, OptionError, "diversity"),
        ({"engine": "rai"}, OptionError, "ray"),
        ({"address": "auto"}, OptionError, "engine='ray'"),
        ({"preset": "distil"}, OptionError, "distill"),
        ({"steps": 0}, OptionError, "steps"),
    ],
)
def test_errors(model, tmp_path, options, error, words):
    layers = options.pop("layers", "head")
    with pytest.raises(error, match=words):
        atlas.build(model, layers, str(tmp_path), **SMALL | options)


def test_patterns():
    from convscope.atlas.render.layer_selection import select_layers

    model = small_model()
    with Probe(model) as probe:
        layers = probe.layers
        assert select_layers(model, layers, "*") == ["first", "fails", "second", "third", "head"]
        assert select_layers(model, layers, "first.*") == ["first.0", "first.1", "first.2"]
        assert select_layers(model, layers, ["**.0", "head"]) == ["first.0", "head"]
        assert select_layers(model, layers, "[ft]*") == ["first", "fails", "third"]


def test_the_embedded_networks_stages_and_head(embedded):
    from convscope.atlas.render.layer_selection import select_layers

    with Probe(embedded) as probe:
        assert select_layers(embedded, probe.layers, "head,blocks.*") == [
            *(f"blocks.{stage}" for stage in range(7)),
            "classifier",
        ]


def test_another_layout_is_refused(built, monkeypatch):
    import convscope.atlas.store.parts as parts

    monkeypatch.setattr(parts, "SCHEMA", 2)
    with pytest.raises(InputError, match="older Convscope"):
        atlas.open(str(built)).layers()


@pytest.mark.parametrize(
    ("network", "task", "labels", "colors"),
    [
        (Detector, None, ["none", "cat", "dog"], {"cat": 0, "dog": 1}),
        (Segmenter, None, ["cat", "road", "sky"], {"cat": 0, "road": 1, "sky": 2}),
        (Regressor, "regression", ["warm", "blue"], {"blue": 2}),
    ],
)
def test_the_scores_of_networks_that_are_no_classifiers(network, task, labels, colors, tmp_path):
    """A picture of every class or value: the color that raises it. No layer's units are classes, so
    "head" means the same."""
    model = convscope.load_model(network(), size=16, task=task, labels=labels)
    options = {"preset": "chollet", "steps": 20, "size": 16}
    for name in ("scores", "head"):
        atlas.build(model, f"{name},conv", str(tmp_path / name), **options)
    rows = table(tmp_path / "scores")
    assert {row["layer"] for row in rows} == {"scores", "conv"}
    pictures = {row["label"]: row for row in rows if row["layer"] == "scores"}
    assert sorted(pictures) == sorted(labels)
    for label, color in colors.items():
        picture = atlas.open(str(tmp_path / "scores")).unit("scores", pictures[label]["unit"])[0]
        assert np.asarray(picture.picture).reshape(-1, 3).mean(0).argmax() == color
        assert pictures[label]["curve"][-1] > pictures[label]["curve"][0]
    if network is Detector:
        assert pictures["none"]["dead"], "no detection is of class 0"
    assert {row["key"] for row in table(tmp_path / "head")} == {row["key"] for row in rows}
    with pytest.raises(OptionError, match="'scores' is no layer"):
        atlas.build(model, "scores", str(tmp_path / "faces"), diversity=2, **options)


def test_a_folder_whose_name_holds_what_fsspec_takes_for_a_chain(model, tmp_path):
    out = tmp_path / "o#d ?%20é::x"
    atlas.build(model, "head", str(out), **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert len(atlas.open(str(out))) == 5
    assert atlas.verify(str(out)).ok


class Scaled(nn.Module):
    """Logits by a factor, as a temperature is, then a softmax; `hidden` has as many units."""

    def __init__(self, ending: str):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.hidden, self.logits, self.ending = nn.Linear(4, 4), nn.Linear(4, 4), ending

    def forward(self, image):
        logits = self.logits(self.hidden(self.conv(image).mean((2, 3))).relu())
        endings = {
            "plain": logits,
            "softmax": logits.softmax(1),
            "log_softmax": logits.log_softmax(1),
            "sigmoid": logits.sigmoid(),
            "temperature": logits / 0.07,
            "matrix": logits @ torch.arange(16.0).reshape(4, 4),
        }
        return endings[self.ending]


@pytest.mark.parametrize(
    "ending", ["plain", "softmax", "log_softmax", "sigmoid", "temperature", "matrix"]
)
def test_only_the_layer_that_gives_the_scores_has_the_classes(ending, tmp_path):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Scaled(ending).eval()
    model = convscope.load_model(network, size=16, labels=["w", "x", "y", "z"])
    with Probe(model) as probe:
        heads = head_layers(model, probe.layers)
    assert heads == ([] if ending == "matrix" else ["logits"])
    if ending == "plain":
        atlas.build(model, "hidden,logits", str(tmp_path), **SMALL)
        rows = atlas.open(str(tmp_path)).rows()
        labels = {(row["layer"], row["unit"]): row["label"] for row in rows}
        assert labels == {
            **{("hidden", unit): None for unit in range(4)},
            **{("logits", unit): "wxyz"[unit] for unit in range(4)},
        }
