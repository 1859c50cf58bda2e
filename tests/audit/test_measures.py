"""Accuracy, calibration and confusions against scipy, scikit-learn, and sums by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import confusion_matrix as reference_matrix
from sklearn.metrics import precision_recall_fscore_support

from convscope.audit.clustering import partitions, unit_rows
from convscope.audit.measures import (
    accuracy,
    calibration_error,
    class_measures,
    confusion_matrix,
    confusions,
)
from convscope.audit.place_groups import placed_photos
from convscope.audit.predictions import Predictions
from convscope.audit.reasons import find_groups
from convscope.audit.selection import select
from convscope.audit.suspect_labels import suspect_labels


def predictions(label, predicted, probability=None, label_probability=None):
    count = len(label)
    label, predicted = np.asarray(label), np.asarray(predicted)
    sure = np.full(count, 0.9) if probability is None else np.asarray(probability)
    left = np.where(label == predicted, sure, 1 - sure)
    left = left if label_probability is None else np.asarray(label_probability)
    names = [f"{number}.png" for number in range(count)]
    return Predictions(
        np.arange(count),
        names,
        label,
        names,
        predicted,
        sure,
        left,
        (label != predicted).astype(int),
        sure - left,
        [],
    )


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_of_accuracy_is_wilson_s(right, count, low, high):
    """The table of Newcombe (1998), method 3."""
    interval = accuracy(np.arange(count) < right)
    assert interval.value == right / count
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


def test_six_right_photos_do_not_say_that_all_are_right():
    interval = accuracy(np.ones(6, bool))
    assert interval.value == interval.high == 1
    # 1 / (1 + z^2 / n)
    assert interval.low == pytest.approx(1 / (1 + stats.norm.ppf(0.975) ** 2 / 6))


def test_the_calibration_error_by_hand():
    probability = np.array([0.95, 0.95, 0.65, 0.65])
    right = np.array([True, False, True, True])
    interval, bins = calibration_error(probability, right, 0)
    # |0.5 - 0.95| of half the answers, |1 - 0.65| of the others
    assert interval.value == pytest.approx(0.5 * 0.45 + 0.5 * 0.35)
    assert interval.low <= interval.value <= interval.high
    assert sum(entry.photos for entry in bins) == 4
    assert [entry.accuracy for entry in bins if entry.photos] == [1.0, 0.5]


def calibration_intervals(gap, count=300, repeats=40):
    """Of answers that are right less often by `gap` than they say."""
    generator = np.random.default_rng(0)
    for _ in range(repeats):
        probability = generator.beta(5, 1.2, count)
        right = generator.random(count) < probability - gap
        yield calibration_error(probability, right, 0)[0]


def test_the_interval_of_calibrated_answers_begins_at_zero():
    """The bootstrap's percentiles leave 0 out in each of these draws."""
    intervals = list(calibration_intervals(0.0))
    assert all(0 <= entry.low <= entry.value <= entry.high for entry in intervals)
    assert sum(entry.low == 0 for entry in intervals) >= 36
    assert min(entry.value for entry in intervals) > 0.01


def test_the_interval_of_the_calibration_error_holds_the_true_one():
    # Every bin has the same gap, so that it is the error of infinitely many photos; no answer says
    # so little that none could be right less often.
    intervals = list(calibration_intervals(0.1))
    assert all(entry.low <= entry.value <= entry.high for entry in intervals)
    assert sum(entry.low <= 0.1 <= entry.high for entry in intervals) >= 34
    assert sum(entry.low > 0 for entry in intervals) >= 30


def test_classes_and_confusions_are_scikit_learn_s():
    generator = np.random.default_rng(1)
    label = generator.integers(0, 4, 300)
    predicted = np.where(generator.random(300) < 0.7, label, generator.integers(0, 4, 300))
    rows = predictions(label, predicted)
    matrix = confusion_matrix(label, predicted, 4)
    assert np.array_equal(matrix, reference_matrix(label, predicted))
    precision, recall, _, support = precision_recall_fscore_support(label, predicted)
    for measure in class_measures(rows):
        assert measure.recall.value == pytest.approx(recall[measure.index])
        assert measure.precision == pytest.approx(precision[measure.index])
        assert measure.photos == support[measure.index]
    off = matrix - np.diag(np.diag(matrix))
    first = confusions(rows)[0]
    assert first.photos == off.max() == off[first.label, first.predicted]


def test_the_worst_mistake_leaves_its_label_the_least():
    rows = predictions([0, 0, 0, 1], [1, 1, 0, 1], [0.6, 0.99, 0.9, 0.9], [0.3, 0.001, 0.9, 0.9])
    assert rows.mistakes.tolist() == [1, 0]


