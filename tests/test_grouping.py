"""Grouping faces without names, and what a grouping and pairs of photos are worth, on cases worked out by hand."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from visavis.analysers.identity.grouping import NOBODY, alike, apart, grouped, tolerance_for
from visavis.analysers.identity.neighbours import links, nearest_stranger
from visavis.errors import InputError
from visavis.evaluation import pairs
from visavis.evaluation.grouping import agreement, false_matches

NAN = float("nan")


def rows(*values: float) -> np.ndarray:
    """Encodings of two numbers, on a line."""
    return np.array([[value, 0] for value in values], np.float32).reshape(-1, 2)


def people(count: int, faces: int, spread: float = 0.03) -> tuple[np.ndarray, np.ndarray]:
    """(N, 128) encodings like those of real faces, and who each is: a person's are about 0.48 apart, and those of two
    people 0.7 or more."""
    dice = np.random.default_rng(1)
    middles = dice.normal(size=(count, 128)) * 0.065
    who = np.repeat(np.arange(count), faces)
    return (middles[who] + dice.normal(size=(len(who), 128)) * spread).astype(np.float32), who


def same_groups(one: np.ndarray, other: np.ndarray) -> bool:
    return (
        len(set(zip(one.tolist(), other.tolist(), strict=True))) == len(set(one.tolist())) == len(set(other.tolist()))
    )


def test_groups_end_where_the_root_mean_square_of_distances_is_above_the_tolerance():
    # 0 and 0.3 join; 0.7 is sqrt((0.49 + 0.16) / 2) = 0.570 from them, and between two and one it is 0.05 less
    assert grouped(rows(0, 0.3, 0.7), 0.61).tolist() == [0, 0, 1]
    assert grouped(rows(0, 0.3, 0.7), 0.63).tolist() == [0, 0, 0]
    assert grouped(rows(), 0.5).tolist() == []
    assert grouped(rows(1), 0.5).tolist() == [0]


def test_two_single_faces_must_be_nearer_than_groups():
    assert grouped(rows(0, 0.45), 0.54).tolist() == [0, 1]
    assert grouped(rows(0, 0.45), 0.56).tolist() == [0, 0]
    # from 0, 0.2 to 0.6, 0.8 it is sqrt((0.36 + 0.64 + 0.16 + 0.36) / 4) = 0.616, and of four pairs it is 0.025 less
    assert grouped(rows(0, 0.2, 0.6, 0.8), 0.63).tolist() == [0, 0, 1, 1]
    assert grouped(rows(0, 0.2, 0.6, 0.8), 0.65).tolist() == [0, 0, 0, 0]
    assert grouped(rows(0, 0.01), 0.05).tolist() == [0, 1]  # less than that is none


@pytest.mark.parametrize("tolerance", [0.3, 0.45, 0.6, 0.8])
def test_the_groups_are_those_of_average_linkage_on_the_whole_matrix(tolerance: float, monkeypatch: pytest.MonkeyPatch):
    """Where small groups have the same tolerance."""
    monkeypatch.setattr("visavis.analysers.identity.grouping.STRICTER", 0)
    encodings, _ = people(30, 6, 0.05)
    whole = fcluster(linkage(pdist(encodings, "sqeuclidean"), "average"), tolerance**2, "distance")
    assert same_groups(grouped(encodings, tolerance), whole)


def test_the_tolerance_falls_with_the_number_of_faces():
    assert [round(tolerance_for(faces), 3) for faces in (0, 10, 100, 1000, 10_000, 50_000)] == [
        0.6, 0.6, 0.592, 0.563, 0.534, 0.514]  # fmt: skip


def test_people_are_told_apart():
    encodings, who = people(200, 5)
    assert same_groups(grouped(encodings, 0.6), who)


def test_faces_that_have_a_group_keep_it_and_no_two_groups_are_joined():
    near = rows(0, 0.1, 0.2, 0.9, 1.0)
    assert grouped(near, 0.5, [7, NOBODY, 3, NOBODY, NOBODY]).tolist()[::2] == [7, 3, 8]
    assert grouped(near, 0.5, [7, NOBODY, 3, NOBODY, NOBODY])[1] in (7, 3)
    assert grouped(near, 0.5, [NOBODY] * 5).tolist() == [0, 0, 0, 1, 1]
    assert grouped(near, 0.5, [NOBODY] * 5, first=7).tolist() == [7, 7, 7, 8, 8]


def test_nobody_is_twice_in_a_photo():
    assert grouped(rows(0, 0.1, 0.3), 0.5, photos=[1, 1, 2]).tolist() == [0, 1, 1]
    assert grouped(rows(0, 0.1, 0.3), 0.5, photos=[1, 2, 2]).tolist() == [0, 0, 1]


def test_a_face_without_an_encoding_is_in_no_group():
    assert grouped(rows(0, NAN, 0.1), 0.5).tolist() == [0, NOBODY, 0]


def test_of_very_many_neighbours_the_nearest_are_linked():
    here, there = links(rows(0, 0.1, 0.3, 0.6, 5), 0.55, 2)
    assert sorted(zip(here.tolist(), there.tolist(), strict=True)) == [
        (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (3, 1), (3, 2)]  # fmt: skip


def test_distances_within_groups_and_groups_that_are_near():
    faces, groups = rows(0, 0.3, 2, 0.5, 0.7), np.array([4, 4, 5, 6, 6])
    assert apart(faces, groups).tolist() == pytest.approx([0.3, 0.3, NAN, 0.2, 0.2], nan_ok=True, abs=1e-6)
    # between 4 and 6: the mean of 0.25, 0.49, 0.04 and 0.16 is 0.235, of which the root is 0.485
    assert alike(faces, groups, 0.48) == []
    assert alike(faces, groups, 0.49) == [(4, 6)]


def test_the_nearest_stranger():
    found = nearest_stranger(rows(0, 1, 1.5, 9), np.array(["ann", "ann", "ben", "cid"]))
    assert found.tolist() == pytest.approx([1.5, 0.5, 0.5, 7.5])
    assert nearest_stranger(rows(0, 1), np.array(["ann", "ann"])).tolist() == [np.inf, np.inf]


def test_false_matches_in_a_thousand_faces():
    faces, who = rows(0, 1, 1.5, 9), ["ann", "ann", "ben", "cid"]
    assert false_matches(faces, who, 0.6) == {4: 500.0}
    assert false_matches(faces, who, 0.4) == {4: 0.0}


def test_agreement_by_hand():
    # Three faces of Ann, two of Ben, one of Cid; Ann's third is with Ben's.
    found = agreement(["ann", "ann", "ann", "ben", "ben", "cid"], [1, 1, 2, 2, 2, 3])
    assert found["pairs_precision"] == pytest.approx(2 / 4)  # together are 1-2 and three pairs of group 2, of which one
    assert found["pairs_recall"] == pytest.approx(2 / 4)  # of Ann's three pairs and Ben's one
    assert found["bcubed_precision"] == pytest.approx((1 + 1 + 1 / 3 + 2 / 3 + 2 / 3 + 1) / 6)
    assert found["bcubed_recall"] == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 + 1 + 1) / 6)
    assert found["bcubed_f1"] == pytest.approx(7 / 9)
    assert set(agreement([], []).values()) == {1.0, 0.0}
    assert set(agreement(["ann", "ben"], [0, 1]).values()) == {1.0}


def test_the_threshold_is_in_the_middle_of_the_best_ones():
    same = np.array([True, True, True, False, False])
    assert pairs.best_threshold(np.array([0.1, 0.2, 0.5, 0.7, 0.8]), same) == pytest.approx(0.6)
    # Up to 0.2 or up to 0.5, four are right
    assert pairs.best_threshold(np.array([0.1, 0.2, 0.5, 0.4, 0.8]), same) in (pytest.approx(0.3), pytest.approx(0.65))
    with pytest.raises(InputError, match="in none of the pairs"):
        pairs.best_threshold(np.array([np.inf, -np.inf]), np.array([True, False]))


def test_a_pair_without_a_face_is_an_error_at_every_threshold():
    same = np.array([True, False, True, False])
    distance = pairs.errors_where_unfound(np.array([NAN, NAN, 0.3, 0.9]), same)
    for threshold in (0.0, 0.5, 9.0):
        assert pairs.answers(distance, same, threshold)[:2].tolist() == [False, False]
    assert pairs.best_threshold(distance, same) == pytest.approx(0.6)


def test_folds_are_those_of_lfw_or_each_has_its_share_of_both_kinds():
    order = np.array(([True] * 300 + [False] * 300) * 5)
    assert pairs.folds(order).tolist() == [pair // 600 for pair in range(3000)]
    others = pairs.folds(np.array([True] * 20 + [False] * 30))
    assert [(others[:20] == fold).sum() for fold in range(10)] == [2] * 10
    assert [(others[20:] == fold).sum() for fold in range(10)] == [3] * 10


def test_accuracy_takes_each_threshold_from_the_other_folds():
    # Fold 0 alone would put it between 0.1 and 0.3, fold 1 alone between 0.5 and 0.6.
    distance = np.array([0.1, 0.3, 0.5, 0.6])
    same, fold = np.array([True, False, True, False]), np.array([0, 0, 1, 1])
    found = pairs.figures(distance, same, fold)
    assert found["thresholds"] == pytest.approx([0.55, 0.2])
    assert found["accuracies"] == [0.5, 0.5] and found["accuracy"] == 0.5
    with pytest.raises(InputError, match="one fold"):
        pairs.figures(distance, same, np.zeros(4, int))


def test_the_roc_curve_by_hand():
    distance, same = np.array([0.1, 0.2, 0.3, 0.4]), np.array([True, False, True, False])
    curve = pairs.roc(distance, same)
    assert curve.false.tolist() == [0, 0, 0.5, 0.5, 1] and curve.right.tolist() == [0, 0.5, 0.5, 1, 1]
    assert curve.area == pytest.approx(0.75) and curve.equal_error == 0.5
    assert curve.right_at(0.4) == 0.5 and curve.right_at(0.5) == 1.0
    unfound = pairs.roc(pairs.errors_where_unfound(np.array([0.1, NAN, NAN, 0.4]), same), same)
    assert unfound.right.max() == 0.5 and unfound.false.min() == 0.5 and unfound.area == pytest.approx(0.25)
