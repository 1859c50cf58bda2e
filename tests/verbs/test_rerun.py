"""A picture made again: the same bytes, and nothing that a hostile file asks for."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import convscope
from convscope.core.interrupt import stop_after
from convscope.core.progress import report_to
from convscope.errors import InputError
from convscope.results.details import ImagesDetails
from convscope.results.png import PNG_KEY, read_provenance


@pytest.fixture(scope="module")
def record(embedded, tmp_path_factory):
    path = tmp_path_factory.mktemp("record") / "p.png"
    return dict(read_provenance(convscope.predict(embedded, "sample:chelsea").save(path)))


def forge(folder: Path, record: Any) -> str:
    """A PNG that carries whatever it is told to."""
    info = PngInfo()
    info.add_itxt(PNG_KEY, record if isinstance(record, str) else json.dumps(record))
    Image.new("RGB", (4, 4)).save(folder / "forged.png", pnginfo=info)
    return str(folder / "forged.png")


ARGUMENTS = [
    ("visualize", {"units": "blocks.3:11", "steps": 10**12}, "steps"),
    ("visualize", {"units": "blocks.3:11", "size": 10**5}, "size"),
    ("visualize", {"units": "blocks.3:11", "size": [10**5, 1]}, "size"),
    ("visualize", {"units": "blocks.3:0-99999999"}, "units"),
    ("visualize", {"units": ["blocks.3:0-" + "9" * 5000]}, "units"),
    ("visualize", {"units": "blocks.3:11", "diversity": 10**9}, "diversity"),
    ("visualize", {"units": "blocks.3:11", "nonsense": 1}, "nonsense"),
    ("visualize", {"units": "x" * 200_000}, "characters"),
    ("visualize", {"units": "<Objective>"}, "only existed in memory"),
    ("visualize", {"units": ["blocks.3:1"] * 20_000}, "20,000 entries"),
    ("predict", {"top": "many"}, "top"),
    ("predict", {"top": 10**12}, "top"),
    ("predict", {"out": "x.html"}, "out"),
    ("explain", {"method": "grad_cam", "samples": 3}, "samples"),
    ("explain", {"method": ["no_such_method"], "window": 3}, "no_such_method"),
    ("explain", {"method": None, "window": 3}, "window"),
    ("explain", {"": None}, "has no option"),
    ("dream", {"octaves": 10**9}, "octaves"),
    ("report", {"out": "important.txt"}, "verb 'report'"),
    ("rerun", {"path": "x.png"}, "verb 'rerun'"),
    ("load_model", {}, "verb 'load_model'"),
    ("Model", {}, "verb 'Model'"),
    ("errors", {}, "verb 'errors'"),
    ("__getattr__", {}, "verb"),
]


@pytest.mark.parametrize(("verb", "arguments", "sentence"), ARGUMENTS)
def test_a_record_is_checked_before_anything_runs(
    verb, arguments, sentence, record, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "important.txt").write_text("mine")
    monkeypatch.setattr(
        "convscope.verbs.rerun.load_model", lambda *_, **__: pytest.fail("something ran")
    )
    path = forge(tmp_path, record | {"verb": verb, "arguments": arguments})
    with pytest.raises(InputError, match=sentence) as caught:
        convscope.rerun(path)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "important.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"threads": 10**9}, "threads"),
        ({"threads": 0}, "threads"),
        ({"threads": "1"}, "threads"),
        ({"device": "cuda:0; rm"}, "device"),
        ({"schema": 99}, "newer"),
        ({"arguments": [1]}, "arguments"),
        ({"photos": "sample:chelsea"}, "photos"),
        ({"photos": [{"path": "a"}]}, "photos"),
        ({"model": None}, "model"),
        ({"picture": {"nonsense": 1}}, "nonsense"),
        ({"picture": {"width": 10**9}}, "width"),
        ({"interrupted": {"after": 1}}, "interrupted"),
    ],
)
def test_every_part_of_a_record_has_its_type(change, sentence, record, tmp_path):
    with pytest.raises(InputError, match=sentence):
        convscope.rerun(forge(tmp_path, record | change))


@pytest.mark.parametrize("key", ["schema", "verb", "arguments", "model", "photos", "threads"])
def test_no_part_of_a_record_may_be_missing(key, record, tmp_path):
    left = {name: value for name, value in record.items() if name != key}
    with pytest.raises(InputError, match=key):
        convscope.rerun(forge(tmp_path, left))


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "3", "{", "[" * 100_000, '{"threads": NaN}', "1" * 5000]
)
def test_what_is_no_record_at_all(text, tmp_path):
    with pytest.raises(InputError, match="record that Convscope did not write"):
        convscope.rerun(forge(tmp_path, text))


@pytest.mark.parametrize(
    ("model", "photo"),
    [
        ({"spec": "python:os:getcwd"}, None),
        ({"spec": "card.toml"}, None),
        ({"spec": "../net.onnx"}, None),
        ({"spec": "/etc/net.h5"}, None),
        ({"spec": "torchscript:net.pt"}, None),
        ({"options": {"arch": "python:os:getcwd"}}, None),
        ({"options": {"labels": "/etc/passwd"}}, None),
        ({"spec": "net.pt2", "options": {"trust": True}}, None),
        ({}, "/etc/passwd"),
        ({}, "../cat.png"),
        ({}, "link.png"),
    ],
)
def test_nothing_outside_the_working_folder_is_opened(model, photo, record, tmp_path, monkeypatch):
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "card.toml").write_text('model = "python:os:getcwd"\n')
    (folder / "link.png").symlink_to("/etc/passwd")
    monkeypatch.setattr(
        "convscope.verbs.rerun.load_model", lambda *_, **__: pytest.fail("something was opened")
    )
    changed = record | {"model": record["model"] | model}
    if photo:
        changed["photos"] = [record["photos"][0] | {"path": photo}]
    with pytest.raises(InputError, match="allow it with trust=True") as caught:
        convscope.rerun(forge(folder, changed))
    named = photo or next(iter(model.values()))
    assert str(named if isinstance(named, str) else next(iter(named.values()))) in str(caught.value)


def test_trust_opens_what_lies_outside(embedded, chelsea, tmp_path, monkeypatch, caplog):
    (tmp_path / "work").mkdir()
    Image.fromarray(chelsea).save(tmp_path / "cat.png")
    saved = convscope.predict(embedded, tmp_path / "cat.png").save(tmp_path / "work" / "p.png")
    monkeypatch.chdir(tmp_path / "work")
    with pytest.raises(InputError, match=r"cat\.png"):
        convscope.rerun("p.png")
    assert "cat.png" not in caplog.text
    assert convscope.rerun("p.png", trust=True).save("q.png").read_bytes() == saved.read_bytes()
    assert f"p.png opens or runs: '{tmp_path / 'cat.png'}'" in caplog.text


def test_decompression_bombs_are_refused(tmp_path):
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(InputError, match="decompression bomb"):
        convscope.rerun(str(tmp_path / "bomb.png"))


def test_other_formats_are_not_opened(tmp_path):
    (tmp_path / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    with pytest.raises(InputError, match="cannot be read as a picture"):
        convscope.rerun(str(tmp_path / "x.png"))


def test_rerun_says_whether_the_picture_is_the_same(embedded, tmp_path):
    result = convscope.predict(embedded, "sample:chelsea", top=2)
    path = str(result.save(tmp_path / "p.png"))
    assert convscope.rerun(path).note == f"The same picture as {path}, to the pixel."
    with Image.open(path) as picture:
        text = json.loads(picture.info[PNG_KEY])
        text["versions"]["torch"] = "0.1"
        pixels = np.array(picture.convert("RGB"))
    pixels[3, 5] = (0, 0, 0)
    info = PngInfo()
    info.add_itxt(PNG_KEY, json.dumps(text))
    Image.fromarray(pixels).save(path, pnginfo=info)
    note = convscope.rerun(path).note
    assert "1 of" in note
    assert "pixels differ, by up to 255 of 255" in note
    assert f"torch was 0.1 and is {torch.__version__.partition('+')[0]}" in note


def test_evaluate_can_be_made_again(embedded, tmp_path):
    explanation = convscope.explain(embedded, "sample:chelsea", method="grad_cam,random_map")
    result = convscope.evaluate(
        embedded, "sample:chelsea", explanation, metric="insertion", points=3
    )
    first = result.save(tmp_path / "first.png")
    again = convscope.rerun(str(first))
    assert again.save(tmp_path / "second.png").read_bytes() == first.read_bytes()


INTERRUPTED = [
    ("visualize", ("blocks.1:3",), {"steps": 6, "size": 32}),
    ("visualize", (["blocks.1:3", "blocks.1:4"],), {"steps": 4, "size": 32, "batch": 1}),
    ("invert", ("sample:chelsea",), {"layer": ["blocks.0", "blocks.1"], "steps": 4}),
    ("dream", ("sample:chelsea",), {"layer": "blocks.1", "steps": 3, "octaves": 2}),
    ("fool", ("sample:chelsea",), {"target": "stingray", "steps": 6}),
]


@pytest.mark.parametrize(("verb", "arguments", "options"), INTERRUPTED)
def test_an_interrupted_picture_says_so_and_is_made_again_to_the_same_step(
    verb, arguments, options, embedded, tmp_path
):
    """Ctrl-C in the middle: what ran is kept, and `rerun` stops at the same step."""
    done = 0

    def press(task: str, step: int, total: int) -> None:
        nonlocal done
        is_step = task.startswith(verb)  # not the layers or batches around them
        done += is_step
        if is_step and done == 3:
            signal.raise_signal(signal.SIGINT)

    with report_to(press):
        result = getattr(convscope, verb)(embedded, *arguments, **options)
    assert "interrupted" in result.provenance
    note = result.provenance["interrupted"]
    assert result.details.ended == f"interrupted after {note['after']} of {note['of']} steps"
    assert note["all_steps"] in (2, 3)
    first = result.save(tmp_path / "first.png")
    again = convscope.rerun(str(first))
    assert again.save(tmp_path / "second.png").read_bytes() == first.read_bytes()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    whole = getattr(convscope, verb)(embedded, *arguments, **options)
    assert "interrupted" not in whole.provenance


def test_ctrl_c_ends_the_verb_not_only_the_layer(embedded):
    with stop_after(2):
        result = convscope.invert(
            embedded, "sample:chelsea", layer=["blocks.0", "blocks.1"], steps=4
        )
    assert result.details_as(ImagesDetails).layers == ["blocks.0"]


def test_two_threads_count_their_own_steps(embedded):
    counts = {}

    def run(steps: int) -> None:
        with stop_after(steps):
            result = convscope.visualize(embedded, "blocks.0:1", steps=4, size=32)
        counts[steps] = result["score"].shape[1]

    threads = [threading.Thread(target=run, args=(steps,)) for steps in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == {1: 1, 2: 2}