def test_labels_are_suspect_only_where_chance_does_not_explain_them():
    label = [0] * 50 + [1] * 50
    predicted = np.array(label)
    predicted[:5] = 1
    sure = np.full(100, 0.99)
    assert suspect_labels(predictions(label, predicted, sure, 1 - sure)).indices.size == 0
    left = np.where(predicted == label, 0.99, 0.001)
    suspects = suspect_labels(predictions(label, predicted, sure, left))
    assert suspects.is_alarm
    assert set(suspects.indices.tolist()) == {0, 1, 2, 3, 4}
    single = predictions(label, np.array([1, *label[1:]]), sure, np.array([0.001, *sure[1:]]))
    assert not suspect_labels(single).is_alarm


@pytest.mark.parametrize(
    ("mistakes", "suspects", "is_alarm"),
    [(1000, 600, True), (11000, 3000, True), (1000, 167, False), (1000, 210, True)],
)
def test_many_suspect_labels_are_more_than_chance_explains(mistakes, suspects, is_alarm):
    """167 of 1,000 mistakes are a fifth of the other 833: what is expected. 210 are 52 more than
    the 158 expected then: four standard deviations."""
    label, predicted = np.repeat([0, 1], [mistakes, 10]), np.ones(mistakes + 10, int)
    left = np.full(len(label), 0.9)
    left[:mistakes] = 0.2
    left[:suspects] = 0.001
    measured = suspect_labels(predictions(label, predicted, np.full(len(label), 0.9), left))
    assert len(measured.indices) == suspects
    assert measured.expected == pytest.approx(0.2 * (mistakes - suspects))
    assert measured.is_alarm == is_alarm


def test_the_eigengap_counts_clusters_that_are_far_apart():
    generator = np.random.default_rng(0)
    centers = np.eye(3)[np.repeat(np.arange(3), 20)]
    rows = unit_rows(np.abs(np.pad(centers, ((0, 0), (0, 7))) + 0.05 * generator.random((60, 10))))
    first = partitions(rows, 0)[0]
    assert len({tuple(np.flatnonzero(first == number)) for number in np.unique(first)}) == 3
    assert all(len(set(first[at : at + 20].tolist())) == 1 for at in (0, 20, 40))


def spots(places, generator):
    """A heatmap (6 x 6) with one round spot for each place."""
    rows, columns = np.mgrid[:6, :6]
    heat = [np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 2) for row, column in places]
    return np.stack(heat) + 0.05 * generator.random((len(places), 6, 6))


def test_a_place_is_odd_only_where_others_do_not_look():
    generator = np.random.default_rng(0)
    anywhere = [tuple(generator.integers(0, 6, 2)) for _ in range(72)]
    predicted = [0] * 36 + [1] * 36
    heat = spots(anywhere, generator)
    assert not any(group.is_candidate for group in find_groups(heat, predicted, 0))
    heat[:12] = spots([(5, 0)] * 12, generator)
    oddest = find_groups(heat, predicted, 0)[0]
    assert oddest.is_candidate
    assert set(range(12)) <= set(oddest.members.tolist())
    assert len(oddest.members) <= 13
    # Where all photos look at one place, as at a centered object, it is no odd one.
    same = spots([(3, 3)] * 72, generator)
    assert not any(group.is_candidate for group in find_groups(same, predicted, 0))


def test_a_place_reaches_beyond_the_cells_that_tell_it():
    """A tag lies on two cells; one of ten other photos has as much heat at the second, too, so
    that it is not significant alone. Filling the first alone would leave half of the tag."""
    generator = np.random.default_rng(0)
    heat = 0.01 * generator.random((200, 36))
    heat[:100, :30] += np.eye(30)[generator.integers(0, 30, 100)]
    heat[100:, :30] += np.eye(30)[generator.integers(0, 30, 100)]
    heat[:25] = 0.01 * generator.random((25, 36))
    heat[:25, [30, 31]] += 1
    heat[150:165, 31] += 1
    rows, classes = unit_rows(heat), np.repeat([0, 1], 100)
    placed = placed_photos(rows, rows, classes, 0, (6, 6), 5)
    assert placed is not None
    assert placed.cells.tolist() == [30, 31]
    assert placed.members.tolist() == list(range(25))


