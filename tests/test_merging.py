"""Finds of several looks as one: what goes and what stays, by literal shares."""

from visavis.detectors.merging import merged
from visavis.faces import Faces

SURER = [0, 0, 100, 100]


def kept(box: list[float]) -> bool:
    """Whether a less sure find beside a surer one of 100 x 100 pixels stays."""
    return len(merged([Faces([SURER], [0.9]), Faces([box], [0.5])])) == 2


def test_a_part_of_a_surer_face_goes_from_seven_tenths_on():
    # 50 x 50 pixels, of which 36, 34 columns lie in the surer one: shares of .72 and .68, at an IoU below .2
    assert not kept([64, 0, 114, 50])
    assert kept([66, 0, 116, 50])


def test_the_same_face_goes_from_an_overlap_of_two_fifths_on():
    # 100 x 100 pixels, moved aside: 57 of 143, 58 of 142 columns are shared
    assert kept([43, 0, 143, 100])
    assert not kept([42, 0, 142, 100])
