import numpy as np
import skimage.data

from clean import likeness
from clean.duplicates import Candidate, judge
from visavis.images import decode, encode, resize

ASTRONAUT, COFFEE = skimage.data.astronaut(), skimage.data.coffee()


def test_no_twins_no_verdicts():
    assert judge([]).verdicts == {}
    found = judge([Candidate("A/1", "A", "x"), Candidate("A/2", "A", "y")])
    assert (found.verdicts, found.groups) == ({}, {})


def test_the_best_labelled_one_is_kept_and_the_first_where_they_are_equal():
    three = [Candidate(f"A/{n}", "A", "x", (0.5, 1.0)) for n in (1, 2, 3)]
    found = judge(three)
    assert {image_id for image_id, (keep, _) in found.verdicts.items() if keep} == {"A/1"}
    assert found.verdicts["A/1"] == (True, "")
    assert found.verdicts["A/3"] == (False, "same bytes as A/1, which is kept")
    assert found.groups == {"A/1": "A/1", "A/2": "A/1", "A/3": "A/1"}
    assert judge([*three, Candidate("A/9", "A", "x", (0.8, 0.0))]).verdicts["A/9"][0]


def test_of_two_identities_one_photo_stays_for_detection():
    verdicts = judge([Candidate("A/1", "A", "x"), Candidate("B/1", "B", "x"), Candidate("A/2", "A", "x")]).verdicts
    assert verdicts["A/1"] == (True, "same bytes as B/1 of another identity: for detection, not for identity")
    assert verdicts["A/2"] == (False, "same bytes as A/1, which is kept")
    assert verdicts["B/1"] == (False, "same bytes as A/1 of another identity, which is kept")


def copies(photo: np.ndarray) -> dict[str, np.ndarray]:
    """What the web makes of a photo."""
    height, width = photo.shape[:2]
    return {
        "saved": decode(encode(photo, quality=40)),
        "halved": resize(photo, (height // 2, width // 2)),
        "mirrored": photo[:, ::-1],
        "cropped": photo[height // 25 :, : -width // 22],
        "all": decode(encode(resize(photo[height // 30 :, width // 30 :, :][:, ::-1], (200, 230)), quality=50)),
    }


def test_copies_look_the_same_and_other_photos_do_not():
    for photo in (ASTRONAUT, COFFEE, skimage.data.rocket()):
        whole = likeness.of(photo)
        for name, copy in copies(photo).items():
            same = list(likeness.pairs([whole, likeness.of(copy)]))
            assert same and same[0][2] >= (likeness.ALIKE if name == "all" else likeness.SAME), name
    others = [ASTRONAUT, COFFEE, skimage.data.rocket(), skimage.data.chelsea(), 255 - ASTRONAUT, ASTRONAUT[:250, :250]]
    assert list(likeness.pairs([likeness.of(photo) for photo in others])) == []
    assert list(likeness.pairs([])) == list(likeness.pairs([likeness.of(COFFEE)])) == []


def test_the_distance_is_the_one_that_is_stated():
    one = likeness.of(ASTRONAUT)
    for bits, near in ((likeness.DISTANCE, True), (likeness.DISTANCE + 1, False)):
        # Nothing but the whole photos' hashes is near: the others are made as far as can be.
        other = likeness.Likeness(~one.hashes, one.thumbnail)
        other.hashes[0] = one.hashes[0] ^ np.uint64((1 << bits) - 1)
        assert bool(list(likeness.pairs([one, other]))) == near


def test_blocks_make_no_difference(monkeypatch):
    some = [likeness.of(photo) for photo in (*copies(ASTRONAUT).values(), *copies(COFFEE).values())]
    whole = sorted(likeness.pairs(some))
    monkeypatch.setattr(likeness, "_BLOCK", 1)
    assert sorted(likeness.pairs(some)) == whole
    assert {(i, j) for i, j, _ in whole} >= {(0, 1), (0, 2), (5, 6), (5, 7)}
    assert not [(i, j) for i, j, _ in whole if i < 5 <= j]


def test_a_likeness_as_text_is_the_same_again():
    one = likeness.of(ASTRONAUT)
    again = likeness.Likeness.parse(str(one))
    assert (again.hashes == one.hashes).all() and (again.thumbnail == one.thumbnail).all()
    assert len(str(one)) < 1000


def test_look_alikes_are_dropped_for_the_kept_one_and_grouped():
    mirrored, other = likeness.of(ASTRONAUT[:, ::-1]), likeness.of(COFFEE)
    found = judge(
        [
            Candidate("A/1", "A", "x", (0.5,), likeness.of(ASTRONAUT)),
            Candidate("A/2", "A", "y", (0.9,), mirrored),
            Candidate("B/1", "B", "y", (0.1,), mirrored),
            Candidate("B/2", "B", "z", (0.9,), other),
        ]
    )
    assert found.verdicts == {
        "A/2": (True, "same bytes as B/1 of another identity: for detection, not for identity"),
        "A/1": (False, "same look as A/2, which is kept"),
        "B/1": (False, "same bytes as A/2 of another identity, which is kept"),
    }
    assert found.groups == {"A/1": "A/1", "A/2": "A/1", "B/1": "A/1"}


def test_the_nearly_alike_are_kept_and_grouped(monkeypatch):
    values = {(0, 1): 0.9, (1, 2): 0.7, (0, 2): 0.1}
    monkeypatch.setattr(
        likeness, "pairs", lambda some: ((*pair, value) for pair, value in values.items() if value >= likeness.ALIKE)
    )
    like = likeness.of(COFFEE)
    found = judge([Candidate(f"A/{n}", "A", str(n), (), like) for n in (1, 2, 3)])
    assert found.verdicts == {"A/1": (True, ""), "A/2": (False, "same look as A/1, which is kept")}
    assert found.groups == dict.fromkeys(("A/1", "A/2", "A/3"), "A/1")  # over A/2, which is gone
