"""Options and targets that make no sense are one sentence, before anything is computed."""

from __future__ import annotations

import pytest

import convscope
from convscope import atlas
from convscope.errors import ConvscopeError, ImageError, InputError, OptionError, TargetError


@pytest.mark.parametrize(
    ("method", "options", "sentence"),
    [
        ("rise", {"cells": 0}, "rise: cells must be an integer from 1 to 64; 0"),
        (
            "rise",
            {"keep": 2.0},
            "rise: keep must be a number above 0 and at most 1; 2.0",
        ),
        (
            "integrated_gradients",
            {"steps": 0},
            "integrated_gradients: steps must be an integer from 1 to 1,000; 0",
        ),
        (
            "occlusion",
            {"window": 0},
            "occlusion: window must be an integer of 1 or more; 0",
        ),
        (
            "score_cam",
            {"most": -4},
            "score_cam: most must be an integer of 1 or more; -4",
        ),
        (
            "finer_cam",
            {"rivals": 0},
            "finer_cam: rivals must be an integer of 1 or more; 0",
        ),
        (
            "smoothgrad",
            {"noise": -1},
            "smoothgrad: noise must be a number of 0 or more; -1",
        ),
        (
            "vargrad",
            {"samples": 1},
            "vargrad: one copy has no variance; samples must be 2 or more, 1 was given.",
        ),
        (
            "kernel_shap",
            {"samples": 3},
            "kernel_shap: 7 x 7 cells need at least 49 samples; 3 was given.",
        ),
        ("grad_cam", {"layer": "classifier"}, "Layer 'classifier' has no places"),
        ("random_map", {"seed": "a"}, "explain: seed must be an integer from 0"),
        (
            "rise",
            {"masks": "many"},
            "rise: masks must be an integer from 1 to 1,000,000; 'many'",
        ),
    ],
)
def test_options_of_methods(embedded, chelsea, method, options, sentence):
    with pytest.raises(OptionError) as raised:
        convscope.explain(embedded, chelsea, method=method, target=281, **options)
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("tabby vs tabby", "Both sides of 'tabby vs tabby' are class 281 (tabby)"),
        ("tabby vs ", "A target's label is empty"),
        ("", "A target's label is empty"),
        ("crane", "'crane' fits 2 classes: 134 (crane), 517 (crane); give the index."),
    ],
)
def test_targets(embedded, chelsea, target, sentence):
    with pytest.raises(TargetError) as raised:
        convscope.explain(embedded, chelsea, target=target)
    assert str(raised.value).startswith(sentence)


def test_no_photo(embedded):
    with pytest.raises(ImageError, match="No photo was given"):
        convscope.explain(embedded, None)


@pytest.mark.parametrize(
    ("metric", "options"),
    [("insertion", {"points": 0}), ("road", {"shares": "0,200"}), ("road", {"shares": "a"})],
)
def test_options_of_metrics(embedded, chelsea, metric, options):
    result = convscope.explain(embedded, chelsea, target=281)
    with pytest.raises(OptionError, match=f"{metric}: "):
        convscope.evaluate(embedded, chelsea, result, metric=metric, **options)


def test_a_heatmap_is_measured_on_its_own_photo(embedded, chelsea):
    result = convscope.explain(embedded, chelsea, target=281)
    with pytest.raises(OptionError, match="made from another photo"):
        convscope.evaluate(embedded, chelsea[:, ::-1].copy(), result, metric="insertion", points=2)
    assert convscope.evaluate(embedded, chelsea.copy(), result, metric="insertion", points=2).table


def test_what_is_no_atlas(tmp_path):
    file = tmp_path / "photo.jpg"
    file.write_text("no atlas")
    for place, sentence in (
        (file, "There is no atlas at"),
        (tmp_path, "holds nothing of an atlas"),
    ):
        for read in (atlas.open, atlas.verify, atlas.ls, atlas.compact):
            with pytest.raises(InputError, match=sentence):
                read(str(place))


def test_a_refused_build_leaves_no_folder(embedded, tmp_path):
    with pytest.raises(ConvscopeError):
        atlas.build(embedded, "nolayer", str(tmp_path / "at"))
    with pytest.raises(ConvscopeError):
        atlas.build(embedded, "blocks.0", str(tmp_path / "at"), size=0, steps=4)
    assert not (tmp_path / "at").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"regularizers": "opacity"}, "opacity reads the opacity of an image, and fourier makes"),
        ({"transforms": "composite"}, "composite reads the opacity of an image, and fourier"),
        ({"preset": "transparent", "transforms": "pad(4)"}, "transparent makes images with an"),
        ({"parameterization": "transparent"}, "transparent makes images with an opacity"),
    ],
)
def test_opacity_goes_with_images_that_have_one(embedded, options, sentence):
    with pytest.raises(OptionError) as raised:
        convscope.visualize(embedded, "blocks.1:0", steps=1, size=16, **options)
    assert str(raised.value).startswith(sentence)
