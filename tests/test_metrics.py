import contextlib
import io
import warnings
from math import isnan

import numpy as np
import pytest

from visavis import Faces, boxes, metrics

NONE = boxes.as_boxes([])
FACE = [10, 10, 30, 40]
OTHER = [60, 10, 90, 50]
AWAY = [200, 200, 220, 230]


def judged(scores: list[float], right: list[bool], truths: int, photos: int = 10) -> metrics.Judged:
    """A ranked list as `judge` makes it, by hand."""
    order = np.argsort(-np.array(scores), kind="stable")
    where = np.zeros(len(scores), np.int64)
    return metrics.Judged(
        np.array(scores, np.float32)[order], np.array(right, bool)[order], where, where, truths, photos
    )


def some_photos(seed: int, crowds: bool = False) -> tuple[list[Faces], list[Faces], list[boxes.Boxes]]:
    """Labels, and finds near them and elsewhere; with crowds, regions at the right that finds are in or not in."""
    rng = np.random.default_rng(seed)
    truth, found, ignore = [], [], []
    for _ in range(30):
        corner = rng.uniform(0, 400, (rng.integers(0, 6), 2))
        labels = np.hstack([corner, corner + rng.uniform(15, 130, corner.shape)])
        near = np.repeat(labels, rng.integers(0, 3, len(labels)), axis=0)
        near = near + rng.normal(0, 0.07, near.shape) * (near[:, 2:] - near[:, :2]).mean(axis=1, keepdims=True)
        far = rng.uniform(0, 400, (rng.integers(0, 4), 2))
        finds = np.vstack([near, np.hstack([far, far + rng.uniform(15, 130, far.shape)])])
        regions = np.zeros((0, 4))
        if crowds and rng.random() < 0.6:
            regions = np.array([[600.0, 0, 1000, 400], [600, 500, 900, 900]])[: rng.integers(1, 3)]
            inside = rng.uniform(0, 300, (rng.integers(0, 5), 2)) + [600, 0]
            finds = np.vstack([finds, np.hstack([inside, inside + rng.uniform(20, 90, inside.shape)])])
        truth.append(Faces(labels))
        found.append(Faces(finds, rng.permutation(len(finds)) / 7 + rng.uniform(0, 0.1, len(finds))))
        ignore.append(boxes.as_boxes(regions))
    return truth, found, ignore