def test_a_place_where_other_photos_look_too_is_no_class_s_own():
    generator = np.random.default_rng(0)
    heat = 0.01 * generator.random((200, 36))
    heat[:, 14] += 0.5 + 0.2 * generator.random(200)
    heat[:25, 14] += 1
    heat += 0.1 * generator.random((200, 36))
    rows, classes = unit_rows(heat), np.repeat([0, 1], 100)
    assert placed_photos(rows, rows, classes, 0, (6, 6), 5) is None
    heat[25:, 14] = 0
    rows = unit_rows(heat)
    placed = placed_photos(rows, rows, classes, 0, (6, 6), 5)
    assert placed is not None
    assert placed.members.tolist() == list(range(25))


def test_a_photo_whose_object_stands_at_the_place_is_not_of_the_group():
    generator = np.random.default_rng(0)
    heat = spots([tuple(generator.integers(0, 6, 2)) for _ in range(144)], generator)
    heat[:16] += spots([(5, 0)] * 16, generator)
    heat[16:20] = spots([(5, 0)] * 4, generator)
    predicted = [0] * 48 + [1] * 48 + [2] * 48
    objects = np.zeros_like(heat)
    objects[16:20, 4:, :2] = 1
    without, with_objects = (find_groups(heat, predicted, 0, known)[0] for known in (None, objects))
    assert without.is_placed
    assert with_objects.is_placed
    assert set(range(16, 20)) <= set(without.members.tolist())
    assert not set(range(16, 20)) & set(with_objects.members.tolist())
    assert len(set(range(16)) & set(with_objects.members.tolist())) >= 15


def test_a_tag_beside_the_object_is_a_place_of_its_own():
    """Each photo has heat at its object, anywhere; a third of one class also at a corner,
    so that no two heatmaps are alike. Shuffled classes have no such group."""
    generator = np.random.default_rng(0)
    heat = spots([tuple(generator.integers(0, 6, 2)) for _ in range(144)], generator)
    tagged = np.arange(16)
    heat[tagged] += spots([(5, 0)] * 16, generator)
    predicted = [0] * 48 + [1] * 48 + [2] * 48
    groups = find_groups(heat, predicted, 0)
    assert [group.predicted for group in groups if group.is_placed] == [0]
    members = set(groups[0].members.tolist())
    assert len(members & set(tagged.tolist())) >= 15
    assert len(members) <= 17
    assert groups[0].is_candidate
    assert groups[0].heat.argmax() == 30
    assert groups[0].heat[:3].max() == 0
    others = {place for group in groups[1:] for place in group.members.tolist()}
    assert not members & others
    for seed in range(20):
        shuffled = np.random.default_rng(seed).permutation(predicted).tolist()
        assert not any(group.is_placed for group in find_groups(heat[16:], shuffled[16:], 0)[:1])


def test_elsewhere_is_the_mean_over_all_other_photos():
    """Those of a placed group, too: their heat counts like that of any other photo."""
    generator = np.random.default_rng(0)
    heat = spots([tuple(generator.integers(0, 6, 2)) for _ in range(144)], generator)
    heat[:16] += spots([(5, 0)] * 16, generator)
    groups = find_groups(heat, [0] * 48 + [1] * 48 + [2] * 48, 0)
    assert {group.is_placed for group in groups} == {False, True}
    lengths = np.sqrt((heat**2).sum((1, 2)))
    for group in groups:
        cosines = (heat * group.heat).sum((1, 2)) / lengths
        is_member = np.isin(np.arange(144), group.members)
        assert group.same_place == pytest.approx(cosines[is_member].mean())
        assert group.elsewhere == pytest.approx(cosines[~is_member].mean())


def test_copies_of_one_photo_are_parted_by_nothing():
    """All photos of a class have the same heat, at a place where no other photo has any."""
    generator = np.random.default_rng(0)
    heat = 0.01 * generator.random((60, 36))
    heat[:20] = heat[0]
    heat[:20, 30] = 1
    heat[20:, :30] += np.eye(30)[generator.integers(0, 30, 40)]
    rows, classes = unit_rows(heat), np.repeat([0, 1, 2], 20)
    assert placed_photos(rows, rows, classes, 0, (6, 6), 5) is None
    (first, *_) = find_groups(heat.reshape(60, 6, 6), classes.tolist(), 0)
    assert first.is_candidate
    assert first.members.tolist() == list(range(20))
    assert np.isfinite(first.heat).all()


def test_as_many_mistakes_are_chosen_as_are_shown():
    label = np.zeros(60, int)
    predicted = np.repeat([1, 0], [20, 40])
    rows = predictions(label, predicted)
    for worst, most, expected in ((20, 20, 20), (12, 20, 12), (3, 20, 5), (1, 1, 1)):
        chosen = select(rows, most, worst, seed=0)
        assert len(chosen) == most
        assert set(chosen[:expected].tolist()) <= set(range(20))
        assert chosen[:expected].tolist() == rows.mistakes[:expected].tolist()
