"""Objects that nobody expects, for every argument of every verb: a sentence, never a traceback of
Python's own, and never an answer that took minutes."""

from __future__ import annotations

import datetime
import enum
import inspect
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import convscope
from convscope.errors import ConvscopeError
from tests.quick_verbs import LAYER, VERBS, photo, small_model, small_network

NOWHERE = "nowhere:net"
"""A network that does not exist: what is not refused before it is loaded ends there."""


class Unprintable:
    """An object that cannot be shown."""

    def __repr__(self) -> str:
        raise ZeroDivisionError


class Mode(enum.Enum):
    """A word of the caller's own."""

    FIRST = 1


def within_itself() -> list[object]:
    """A list that contains itself."""
    rows: list[object] = []
    rows.append(rows)
    return rows


def nested(depth: int) -> list[object]:
    """A list in a list in a list ..."""
    rows: list[object] = []
    for _ in range(depth):
        rows = [rows]
    return rows


ODD: list[object] = [
    within_itself(),
    nested(5000),
    Unprintable(),
    Mode.FIRST,
    memoryview(b"x"),
    torch.Size([2]),
    torch.zeros(2, 2, device="meta"),
    torch.zeros(2).to_sparse(),
    torch.zeros(2, requires_grad=True),
    torch.nn.Linear(1, 1),
    np.array(["a"]),
    np.array([None], dtype=object),
    np.zeros(2, dtype=[("a", int)]),
    np.ma.masked,
    np.float64("nan"),
    datetime.date(2020, 1, 1),
    range(3),
    iter([1]),
    {1},
    {1: 2},
    Ellipsis,
    1j,
    2**63,
    1e308,
    "\ud800",
    "a\nb",
    "\x00",
    "9" * 5000,
    "a" * 10_000,
    Path("/dev/null"),
    [[]],
    convscope,
]


def arguments_of(verb: str) -> list[str]:
    """The names of what a verb takes."""
    function = getattr(convscope, verb)
    return [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]


def required_of(verb: str) -> dict[str, object]:
    """What a verb cannot do without, all of it valid."""
    values = {
        "photo": photo(),
        "photos": [photo()],
        "folder": "photos",
        "units": "second:1",
        "unit": "second:1",
        "target": 1,
        "row": 3,
        "column": 3,
        "result": "x.npz",
        "path": "x.png",
    }
    parameters = inspect.signature(getattr(convscope, verb)).parameters
    return {
        name: values[name]
        for name, parameter in parameters.items()
        if parameter.default is inspect.Parameter.empty and name in values
    }


@pytest.mark.parametrize("verb", [*VERBS, "report"])
def test_odd_objects_are_refused_in_one_sentence(verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = arguments_of(verb)
    network = {"model": NOWHERE} if "model" in names else {}
    for name in [name for name in names if name != "model"]:
        for value in ODD:
            with pytest.raises(ConvscopeError) as raised:
                getattr(convscope, verb)(**{**network, **required_of(verb), name: value})
            said = str(raised.value)
            assert "\n" not in said, (name, said)
            assert len(said) < 1000, (name, said[:200])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", range(len(ODD)))
def test_odd_networks_are_refused_in_one_sentence(value):
    if isinstance(ODD[value], torch.nn.Module):
        return  # a network, and its own error is the caller's
    with pytest.raises(ConvscopeError) as raised:
        convscope.load_model(ODD[value])
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 1000


OF_LOADING = ["size", "mean", "std", "scale", "mean_image", "crop", "labels", "inputs", "weights"]


@pytest.mark.parametrize("name", OF_LOADING)
def test_odd_options_of_loading_are_refused_in_one_sentence(name):
    network = small_network()
    for value in ODD:
        try:
            convscope.load_model(network, **{"size": 32, name: value})
        except ConvscopeError as error:
            assert "\n" not in str(error), value
            assert len(str(error)) < 1000, value


@pytest.mark.parametrize(
    ("option", "place"), [("labels", "pipe"), ("labels", "/dev/zero"), ("mean_image", "pipe.npy")]
)
def test_a_file_that_never_ends_is_not_read(option, place, tmp_path):
    if not place.startswith("/"):
        place = str(tmp_path / place)
        os.mkfifo(place)
    with pytest.raises(ConvscopeError, match=r"no labels file|no file"):
        convscope.load_model(small_network(), size=32, **{option: place})


def test_the_labels_of_an_audit_may_be_a_path_and_nothing_odd(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(2):
        Image.fromarray(photo(number)).save(photos / f"{number}.png")
    table = tmp_path / "labels.csv"
    table.write_text("photo,label\n0.png,0\n1.png,1\n")
    options = {"layer": LAYER, "unit_steps": 0, "out": str(tmp_path / "audit.html")}
    result = convscope.audit(small_model(), str(photos), labels=table, **options)
    assert [row["label"] for row in result.table] == ["class 0", "class 1"]
    for labels in [1.5, datetime.date(2020, 1, 1), [1.5, 2], within_itself(), "x" * 5000]:
        with pytest.raises(ConvscopeError, match="labels") as raised:
            convscope.audit(small_model(), str(photos), labels=labels, **options)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("value", range(len(ODD)))
def test_odd_names_and_ends_are_refused_in_one_sentence(value):
    result = convscope.predict(small_model(), photo(), top=1)
    for call in (lambda odd: result[odd], lambda odd: convscope.interpolate(odd, odd, 2)):
        with pytest.raises(ConvscopeError) as raised:
            call(ODD[value])
        assert "\n" not in str(raised.value)


def test_a_size_of_torch_is_a_size():
    small = convscope.load_image(photo(), size=torch.Size([24, 20]))
    assert small.shape == (1, 3, 24, 20)
