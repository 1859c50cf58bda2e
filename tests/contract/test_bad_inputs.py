"""Bad inputs, each with a fragment of its sentence: one `ConvscopeError`, before a network is
loaded.

The network of the first tables is one that does not exist, so that a check which comes too late
says so instead of what was wrong.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import convscope
from convscope.errors import ConvscopeError

NOWHERE = "nowhere:net"
PHOTO = "sample:chelsea"
NAN, INF = float("nan"), float("inf")

INTEGER = "must be an integer"
NUMBER = "must be a number"

SEEDS = [True, 2.9, "x", "", -1, 2**70, None, NAN, [1], {}, b"1"]
STEPS = [0, -1, 2.9, True, "many", "", "1e20", 10**12, NAN, [1], "²", "1,2"]
SIZES = [0, -4, True, "", "big", 100_000, [64], [64, 64, 64], [64, 0], (1.5, 2), {}, NAN]
RATES = [0, -1, NAN, INF, True, "", "fast", 1e38, [0.1], "1/0"]
BATCHES = [0, -1, 1.5, True, "", None, "all"]
PRESETS: list[object] = [None, 3, [], True, b"distill"]
FLAGS = ["perhaps", 2, None, [], 0.5]
CHOOSE_PRECISION = ("visualize", "class_image")
"""Verbs whose preset chooses the precision where nobody says it."""

LISTS_OF_STEPS = [5, 1.5, True, ["a"], [0], [True], {"a": 1}]

SEEDED = {
    "visualize": {"units": "blocks.3:11"},
    "class_image": {"target": "tabby"},
    "explain": {"photo": PHOTO},
    "invert": {"photo": PHOTO},
    "dream": {"photo": PHOTO},
    "fool": {"photo": PHOTO},
    "caricature": {"photo": PHOTO},
}
ASCENTS = [name for name in SEEDED if name != "explain"]


def table() -> list[tuple[str, dict[str, object], str]]:
    """Verb, arguments that are wrong in one place, and a fragment of the sentence."""
    rows: list[tuple[str, dict[str, object], str]] = []
    for verb in SEEDED:
        rows += [(verb, {"seed": value}, f"{verb}: seed {INTEGER} from 0") for value in SEEDS]
    for verb in ASCENTS:
        rows += [(verb, {"steps": value}, f"{verb}: steps {INTEGER} from 1") for value in STEPS]
        rows += [(verb, {"rate": value}, f"{verb}: rate {NUMBER} above 0") for value in RATES]
        rows += [(verb, {"preset": value}, f"{verb}: preset must be text") for value in PRESETS]
        flags = [value for value in FLAGS if value is not None or verb not in CHOOSE_PRECISION]
        rows += [(verb, {"half": value}, f"{verb}: half must be true or false") for value in flags]
    for verb in ("visualize", "class_image"):
        rows += [(verb, {"size": value}, f"{verb}: size must be") for value in SIZES]
        rows += [(verb, {"batch": value}, f"{verb}: batch {INTEGER} of 1") for value in BATCHES]
        rows += [(verb, {"snapshots": v}, "snapshots must be a list of") for v in LISTS_OF_STEPS]
    return rows


BY_HAND: list[tuple[str, dict[str, object], str]] = [
    ("explain", {"method": 5}, "method must be text or a list of texts; 5"),
    ("explain", {"method": {}}, "method must be text"),
    ("explain", {"method": [3]}, "method must be text"),
    ("explain", {"layer": 3}, "layer must be text"),
    ("explain", {"layer": ["a", 3]}, "layer must be text"),
    ("explain", {"target": 2.5}, "target must be an integer"),
    ("explain", {"target": True}, "target must be an integer"),
    ("explain", {"target": {}}, "target must be an integer"),
    ("explain", {"target": [1.5]}, "target must be an integer"),
    ("explain", {"photo": None}, "No photo was given"),
    ("explain", {"photo": []}, "No photo was given"),
    ("explain", {"photo": "nowhere.jpg"}, "nowhere.jpg"),
    ("explain", {"photo": Path("nowhere.jpg")}, "nowhere.jpg"),
    ("explain", {"photo": 3}, "int"),
    ("explain", {"photo": torch.zeros(1, 3, 4, 4).to_sparse()}, "The tensor is sparse"),
    ("explain", {"photo": torch.zeros(1, 3, 4, 4, device="meta")}, "The tensor is a meta tensor"),
    ("report", {"photo": PHOTO, "out": "x.png"}, "x.png must end in .html"),
    ("report", {"photo": PHOTO, "out": "/dev/null/x.html"}, "cannot be written"),
    ("audit", {"photos": "photos/", "out": "x.png"}, "x.png must end in .html"),
    ("explain", {"photo": "sample:nobody"}, "no sample photo"),
    ("predict", {"photo": PHOTO, "top": 0}, f"top {INTEGER} of 1 or more"),
    ("predict", {"photo": PHOTO, "top": "three"}, f"top {INTEGER}"),
    ("predict", {"photo": PHOTO, "top": None}, f"top {INTEGER}"),
    ("predict", {"photo": PHOTO, "top": 1.0}, f"top {INTEGER}"),
    ("predict", {"photo": PHOTO, "tpo": 3}, "predict has no argument 'tpo'; did you mean 'top'?"),
    ("predict", {}, "missing a required argument: 'photo'"),
    ("predict", {"photo": PHOTO, "seed": 1}, "predict has no argument 'seed'"),
    ("activations", {"photo": PHOTO, "layers": 3}, "layers must be"),
    ("activations", {"photo": PHOTO, "layers": [None]}, "layers must be"),
    ("layers", {"match": 3}, "match must be text"),
    ("layers", {"match": None}, "match must be text"),
    ("visualize", {"units": None}, "units must be"),
    ("visualize", {"units": 3}, "units must be"),
    ("visualize", {"units": b"blocks.3:11"}, "units must be"),
    ("visualize", {"start": "foo"}, "start must be noise, photo or mean; 'foo'"),
    ("visualize", {"optimizer": "sgd"}, "optimizer must be ascent, adam, nadam or padam; 'sgd'"),
    ("visualize", {"blur": 1e308}, f"blur {NUMBER} from 0 to 4,096"),
    ("visualize", {"jitter": 2**63}, f"jitter {INTEGER} from 0 to 4,096"),
    ("visualize", {"redirect": -5}, f"redirect {INTEGER} of 0 or more; -5"),
    ("visualize", {"patience": -1}, f"patience {INTEGER} of 1 or more; -1"),
    ("visualize", {"diversity": 0}, f"diversity {INTEGER} from 1"),
    ("visualize", {"diversity": 10**9}, f"diversity {INTEGER} from 1"),
    ("visualize", {"diversity_weight": NAN}, f"diversity_weight {NUMBER}"),
    ("visualize", {"transforms": ["jitter"]}, "transforms must be text"),
    ("visualize", {"transforms": 5}, "transforms must be text"),
    ("visualize", {"regularizers": {}}, "regularizers must be text"),
    ("visualize", {"parameterization": 1}, "parameterization must be text"),
    ("visualize", {"photo": "nowhere.jpg"}, "nowhere.jpg"),
    ("dream", {"octave_scale": NAN}, f"octave_scale {NUMBER} above 1"),
    ("dream", {"octave_scale": 1.0}, f"octave_scale {NUMBER} above 1"),
    ("dream", {"octave_scale": 1e9}, f"octave_scale {NUMBER} above 1"),
    ("dream", {"octaves": 0}, f"octaves {INTEGER} from 1 to 64"),
    ("dream", {"octaves": 10**6}, f"octaves {INTEGER} from 1 to 64"),
    ("dream", {"tile": 0}, f"tile {INTEGER} of 1 or more"),
    ("dream", {"layer": 4}, "layer must be text"),
    ("caricature", {"power": NAN}, f"power {NUMBER}"),
    ("caricature", {"power": "strong"}, f"power {NUMBER}"),
    ("class_image", {"target": 1.5}, "target must be an integer"),
    ("class_image", {"target": None}, "target must be an integer"),
    ("evaluate", {"photo": PHOTO, "result": None}, "result must be"),
    ("evaluate", {"photo": PHOTO, "result": 3}, "result must be"),
    ("evaluate", {"photo": PHOTO, "result": "a.npz", "metric": 3}, "metric must be text"),
]


def row_id(row: tuple[str, dict[str, object], str]) -> str:
    verb, arguments, _ = row
    return f"{verb}-{list(arguments.items())[-1:]}"[:80]


@pytest.mark.parametrize("row", [*table(), *BY_HAND], ids=row_id)
def test_arguments_are_refused_before_a_network_is_loaded(row):
    verb, arguments, sentence = row
    with pytest.raises(ConvscopeError) as raised:
        getattr(convscope, verb)(NOWHERE, **{**SEEDED.get(verb, {}), **arguments})
    said = str(raised.value)
    assert sentence in said
    assert "\n" not in said
    assert len(said) < 500


PARTS = [
    ("transforms", "jitter(-8)", "jitter: pixels must be an integer from 0"),
    ("transforms", "jitter(1.5)", "jitter: pixels must be an integer"),
    ("transforms", "jitter(99999999)", "jitter: pixels must be an integer from 0"),
    ("transforms", "pad(1000000)", "pad: pixels must be an integer from 0"),
    ("transforms", "pad(-1)", "pad: pixels must be an integer from 0"),
    ("transforms", "crop(0)", "crop: count must be an integer from 1"),
    ("transforms", "crop(2,0,0.5)", "crop: low must be a number above 0"),
    ("transforms", "scale(0)", "scale: low must be a number above 0"),
    ("transforms", "scale(-1,2)", "scale: low must be a number above 0"),
    ("transforms", "rotate(nan)", "rotate: degrees must be a number"),
    ("transforms", "blur(-1)", "blur: sigma must be a number from 0"),
    ("transforms", "flip(2)", "flip: probability must be a number from 0 to 1"),
    ("transforms", "noise(inf)", "noise: uniform must be a number"),
    ("transforms", "shake(3)", "no transform 'shake'"),
    ("transforms", "jitter(pixel=3)", "no option 'pixel'; did you mean 'pixels'"),
    ("parameterization", "cppn(0)", "cppn: hidden must be an integer from 1"),
    ("parameterization", "cppn(99999999)", "cppn: hidden must be an integer from 1"),
    ("parameterization", "laplacian(-1)", "laplacian: levels must be an integer of 1"),
    ("parameterization", "pixels(noise=-1)", "pixels: noise must be a number of 0"),
    ("parameterization", "fourrier", "did you mean 'fourier'"),
    ("regularizers", "border(-3)", "border: width must be an integer of 0"),
    ("regularizers", "l1(gray=2)", "l1: gray must be a number from 0 to 1"),
    ("regularizers", "total_variation(0)", "total_variation: power must be a number above 0"),
    ("regularizers", "tv", "no regularizer 'tv'"),
    ("preset", "distil", "did you mean 'distill'"),
]


@pytest.mark.parametrize(("option", "text", "sentence"), PARTS, ids=lambda word: str(word)[:40])
def test_parts_written_badly(embedded, option, text, sentence):
    with pytest.raises(ConvscopeError) as raised:
        convscope.visualize(embedded, "blocks.1:0", steps=1, size=16, **{option: text})
    assert sentence in str(raised.value)


UNITS = [
    ("blocks.1:9999999999", "blocks.1"),
    ("blocks.1:-3", "blocks.1"),
    ("blocks.1:²", "²"),
    ("blocks.1:" + "9" * 5000, "is not a unit"),
    ("nolayer:1", "nolayer"),
    ("blocks.1:0:999,0", "blocks.1"),
    ("0.5*", "0.5"),
    ("(" * 3000 + "blocks.1:0" + ")" * 3000, ""),
    ("blocks.1:0-99999999", "blocks.1"),
    ("", "unit"),
    ("1 +", "1"),
    ("logit(no such class at all)", "no class"),
]


@pytest.mark.parametrize(("text", "sentence"), UNITS, ids=lambda word: str(word)[:20])
def test_units_that_do_not_exist(embedded, text, sentence):
    with pytest.raises(ConvscopeError) as raised:
        convscope.visualize(embedded, text, steps=1, size=16)
    assert sentence in str(raised.value)
    assert len(str(raised.value)) < 1000


METHOD_OPTIONS = [
    ("rise", {"cells": 999}, "rise: cells must be an integer from 1 to 64; 999"),
    ("lime", {"cells": 0}, "lime: cells must be an integer from 1 to 64"),
    ("rise", {"masks": 10**9}, "rise: masks must be an integer from 1 to 1,000,000"),
    ("smoothgrad", {"noise": INF}, "smoothgrad: noise must be a number of 0 or more"),
    ("smoothgrad", {"samples": True}, "smoothgrad: samples must be an integer"),
    ("occlusion", {"baseline": "red"}, "occlusion: baseline must be mean, black, white or blur"),
    ("grad_cam", {"samples": 3}, "grad_cam has no option 'samples'"),
    ("gradcam", {}, "did you mean 'grad_cam'"),
    ("", {}, "No attribution method was given"),
]


@pytest.mark.parametrize(("method", "options", "sentence"), METHOD_OPTIONS)
def test_options_of_methods(embedded, method, options, sentence):
    with pytest.raises(ConvscopeError) as raised:
        convscope.explain(embedded, PHOTO, method=method, target=281, **options)
    assert sentence in str(raised.value)


LOADING = [
    {"bgr": "no way"},
    {"head": "zzz"},
    {"mean": "123x"},
    {"mean": NAN},
    {"std": INF},
    {"std": -1},
    {"std": 0},
    {"size": True},
    {"size": [0, 3]},
    {"size": 5_000_000},
    {"size": "x"},
    {"scale": NAN},
    {"crop": 0},
    {"crop": -1},
    {"crop": "x"},
    {"interpolation": "sinc"},
    {"labels": 5},
    {"labels": ["a", "b"]},
    {"labels": "nowhere.txt"},
    {"device": 3},
    {"device": "moon"},
    {"weights": 3.5},
    {"weights": "nowhere.pt"},
    {"nonsense": 1},
    {"mean_image": "nowhere.npy"},
]


@pytest.mark.parametrize("options", LOADING, ids=str)
def test_options_of_loading(options):
    with pytest.raises(ConvscopeError) as raised:
        convscope.load_model(None, **options)
    assert next(iter(options)) in str(raised.value) or "nowhere" in str(raised.value)


MODELS = [3, [], {}, b"x", "nowhere:x", "torchvision:vgg160", "timm:", "file:nowhere.pt", "a:b:c"]


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_models_that_do_not_exist(model):
    with pytest.raises(ConvscopeError):
        convscope.load_model(model)


def test_numpy_numbers_are_numbers(embedded):
    plain = convscope.predict(embedded, PHOTO, top=2)
    same = convscope.predict(embedded, PHOTO, top=np.int64(2))
    assert same.table == plain.table
    assert convscope.predict(embedded, PHOTO, top="2").table == plain.table


@pytest.mark.parametrize("path", [None, 3, b"x.png", "x.bmp", "x", Path("x.bmp"), ""], ids=str)
def test_places_to_save_that_are_none(embedded, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = convscope.predict(embedded, PHOTO, top=1)
    with pytest.raises(ConvscopeError):
        result.save(path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [None, 3, "nowhere.png", Path("nowhere.png"), "."], ids=str)
def test_pictures_that_cannot_be_made_again(path):
    with pytest.raises(ConvscopeError):
        convscope.rerun(path)


class Raising(Exception):
    """What a user's own function raises."""


def test_a_callers_own_function_keeps_its_traceback(embedded):
    def target(output):
        raise Raising("mine")

    with pytest.raises(Raising, match="mine") as caught:
        convscope.explain(embedded, PHOTO, target=target)
    assert caught.traceback[-1].name == "target"
    assert caught.value.__notes__ == ["The target function 'target', which was given, raised it."]


def test_the_table_is_long_enough():
    rows = [*table(), *BY_HAND, *PARTS, *UNITS, *METHOD_OPTIONS, *LOADING, *MODELS]
    assert len(rows) >= 250
