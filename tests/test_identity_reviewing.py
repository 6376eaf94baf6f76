"""What is said of a folder of people whose photos are not what they should be, beyond test_identity_people.py."""

from pathlib import Path

import numpy as np
from PIL import Image
from portraits_of_people import around

from visavis.analysers.identity.encoders import load_encoder
from visavis.analysers.identity.gallery import name_in, read_gallery
from visavis.analysers.identity.known import Gallery
from visavis.analysers.identity.reviewing import reviewed

ADA, BEN, CID = (np.eye(128, dtype=np.float32)[axis] * 0.6 for axis in range(3))
"""0.85 apart from each other."""


def notes(**photos: list[np.ndarray]) -> list[str]:
    """What is said of people with photos of these encodings; the photos of Ada are called Ada/0, Ada/1 ..."""
    people = tuple(photos)
    owners = [number for number, some in enumerate(photos.values()) for _ in some]
    paths = [Path(person) / str(number) for person, some in photos.items() for number in range(len(some))]
    encodings = np.array([one for some in photos.values() for one in some])
    known = reviewed(Gallery(people, encodings, np.array(owners), "face_recognition/1"), paths)
    assert known.people == people and len(known.owners) == len(owners)  # all are used
    return list(known.notes)


def test_a_photo_of_somebody_who_has_no_folder_is_pointed_out() -> None:
    assert notes(Ada=[ADA, ADA, BEN]) == [
        "Ada/2 does not look like the other photos of Ada; it counts as Ada all the same: move it if it shows somebody "
        "else"]  # fmt: skip
    assert notes(Ada=[BEN, ADA, ADA, ADA, CID]) == [
        "Ada/0 and 1 more do not look like the other photos of Ada; they count as Ada all the same: move those that "
        "show somebody else"]  # fmt: skip
    assert notes(Ada=[ADA, ADA, ADA], Ben=[BEN]) == []


def test_a_folder_of_two_people_is_pointed_out() -> None:
    said = "do not look like one person, and both count as Family; give each person a folder of their own"
    assert notes(Family=[ADA, ADA, BEN, BEN]) == [f"Family/0 and Family/2 {said}"]
    assert notes(Family=[ADA, BEN]) == [f"Family/0 and Family/1 {said}"]


def test_copies_of_a_photo_count_once(tmp_path: Path) -> None:
    """Each was taken for one more photo, and the mean of many for nearer to its person than it was."""
    for name in ("Barack/one", "Barack/two", "Barack/again/one", "Eileen/one"):
        path = tmp_path / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(around("astronaut" if name.startswith("Eileen") else "obama")).save(path)
    known = read_gallery(tmp_path, load_encoder())
    assert known.people == ("Barack", "Eileen") and known.owners.tolist() == [0, 1]


def test_a_name_is_one_line_without_control_characters() -> None:
    assert name_in("Ada\nLovelace") == "Ada Lovelace"
    assert name_in("\x1b[31mAda") == "\\x1b[31mAda"
    assert name_in("Andre\u0301 \N{GUITAR}") == "Andr\xe9 \N{GUITAR}"
    assert name_in("AC\N{DIVISION SLASH}DC") == "AC\N{DIVISION SLASH}DC"