def by_pycocotools(truth: list[Faces], found: list[Faces], ignore: list[boxes.Boxes]) -> np.ndarray:
    """Mean AP, AP50, AP75, and AP of small, medium and large boxes as the COCO reference has them; ignored regions
    are its crowds."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def rectangle(box: np.ndarray) -> list[float]:
        x1, y1, x2, y2 = box.astype(float)
        return [x1, y1, x2 - x1, y2 - y1]

    labels, finds = [], []
    for photo, (known, seen, regions) in enumerate(zip(truth, found, ignore, strict=True)):
        for box, crowd in [(box, 0) for box in known.boxes] + [(box, 1) for box in regions]:
            size = rectangle(box)
            label = {"id": len(labels) + 1, "image_id": photo, "category_id": 1, "bbox": size}
            labels.append(label | {"area": size[2] * size[3], "iscrowd": crowd})
        for box, score in zip(seen.boxes, seen.scores, strict=True):
            finds.append({"image_id": photo, "category_id": 1, "bbox": rectangle(box), "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": [{"id": photo} for photo in range(len(truth))],
            "annotations": labels,
            "categories": [{"id": 1}],
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(finds), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[:6]


@pytest.mark.parametrize("crowds", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_average_precision_is_cocos(seed: int, crowds: bool):
    photos = some_photos(seed, crowds)
    scores = metrics.score(*photos)
    by_size = [-1 if isnan(ap) else ap for ap in (scores.ap_small, scores.ap_medium, scores.ap_large)]  # as COCO's
    assert [scores.ap, scores.ap50, scores.ap75, *by_size] == pytest.approx(by_pycocotools(*photos), abs=1e-9)
    assert scores.ap_medium > 0.1
    assert 0.1 < scores.ap < scores.ap50 < 1
    if crowds:
        assert metrics.score(*photos[:2]).ap50 < scores.ap50  # the regions do matter


def test_match_gives_each_truth_to_one_find():
    truth = Faces([FACE, OTHER])
    found = Faces([FACE, FACE, OTHER, AWAY], [0.5, 0.9, 0.1, 0.8])
    assert metrics.match(truth, found).tolist() == [metrics.FALSE, 0, 1, metrics.FALSE]


def test_a_find_of_another_size_is_neither():
    truth = Faces([FACE, OTHER])  # 600 and 1,200 square pixels
    found = Faces([OTHER, FACE, [0, 200, 100, 300], AWAY], [0.9, 0.8, 0.7, 0.6])
    assert metrics.match(truth, found, size=(0, 1000)).tolist() == [metrics.NEITHER, 0, metrics.NEITHER, metrics.FALSE]
    small = metrics.judge([truth], [found], size=(0, 1000))
    assert (small.truths, small.right.tolist()) == (1, [True, False])
    assert isnan(metrics.score([Faces([FACE])], [Faces([FACE], [0.9])]).ap_large)
    larger, smaller = Faces([[0, 0, 40, 40]]), Faces([[0, 0, 31, 31]])
    assert metrics.match(larger, smaller, size=(0, 1000)).tolist() == [metrics.NEITHER]


def test_a_find_on_an_ignored_region_is_neither():
    ignore = boxes.as_boxes([[180, 180, 300, 300]])
    half_out = [160, 200, 190, 230]
    found = Faces([FACE, AWAY, half_out, OTHER], [0.9, 0.8, 0.7, 0.6])
    matches = metrics.match(Faces([FACE]), found, 0.5, ignore)
    assert matches.tolist() == [0, metrics.NEITHER, metrics.FALSE, metrics.FALSE]
    # A face that is labelled stays one, though it lies in an ignored region.
    assert metrics.match(Faces([AWAY]), found, 0.5, ignore)[1] == 0
    for iou in metrics.IOUS:  # whether it fits tightly is no question where nothing is known
        assert metrics.match(Faces(), Faces([[178, 178, 240, 240]]), iou, ignore).tolist() == [metrics.NEITHER]


@pytest.mark.parametrize(("side", "small", "medium", "large"), [
    (0.05, True, False, False), (31, True, False, False), (32, True, True, False), (33, False, True, False),
    (96, False, True, True), (97, False, False, True),
])  # fmt: skip
def test_a_size_is_the_area_of_a_square_of_32_and_96_pixels(side: float, small: bool, medium: bool, large: bool):
    face = [10, 10, 10 + side, 10 + side]
    found = metrics.score([Faces([face])], [Faces([face], [0.9])])
    known = [not isnan(value) for value in (found.ap_small, found.ap_medium, found.ap_large)]
    assert known == [small, medium, large] and found.ap == 1


def test_what_overlaps_by_half_is_right_and_half_inside_is_ignored():
    ignore = boxes.as_boxes([[100, 0, 200, 100], [500, 500, 600, 600]])
    found = Faces([[0, 0, 20, 10], [80, 200, 120, 240], [80, 50, 120, 90], [79, 50, 119, 90]], [0.9, 0.8, 0.7, 0.6])
    truth = Faces([[0, 0, 10, 10], [0, 400, 10, 410], [80, 200, 120, 219]])  # 19 of 40 rows of the second find
    assert metrics.match(truth, found, ignore=ignore).tolist() == [0, -1, -2, -1]
    ranked = metrics.judge([truth], [found], ignore=[ignore])
    assert (ranked.right.tolist(), ranked.find.tolist()) == ([True, False, False], [0, 1, 3])


def test_average_precision_by_hand():
    """Right, false, right of four faces: precision 1 up to a recall of .25, 2/3 up to .5, then nothing."""
    ranked = judged([0.9, 0.8, 0.7], [True, False, True], truths=4)
    assert metrics.average_precision(ranked) == pytest.approx((26 * 1 + 25 * 2 / 3) / 101)
    assert metrics.average_precision(judged([], [], 3)) == 0


def test_doubtful_finds_are_false_and_surer_than_half_of_the_right_ones():
    ranked = judged([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [False, True, False, True, False, True], truths=3)
    assert [metrics.doubtful(ranked, threshold) for threshold in (0, 0.7, 0.75, 0.95)] == [2, 2, 1, 0]
    assert metrics.doubtful(judged([0.9], [False], 1), 0) == 0


def test_nothing_against_nothing():
    assert metrics.match(Faces(), Faces()).shape == (0,)
    assert metrics.match(Faces(), Faces([FACE])).tolist() == [metrics.FALSE]
    assert metrics.match(Faces([FACE]), Faces(), ignore=NONE).shape == (0,)


def test_scores_of_empty_sets():
    nobody = metrics.score([], [])
    assert (nobody.photos, nobody.faces) == (0, 0)
    faceless = metrics.score([Faces()], [Faces([FACE], [0.7])])
    for scores in (nobody, faceless):
        assert isnan(scores.ap)
        assert isnan(scores.best_f1)
        assert isnan(scores.recall_at_one)
        assert scores.best_threshold == 0.5
    blind = metrics.score([Faces([FACE])], [Faces()])
    assert (blind.ap, blind.best_f1, blind.best_threshold, blind.recall_at_one) == (0, 0, 0.5, 0)
    perfect = metrics.score([Faces([FACE])], [Faces([FACE], [0.7])])
    assert (perfect.ap, perfect.ap75, perfect.best_f1, perfect.recall_at_tenth) == (1, 1, 1, 1)
    assert perfect.best_threshold == pytest.approx(0.7)
    assert metrics.or_none(nobody.ap) is None
    assert metrics.or_none(0.5) == 0.5


def test_sequences_must_be_of_one_length():
    with pytest.raises(ValueError, match="truth, found and ignore need one entry per photo, and have 1, 2 and 1"):
        metrics.judge([Faces()], [Faces(), Faces()])


def test_judge_ranks_over_photos_and_remembers_where_a_find_is_from():
    truth = [Faces([FACE]), Faces(), Faces([OTHER])]
    found = [Faces([AWAY, FACE], [0.2, 0.9]), Faces([AWAY], [0.95]), Faces([OTHER], [0.5])]
    ranked = metrics.judge(truth, found, ignore=[NONE, boxes.as_boxes([AWAY]), NONE])
    assert ranked.scores == pytest.approx([0.9, 0.5, 0.2])
    assert ranked.right.tolist() == [True, True, False]
    assert (ranked.photo.tolist(), ranked.find.tolist()) == ([0, 2, 0], [1, 0, 0])
    assert (ranked.truths, ranked.photos) == (2, 3)


def test_curve_by_hand():
    over = metrics.curve(judged([0.9, 0.8, 0.8, 0.3], [True, True, False, True], truths=4))
    assert over.thresholds == pytest.approx([0.9, 0.8, 0.3])
    assert over.precision == pytest.approx([1, 2 / 3, 3 / 4])
    assert over.recall == pytest.approx([1 / 4, 2 / 4, 3 / 4])
    assert over.f1 == pytest.approx([2 / 5, 4 / 7, 6 / 8])
    assert over.false.tolist() == [0, 1, 1]
    assert len(metrics.curve(judged([], [], 3)).f1) == 0


def test_best_threshold_lies_between_the_last_kept_and_the_next():
    ranked = judged([0.9, 0.7, 0.5, 0.4], [True, True, False, False], truths=2)
    threshold, f1 = metrics.best_threshold(ranked)
    assert threshold == pytest.approx(0.6)
    assert f1 == 1
    assert metrics.at_threshold(ranked, threshold) == (1, 1, 1)


def test_the_threshold_lies_below_the_last_but_one_score_too():
    assert metrics.best_threshold(judged([0.9, 0.5], [True, False], truths=1)) == (pytest.approx(0.7), 1)
    assert metrics.best_threshold(judged([0.9, 0.5], [True, True], truths=2)) == (0.5, 1)


def test_without_a_label_figures_are_nothing_and_nothing_is_divided_by_zero():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isnan(metrics.recall_at(judged([0.9], [False], truths=0), 1))
        assert metrics.doubtful(judged([0.9, 0.8], [False, False], truths=3), 0.5) == 0
        assert metrics.best_threshold(judged([0.9], [False], truths=3)) == (0.5, 0.0)


def test_the_thresholds_of_ap_are_cocos_and_100_faces_are_not_few():
    assert metrics.IOUS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
    assert metrics.FEW == 100


def test_best_threshold_keeps_exactly_what_it_says_though_scores_nearly_touch():
    high = np.float32(0.7)
    ranked = judged([high, np.nextafter(high, np.float32(0))], [True, False], truths=1)
    threshold, f1 = metrics.best_threshold(ranked)
    assert f1 == 1
    assert (ranked.scores >= threshold).tolist() == [True, False]


@pytest.mark.parametrize("seed", range(5))
def test_best_f1_is_the_highest_over_all_thresholds(seed: int):
    ranked = metrics.judge(*some_photos(seed)[:2])
    threshold, f1 = metrics.best_threshold(ranked)
    every = [metrics.at_threshold(ranked, score)[2] for score in ranked.scores]
    assert f1 == pytest.approx(max(every))
    assert metrics.at_threshold(ranked, threshold)[2] == pytest.approx(f1)


def test_recall_at_false_finds_a_photo():
    ranked = judged([0.9, 0.8, 0.7, 0.6, 0.5], [True, False, True, False, True], truths=4, photos=10)
    at = [metrics.recall_at(ranked, rate) for rate in (0, 0.1, 0.19, 0.2, 1)]
    assert at == [0.25, 0.5, 0.5, 0.75, 0.75]
    assert [metrics.recall_with(ranked, count) for count in (0, 1, 2)] == [0.25, 0.5, 0.75]
    assert metrics.recall_at(judged([0.9, 0.9], [True, False], 1), 0) == 0  # no threshold parts the two


def test_at_threshold_where_nothing_is_left():
    precision, recall, f1 = metrics.at_threshold(judged([0.3], [True], 2), 0.5)
    assert isnan(precision)
    assert (recall, f1) == (0, 0)


def test_f2_gives_up_precision_for_recall():
    ranked = judged([0.9, 0.8, 0.7, 0.6, 0.5], [True, False, False, False, True], truths=2)
    threshold, f1 = metrics.best_threshold(ranked)
    assert (threshold, f1) == pytest.approx((0.85, 2 / 3))  # precision 1, recall 1/2
    threshold, f2 = metrics.best_threshold(ranked, beta=2.0)
    assert (threshold, f2) == pytest.approx((0.5, 5 * 0.4 / (4 * 0.4 + 1)))  # precision 2/5, recall 1
    false = [[200, y, 240, y + 40] for y in (100, 200, 300)]
    scores = metrics.score([Faces([FACE, OTHER])], [Faces([FACE, *false, OTHER], [0.9, 0.8, 0.7, 0.6, 0.5])])
    assert (scores.best_f1, scores.best_f2) == pytest.approx((2 / 3, 2 / 2.6))
    assert (scores.best_threshold, scores.best_f2_threshold) == pytest.approx((0.85, 0.5))
