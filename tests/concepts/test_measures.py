"""What is measured of concepts: stability, intervals, the curve of their number, deletion."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import convscope
from convscope.concepts.intervals import mean_interval
from convscope.concepts.stability import matched_cosines, stability
from convscope.verbs._concept_rows import note_on
from tests.small_networks import color_network


def test_directions_are_matched_whatever_their_order_and_length():
    directions = np.eye(3, 5, dtype=np.float32)
    shuffled = 3 * directions[[2, 0, 1]]
    np.testing.assert_allclose(matched_cosines(directions, shuffled), 1)
    turned = directions.copy()
    turned[1] = [0, 1, 0, 0, 1]
    np.testing.assert_allclose(matched_cosines(directions, turned), [1, 0.5**0.5, 1], rtol=1e-6)
    mean, each = stability([directions, shuffled, turned])
    assert mean == pytest.approx((1 + 2 * (2 + 0.5**0.5) / 3) / 3)
    np.testing.assert_allclose(each, [1, (1 + 0.5**0.5) / 2, 1], rtol=1e-6)


def test_one_to_one_matching_beats_each_ones_nearest():
    """Both directions lie nearest to the same one; only one of them may have it."""
    first = np.array([[1, 0], [0.9, 0.1]], np.float32)
    second = np.array([[1, 0.05], [0, 1]], np.float32)
    matched = matched_cosines(first, second)
    assert matched[0] > 0.9
    assert matched[1] < 0.2


def test_an_interval_is_that_of_scipy():
    from scipy.stats import bootstrap

    values = np.random.default_rng(0).normal(3, 2, (40, 2)).astype(np.float32)
    low, high = mean_interval(values, 0)
    for column in range(2):
        oracle = bootstrap(
            (values[:, column],), np.mean, n_resamples=4000, method="percentile", rng=0
        ).confidence_interval
        assert low[column] == pytest.approx(oracle.low, abs=0.08)
        assert high[column] == pytest.approx(oracle.high, abs=0.08)


def test_five_seeds_tell_stable_from_unstable(trunk, photos):
    options = {"layer": "third", "count": 3, "seeds": 5}
    stable = convscope.concepts(trunk, photos, method="pca", **options)
    assert stable["stability"] == pytest.approx([1], abs=1e-5)
    assert stable.note == ""
    assert all(row["stability"] == pytest.approx(1, abs=1e-5) for row in stable.table)
    unstable = convscope.concepts(
        trunk, photos, layer="third", method="sparse_autoencoder", count=40, steps=2, seeds=3
    )
    assert unstable["stability"][0] < 0.9
    assert f"is {unstable['stability'][0]:.2f}, below 0.9" in unstable.note


def test_a_count_is_chosen_where_the_answers_are_kept(trunk, photos):
    """As many as keep 95 %, one less does not."""
    result = convscope.concepts(trunk, photos, layer="third", method="pca", count=None)
    count = len(result["directions"])
    kept = dict(result["curve"].tolist())
    assert kept[count] >= 0.95
    assert count == 1 or kept[count - 1] < 0.95
    for number, share in kept.items():
        alone = convscope.concepts(trunk, photos, layer="third", method="pca", count=int(number))
        assert alone["kept"][0] == pytest.approx(share)
    assert f"{'keeps' if count == 1 else 'keep'} {result['kept'][0]:.0%}" in result.note


def three_colors():
    """A network whose first score is the mean of red plus half the mean of green."""
    network = color_network(torch.eye(3), torch.tensor([[8.0, 4, 0], [0, 0, 0]]))
    return convscope.load_model(network, size=8)


def test_deletion_takes_the_most_important_concept_first():
    """By hand: 12 / 3 of score with all colors, a third of each photo being one of them."""
    photo = np.zeros((9, 9, 3), np.float32)
    for channel in range(3):
        photo[:, 3 * channel : 3 * channel + 3, channel] = 1
    model = three_colors()
    model = convscope.load_model(model.network, size=9)
    result = convscope.concepts(
        model, [photo, photo], layer="0", count=3, target=0, importance=True
    )
    logistic = [1 / (1 + np.exp(-score)) for score in (4, 4 / 3, 0, 0)]
    for at in range(2):
        np.testing.assert_allclose(result["deletion"][at], logistic, atol=1e-3)
        gained = [1 / (1 + np.exp(-score)) for score in (0, 8 / 3, 4, 4)]
        np.testing.assert_allclose(result["insertion"][at], gained, atol=1e-3)


def test_a_concept_that_speaks_against_the_target_is_taken_away_last():
    """By hand: red adds 8 / 3, blue 3 / 3, green takes 6 / 3; green matters more than blue."""
    photo = np.zeros((9, 9, 3), np.float32)
    for channel in range(3):
        photo[:, 3 * channel : 3 * channel + 3, channel] = 1
    network = color_network(torch.eye(3), torch.tensor([[8.0, -6, 3], [0, 0, 0]]))
    model = convscope.load_model(network, size=9)
    result = convscope.concepts(
        model, [photo, photo], layer="0", count=3, target=0, importance=True
    )
    color = result["directions"].argmax(1).tolist()
    importance = dict(zip(color, result["importance"][0].tolist(), strict=True))
    assert importance[0] > importance[1] > importance[2] > 0
    logistic = [1 / (1 + np.exp(-score)) for score in (5 / 3, -1, -2, 0)]
    np.testing.assert_allclose(result["deletion"][0], logistic, atol=1e-3)
    gained = [1 / (1 + np.exp(-score)) for score in (0, 8 / 3, 11 / 3, 5 / 3)]
    np.testing.assert_allclose(result["insertion"][0], gained, atol=1e-3)


def test_a_concept_matters_for_the_class_that_reads_it():
    """Photos of one color each, asked about two classes: red is read by the first."""
    network = color_network(torch.eye(3), 5 * torch.eye(3))
    model = convscope.load_model(network, size=8, labels=["red", "green", "blue"])
    photos = [np.zeros((8, 8, 3), np.float32) for _ in range(6)]
    for at, photo in enumerate(photos):
        photo[..., at % 3] = 1
    result = convscope.concepts(model, photos, layer="0", count=3, importance=True)
    for row, direction in zip(result.table, result["directions"], strict=True):
        assert row["matters_for"] == ["red", "green", "blue"][int(direction.argmax())]


def test_one_photo_has_no_interval(trunk, photos):
    result = convscope.concepts(trunk, photos[0], layer="third", count=2, target=1, importance=True)
    assert {(row["low"], row["high"]) for row in result.table} == {(None, None)}


def test_cards_show_the_crops_that_a_concept_fires_most_on():
    """Each color fires where it is; the crop of the best photo has nothing but that color."""
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 3, 1, bias=False),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(3, 3, bias=False),
    )
    with torch.no_grad():
        network[0].weight.copy_(torch.eye(3)[:, :, None, None])
    model = convscope.load_model(network, size=32)
    squares = []
    for at in range(6):
        photo = np.zeros((32, 32, 3), np.float32)
        photo[4:20, 8:24, at % 3] = 0.5 + 0.1 * (at // 3)
        photo[12, 16, at % 3] = 1
        squares.append(photo)
    result = convscope.concepts(model, squares, layer="0", count=3, cards=True, importance=True)
    assert result["picture"].shape[:2] == (3, 3)
    assert result["crop"].shape == (3, 4, 3, 96, 96)
    for index, direction in enumerate(result["directions"]):
        color = int(direction.argmax())
        best = result["crop"][index, 0].mean((1, 2))
        assert best[color] > 0.5
        assert best.sum() == pytest.approx(best[color])
    assert result.details["captions"][0].startswith("importance ")
    assert result.picture().size[0] > 300


def row(**changes):
    return {"concept": 0, "name": "sea", "value": 1.0, "is_significant": True} | changes


def test_the_note_agrees_with_the_number():
    """In the singular and in the plural."""
    silent, doubtful = row(value=0.0), row(is_significant=False)
    assert note_on([silent, row(), row()], {}, 1) == "1 of 3 concepts never fires on the photos."
    assert note_on([silent, silent], {}, 1) == "2 of 2 concepts never fire on the photos."
    assert "sea is not significant: the classes are no more sensitive to it than" in note_on(
        [doubtful, row()], {}, 1
    )
    assert "sea, sea are not significant: the classes are no more sensitive to them" in note_on(
        [doubtful, doubtful], {}, 1
    )
    kept = {"curve": np.ones(1), "kept": np.array([0.97])}
    assert note_on([row()], kept, 1) == "1 concept keeps 97% of the top predictions."
    assert note_on([row(), row()], kept, 1) == "2 concepts keep 97% of the top predictions."
