"""What a group's place does, on a network that can be solved by hand; and where places are told."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from torch import nn

import convscope
from convscope.audit.explainer import ExplainedPhoto
from convscope.audit.output import finer_layer, layer_of
from convscope.audit.place_test import PlaceTest
from convscope.audit.reasons import Group, find_groups
from convscope.photos.listed import Listed
from tests.audit import colored_photos
from tests.audit.test_measures import spots

RED, GRAY = colored_photos.CLASSES.index("red"), colored_photos.CLASSES.index("gray")


def photo(*, tagged: bool, red: bool) -> np.ndarray:
    image = np.full((32, 32, 3), 120, np.uint8)
    if tagged:
        image[-7:-1, 1:7] = (255, 255, 0)
    if red:
        image[4:12, 20:28] = (255, 0, 0)
    return image


def measured(images: list[np.ndarray], group: list[int], predicted: list[int], row: int) -> Group:
    """The test of the cell at the left of a row of 4 x 4, as the place of photos called red."""
    source = Listed([Image.fromarray(image) for image in images])
    photos = [
        ExplainedPhoto(number, entry, predicted[number], predicted[number])
        for number, entry in enumerate(source.walk())
    ]
    heat = np.zeros((4, 4))
    heat[row, 0] = 1
    placed = Group(RED, np.array(group), 0.9, 0.1, heat, is_placed=True)
    return PlaceTest(colored_photos.model(), source, photos)(placed, seed=0)


def test_a_place_that_answers_fall_without_is_a_reason():
    images = [photo(tagged=True, red=False)] * 6 + [photo(tagged=False, red=False)] * 6
    group = measured(images, [*range(6)], [RED] * 6 + [GRAY] * 6, row=3)
    assert group.is_reason
    assert group.changed == 1
    assert group.drop > 0.5
    assert group.drop_elsewhere == pytest.approx(0, abs=1e-3)
    assert group.gain > 0.5
    # No other photo is red, so that the same place is taken from all others.
    assert group.gain_elsewhere == pytest.approx(0, abs=1e-6)


def test_a_place_that_is_enough_is_a_reason_though_the_object_is_enough_too():
    images = [photo(tagged=True, red=True)] * 6 + [photo(tagged=False, red=False)] * 6
    images += [photo(tagged=False, red=True)] * 6
    predicted = [RED] * 6 + [GRAY] * 6 + [RED] * 6
    group = measured(images, [*range(6)], predicted, row=3)
    assert group.changed == 0
    assert group.drop < 0.1
    assert group.gain > 0.5
    assert group.gain_elsewhere == pytest.approx(0, abs=1e-6)
    assert group.is_reason


def test_a_place_that_does_nothing_is_none():
    images = [photo(tagged=True, red=True)] * 6 + [photo(tagged=False, red=False)] * 6
    group = measured(images, [*range(6)], [RED] * 6 + [GRAY] * 6, row=0)
    assert (group.changed, group.is_reason) == (0, False)
    assert group.gain == pytest.approx(0, abs=1e-6)


def test_where_all_photos_get_the_answer_nothing_is_put_into_others():
    images = [photo(tagged=True, red=False)] * 6
    group = measured(images, [*range(6)], [RED] * 6, row=3)
    assert group.gain is None
    assert group.changed == 1
    assert group.is_reason


def test_the_place_is_its_cells_and_one_around_them():
    images = [photo(tagged=True, red=False)] * 6
    source = Listed([Image.fromarray(image) for image in images])
    heat = np.zeros((4, 4))
    heat[3, 0] = 1
    placed = Group(RED, np.arange(6), 0.9, 0.1, heat, is_placed=True)
    hole = PlaceTest(colored_photos.model(), source, [])._hole(placed)[0, 0].numpy()
    expected = np.zeros((32, 32))
    expected[16:, :16] = 1
    np.testing.assert_array_equal(hole, expected)


def test_a_tag_that_only_heat_with_more_places_shows():
    """Only an earlier layer has heat at the tag, on 6 x 6 cells."""
    generator = np.random.default_rng(0)
    coarse = spots([tuple(generator.integers(0, 6, 2)) for _ in range(144)], generator)
    fine = coarse.copy()
    fine[:16] += spots([(5, 0)] * 16, generator)
    predicted = [0] * 48 + [1] * 48 + [2] * 48
    assert not any(group.is_placed for group in find_groups(coarse[:, ::2, ::2], predicted, 0))
    groups = find_groups(coarse[:, ::2, ::2], predicted, 0, fine=fine)
    placed = [group for group in groups if group.is_placed]
    assert len(placed) == 1
    assert len(set(range(16)) & set(placed[0].members.tolist())) >= 15
    assert placed[0].heat.shape == (6, 6)
    assert {group.heat.shape for group in groups if not group.is_placed} <= {(3, 3)}


def conv(channels: int, stride: int) -> nn.Module:
    layers = nn.Conv2d(channels, 4, 3, stride=stride, padding=1), nn.ReLU()
    return nn.Sequential(*layers)


def test_the_finer_layer_is_the_last_stage_with_more_places():
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    stages = conv(3, 1), conv(4, 2), conv(4, 1), conv(4, 2), conv(4, 1)
    model = convscope.load_model(nn.Sequential(*stages, *head).eval(), size=24)
    last = layer_of(model, None)
    assert last == "4"
    assert finer_layer(model, last) == "2.1"  # 12 rows above 6
    assert finer_layer(model, "2") == "0.1"
    assert finer_layer(model, "0") == "0"  # none has more
    larger = convscope.load_model(nn.Sequential(*stages, *head).eval(), size=32)
    assert finer_layer(larger, "2") == "2"  # 16 rows are enough
