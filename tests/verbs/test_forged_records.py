"""Property: whatever a record says, `rerun` refuses it in one sentence or makes a picture."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import convscope
from convscope.errors import ConvscopeError, InputError
from convscope.results.png import PNG_KEY, read_provenance
from convscope.results.result import Result
from tests.quick_verbs import SIDE, small_model

SMALL = {"steps": 2, "size": 24}
PHOTO = "sample:chelsea"
CALLS: dict[str, Any] = {
    "predict": lambda model: convscope.predict(model, PHOTO, top=2),
    "layers": lambda model: convscope.layers(model),
    "activations": lambda model: convscope.activations(model, PHOTO, layers=["second"]),
    "explain": lambda model: convscope.explain(
        model, PHOTO, method=["grad_cam", "saliency"], layer="second", target=[1, 2]
    ),
    "features": lambda model: convscope.features(model, PHOTO, layer="second"),
    "visualize": lambda model: convscope.visualize(
        model, "second:1-2", transforms="jitter(2)", regularizers="0.1*l1", **SMALL
    ),
    "invert": lambda model: convscope.invert(model, PHOTO, layer=["second"], steps=2),
    "fool": lambda model: convscope.fool(model, PHOTO, target=2, steps=2),
}

# Numbers small enough that what is allowed is also quick; large ones have their own tests.
numbers = st.one_of(
    st.integers(-2, 40),
    st.sampled_from([0.0, -1.5, 0.5, 1e9, 2**63, 10**15]),
    st.booleans(),
    st.none(),
)
WORDS = [
    "",
    "second",
    "second:1",
    "0.5*second:1 + third:2",
    "jitter(9)",
    "grad_cam",
    "saliency",
    "box:1",
    "mask:",
    "pixel:3,3",
    "like:x.jpg",
    "value",
    "unit:second:1",
    "sample:coffee",
    "../x",
    "python:os:getcwd",
    "<Objective>",
    "none",
    "adam",
    "distill",
    "[",
    "\x00",
    "1e9",
]
words = st.text(max_size=12) | st.sampled_from(WORDS)
values = st.recursive(
    numbers | words,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)


def forge(folder, record):
    """A PNG that carries a record."""
    info = PngInfo()
    info.add_itxt(PNG_KEY, record if isinstance(record, str) else json.dumps(record))
    path = folder / "forged.png"
    Image.new("RGB", (4, 4)).save(path, pnginfo=info)
    return path


@pytest.fixture(scope="module")
def model():
    small = small_model()
    small.spec, small.options = "embedded", {}
    return small


@pytest.fixture(scope="module")
def records(model, tmp_path_factory):
    """What each verb writes, of the small network."""
    folder = tmp_path_factory.mktemp("records")
    written = {}
    for name, call in CALLS.items():
        written[name] = read_provenance(call(model).save(folder / f"{name}.png"))
    return written


def paths_in(value, path=()):
    """Where a value may be put: every key and entry, and behind the last of each object."""
    paths = [path] if path else []
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, entry in entries:
        paths.append((*path, key))
        if isinstance(entry, (dict, list)):
            paths += paths_in(entry, (*path, key))
    return paths


def changed(record, path, value, is_deleted):
    """A record with another value, or without one, in one place."""
    record = copy.deepcopy(record)
    *way, last = path
    inside = record
    for key in way:
        inside = inside[key]
    if is_deleted:
        del inside[last]
    else:
        inside[last] = value
    return record


def assert_refused_or_made(path):
    try:
        result = convscope.rerun(path)
    except ConvscopeError as error:
        assert len(str(error)) < 1500
        assert str(error).isprintable() or "\n" in str(error)
    else:
        assert isinstance(result, Result)


@pytest.mark.parametrize("verb", CALLS)
def test_a_record_as_it_was_written_is_made_again(verb, records, model, tmp_path, monkeypatch):
    monkeypatch.setattr("convscope.verbs.rerun.load_model", lambda *_, **__: model)
    assert isinstance(convscope.rerun(forge(tmp_path, records[verb])), Result)


@pytest.mark.parametrize("verb", CALLS)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_changed_record_is_refused_or_made(
    verb, data, records, model, tmp_path, monkeypatch, tmp_path_factory
):
    monkeypatch.setattr("convscope.verbs.rerun.load_model", lambda *_, **__: model)
    monkeypatch.chdir(tmp_path)
    record = records[verb]
    path = data.draw(st.sampled_from(paths_in(record)))
    is_deleted = data.draw(st.booleans()) and data.draw(st.booleans())
    forged = changed(record, path, data.draw(values), is_deleted)
    assert_refused_or_made(forge(tmp_path, forged))


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(record=st.one_of(values, st.text(max_size=60)))
def test_any_json_and_any_text_is_refused(record, tmp_path):
    with pytest.raises(InputError, match=r"Convscope did not write|lacks"):
        convscope.rerun(forge(tmp_path, record))


def test_the_small_photo_is_small(records):
    assert records["predict"]["photos"][0]["height"] > SIDE
