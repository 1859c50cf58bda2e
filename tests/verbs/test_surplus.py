"""What would be ignored is refused: photos that are too many, steps that do not exist, options of
a picture that is none."""

from __future__ import annotations

import numpy as np
import pytest

import convscope
from convscope.errors import OptionError
from convscope.synthesis.objective import objective
from tests.quick_verbs import LAYER, photo, small_model

SMALL = {"steps": 2, "size": 24}
TWO = [photo(0), photo(1)]


def explained(model, photos):
    return convscope.explain(model, photos, layer=LAYER, target=1)


SURPLUS = {
    "visualize": (
        lambda model: convscope.visualize(model, "second:1", photo=TWO, **SMALL),
        "2 photos were given for 1 picture;",
    ),
    "visualize, several": (
        lambda model: convscope.visualize(model, "second:0-2", photo=TWO, **SMALL),
        "2 photos were given for 3 pictures",
    ),
    "visualize from noise": (
        lambda model: convscope.visualize(model, "second:1", photo=TWO[0], start="noise", **SMALL),
        "nothing starts from the photo",
    ),
    "visualize from the mean": (
        lambda model: convscope.visualize(model, "second:1", photo=TWO[0], start="mean", **SMALL),
        "nothing starts from the photo",
    ),
    "dream": (
        lambda model: convscope.dream(model, TWO, layer=LAYER, steps=2, octaves=1),
        "one photo at a time; 2",
    ),
    "intervene": (
        lambda model: convscope.intervene(model, TWO, "second:1"),
        "one photo at a time; 2",
    ),
    "evaluate": (
        lambda model: convscope.evaluate(model, TWO, explained(model, TWO[:1])),
        "about 1 photo, and 2 were given",
    ),
    "evaluate, too few": (
        lambda model: convscope.evaluate(model, TWO[:1], explained(model, TWO)),
        "about 2 photo",
    ),
    "explain": (
        lambda model: convscope.explain(model, TWO, layer=LAYER, target=[1, 2, 3]),
        "3 targets were given for 2 images",
    ),
    "fool": (
        lambda model: convscope.fool(model, TWO, target=[1, 2, 3], steps=2),
        "3 targets were given for 2 photos",
    ),
}

IGNORED = {
    "blur_every": (
        lambda model: convscope.visualize(model, "second:1", blur_every=2, **SMALL),
        "blur_every=2 says when to blur, and nothing is blurred",
    ),
    "blur of frequencies": (
        lambda model: convscope.visualize(model, "second:1", blur=1.0, **SMALL),
        "blur=1.0 blurs pixels between steps, and fourier has none",
    ),
    "blur of phases": (
        lambda model: convscope.class_image(model, 1, preset="maco", blur=1.0, **SMALL),
        "maco has none",
    ),
    "noise, from the mean": (
        lambda model: convscope.visualize(model, "second:1", start="mean", noise=0.5, **SMALL),
        "noise=0.5 is for pictures that start from noise",
    ),
    "noise, from a photo": (
        lambda model: convscope.visualize(model, "second:1", photo=TWO[0], noise=0.5, **SMALL),
        "noise=0.5 is for pictures that start from noise",
    ),
    "diversity_weight": (
        lambda model: convscope.visualize(model, "second:1", diversity_weight=3.0, **SMALL),
        "diversity_weight=3.0 drives faces apart, and each unit has one",
    ),
    "octave_scale": (
        lambda model: convscope.dream(
            model, TWO[0], layer=LAYER, octaves=1, octave_scale=1.2, steps=2
        ),
        "octave_scale=1.2 is the ratio of two sizes, and there is one",
    ),
    "overview, target": (
        lambda model: convscope.overview(model, TWO[0], target=1),
        "target tell an attribution method what to do, and none is named",
    ),
    "overview, layer and option": (
        lambda model: convscope.overview(model, TWO[0], layer=LAYER, samples=3),
        "layer and samples tell an attribution method",
    ),
    "explain, two methods at the image": (
        lambda model: convscope.explain(model, TWO[0], method="saliency,occlusion", layer=LAYER),
        "saliency and occlusion look at the image, not at a layer",
    ),
    "concepts, target": (
        lambda model: convscope.concepts(model, TWO, layer=LAYER, count=2, target=1),
        "target=1 is what the importance is for, and it is not measured",
    ),
}


@pytest.mark.parametrize("case", IGNORED)
def test_an_option_that_would_change_nothing_is_refused(case):
    call, sentence = IGNORED[case]
    with pytest.raises(OptionError, match=sentence) as raised:
        call(small_model())
    assert "\n" not in str(raised.value)


def test_a_layer_for_one_of_two_methods_is_no_surplus():
    result = convscope.explain(
        small_model(), TWO[0], method="saliency,grad_cam", layer="first", target=1
    )
    assert "grad_cam.attribution" in result.arrays


def test_blur_between_steps_smooths_pixels():
    sharp, smooth = (
        convscope.visualize(
            small_model(), "second:1", parameterization="pixels", blur=blur, seed=1, **SMALL
        )["image"]
        for blur in (0, 2.0)
    )
    assert np.abs(np.diff(smooth)).mean() < 0.5 * np.abs(np.diff(sharp)).mean()


@pytest.mark.parametrize("case", SURPLUS)
def test_a_photo_or_target_too_many_is_refused(case):
    call, sentence = SURPLUS[case]
    with pytest.raises(convscope.errors.ConvscopeError, match=sentence) as raised:
        call(small_model())
    assert "\n" not in str(raised.value)


def test_a_photo_that_is_compared_with_is_no_surplus():
    model = small_model()
    goal = objective("match", layer=LAYER)
    result = convscope.visualize(model, goal, photo=TWO[0], start="noise", **SMALL)
    assert result["image"].shape == (1, 3, 24, 24)


def test_one_photo_for_each_picture_is_no_surplus():
    result = convscope.visualize(small_model(), "second:0-1", photo=TWO, **SMALL)
    assert len(result["image"]) == 2


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"snapshots": [99]}, r"no step 99 to keep \(snapshots\): it ends after 2"),
        ({"snapshots": [1, 3]}, "no step 3"),
        ({"show_every": 3}, "show_every=3 shows nothing of 2 steps"),
    ],
)
@pytest.mark.parametrize("verb", ["visualize", "class_image", "caricature", "invert", "fool"])
def test_steps_that_do_not_exist_cannot_be_kept(verb, options, sentence):
    what = {"visualize": "second:1", "class_image": 1}.get(verb, photo())
    more = {"fool": {"target": 2}, "caricature": {"layer": LAYER}, "invert": {"layer": LAYER}}
    with pytest.raises(OptionError, match=sentence):
        getattr(convscope, verb)(small_model(), what, steps=2, **more.get(verb, {}), **options)


@pytest.mark.parametrize("ending", ["npz", "json", "csv"])
def test_options_of_a_picture_that_is_none(ending, tmp_path):
    result = explained(small_model(), TWO[:1])
    with pytest.raises(
        OptionError, match=rf"A \.{ending} file holds no picture, so it takes no style="
    ):
        result.save(tmp_path / f"x.{ending}", style="overlay")
    assert list(tmp_path.iterdir()) == []
