"""What would be ignored is refused: photos that are too many, steps that do not exist, options of
a picture that is none."""

from __future__ import annotations

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
