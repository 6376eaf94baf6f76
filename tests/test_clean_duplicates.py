from clean.duplicates import Candidate, judge


def test_no_twins_no_verdicts():
    assert judge([]) == {}
    assert judge([Candidate("A/1", "A", "x"), Candidate("A/2", "A", "y")]) == {}


def test_the_best_labelled_one_is_kept_and_the_first_where_they_are_equal():
    three = [Candidate(f"A/{n}", "A", "x", (0.5, 1.0)) for n in (3, 1, 2)]
    verdicts = judge(three)
    assert {image_id for image_id, (keep, _) in verdicts.items() if keep} == {"A/1"}
    assert verdicts["A/1"] == (True, "")
    assert verdicts["A/3"] == (False, "same bytes as A/1, which is kept")
    assert judge([*three, Candidate("A/9", "A", "x", (0.8, 0.0))])["A/9"][0]


def test_of_two_identities_one_photo_stays_for_detection():
    verdicts = judge([Candidate("A/1", "A", "x"), Candidate("B/1", "B", "x"), Candidate("A/2", "A", "x")])
    assert verdicts["A/1"] == (True, "same bytes as B/1 of another identity: for detection, not for identity")
    assert verdicts["A/2"] == (False, "same bytes as A/1, which is kept")
    assert verdicts["B/1"] == (False, "same bytes as A/1 of another identity, which is kept")
