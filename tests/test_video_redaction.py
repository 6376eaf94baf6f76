"""Redacted copies of videos: faces are covered in every frame, those between two searched ones as well."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from clips import BOX, FACE, STEP, clip
from PIL import Image
from watching import frames, moving, redacting, watch

from demo import photos
from demo.photos import LabelledPicture
from visavis import Faces, load_detector
from visavis.boxes import as_boxes, covered, iou
from visavis.commands import predict
from visavis.commands.network import Network
from visavis.effects.redaction import Redaction
from visavis.video.recording import Frame, Video


@pytest.mark.parametrize("every", [1, 4, 7, 50])
def test_a_moving_face_is_covered_between_two_looks(every: int, tmp_path: Path):
    source = clip(tmp_path / "a.mp4", range(0, 880, 40))
    looks = watch(source, moving, every, redacting(tmp_path / "b.mp4"))
    assert [look.frame.number for look, _ in looks if look.reported] == list(range(0, 22, every))
    assert looks[-1][0].frame.number == 21  # the last is looked at, too
    for number, (_, picture) in enumerate(frames(tmp_path / "b.mp4")):
        x1, y1, x2, y2 = (BOX + np.float32([number * STEP, 0, number * STEP, 0])).astype(int)
        assert picture[y1 + 3 : y2 - 3, x1 + 3 : x2 - 3].mean() < 12, number  # black, but for the coding
        if every < 10:
            assert picture[y1:y2, : x1 - 2 * STEP * every - 8].mean() > 60  # and not all of it


def test_a_look_comes_sooner_where_frames_take_too_much_memory_and_every_frame_is_covered(tmp_path: Path):
    source = clip(tmp_path / "a.mp4", range(0, 1240, 40))
    with Video(source) as video:
        size = next(part for part in video.parts() if isinstance(part, Frame)).bytes
    looks = watch(source, moving, 100_000, redacting(tmp_path / "b.mp4"), room=7 * size)
    numbers = [look.frame.number for look, _ in looks]
    assert np.diff(numbers).max() == 7 and [look.frame.number for look, _ in looks if look.reported] == [0]
    for number, (_, picture) in enumerate(frames(tmp_path / "b.mp4")):
        x1, y1, x2, y2 = (BOX + np.float32([number * STEP, 0, number * STEP, 0])).astype(int)
        assert picture[y1 + 3 : y2 - 3, x1 + 3 : x2 - 3].mean() < 12, number
    assert len(watch(source, moving, 100_000, room=1)) == 1  # without a copy nothing waits


def test_a_face_that_is_missed_or_comes_is_covered_around_it(tmp_path: Path):
    source = clip(tmp_path / "a.mp4")
    looks = iter([False, True, False, True, False])  # of frames 0, 4, 8, 12, 16; the last, 19, finds one
    black = []
    watch(source, lambda picture: moving(picture) if next(looks, True) else Faces(), 4, redacting(tmp_path / "b.mp4"))
    for number, (_, picture) in enumerate(frames(tmp_path / "b.mp4")):
        x1, y1, x2, y2 = (BOX + np.float32([number * STEP, 0, number * STEP, 0])).astype(int)
        black.append((picture[y1:y2, x1:x2].max(axis=2) < 40).mean())
    assert min(black) > 0.75  # what one look misses, those around it cover, but for what has moved since


def test_a_face_that_is_missed_in_several_looks_is_covered_wherever_it_was(tmp_path: Path):
    source = clip(tmp_path / "a.mp4")
    missed = iter([False, False, True, True, True])  # of frames 0, 2, 4, 6 and 8
    watch(source, lambda picture: Faces() if next(missed, False) else moving(picture), 2, redacting(tmp_path / "b.mp4"))
    copies = frames(tmp_path / "b.mp4")
    assert len(copies) == 20
    for number, (_, picture) in enumerate(copies):
        x1, y1, x2, y2 = (BOX + np.float32([number * STEP, 0, number * STEP, 0])).astype(int)
        assert picture[y1 + 3 : y2 - 3, x1 + 3 : x2 - 3].mean() < 12, number


@pytest.mark.parametrize("comes", [False, True])
def test_a_face_is_covered_to_its_exit_and_from_where_it_comes(comes: bool, tmp_path: Path):
    """It moves by 8 pixels a frame, and is found as long as two thirds of it are in the picture."""
    pictures, boxes = [], []
    for number in range(40):
        picture, left = np.full((250, 300, 3), 120, np.uint8), 60 + 8 * number
        picture[:, left:] = FACE[:, : max(0, 300 - left)]
        pictures.append(picture)
        boxes.append(BOX + np.float32([left, 0, left, 0]))
    if comes:
        pictures, boxes = pictures[::-1], boxes[::-1]
    source = clip(tmp_path / "a.mp4", range(0, 1600, 40), sound=None, pictures=pictures)
    looks = iter(range(0, 40, 5))

    def find(picture: np.ndarray) -> Faces:
        box = boxes[next(looks, 39)]
        inside = covered(box[None], as_boxes([[0, 0, 300, 250]]))[0, 0] > 2 / 3
        return Faces([np.minimum(box, [300, 250, 300, 250])] if inside else [])

    watch(source, find, 5, redacting(tmp_path / "b.mp4"))
    shown = 0
    for number, ((_, picture), box) in enumerate(zip(frames(tmp_path / "b.mp4"), boxes, strict=True)):
        x1, y1, x2, y2 = np.minimum(box, [300, 250, 300, 250]).astype(int)
        if x2 - x1 > 8:
            assert picture[y1 + 3 : y2 - 3, x1 + 3 : x2].mean() < 12, number
            shown += 1
    assert shown >= 20


def test_no_detector_finds_a_face_in_any_frame_again(tmp_path: Path):
    detector, hog = load_detector(device="cpu"), load_detector("dlib_hog")
    source = clip(tmp_path / "a.mp4")
    found = watch(source, lambda picture: detector.detect([picture])[0], 5,
                  redacting(tmp_path / "b.mp4", Redaction("blur")))  # fmt: skip
    assert [len(faces) for look, faces in found if look.reported] == [1, 1, 1, 1]
    for number, (_, picture) in enumerate(frames(tmp_path / "b.mp4")):
        face = as_boxes([BOX + np.float32([number * STEP, 0, number * STEP, 0])])
        for one in (detector, hog):
            assert not (iou(one.detect([picture])[0].boxes, face) > 0.1).any()


def walk_up(portrait: LabelledPicture, frames: int = 50) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pictures of 480 x 360 in which the face grows from 5 % to 100 % of their width, and its box in each."""
    for number in range(frames):
        wide = 480 * 0.05 * 20 ** (number / (frames - 1))
        yield _shown(portrait, wide / (portrait.boxes[0, 2] - portrait.boxes[0, 0]), 0)


def turning(portrait: LabelledPicture, frames: int = 37) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pictures of 480 x 360 in which the head turns on its side and on to upside down, 5 degrees a frame."""
    for number in range(frames):
        yield _shown(portrait, 110 / (portrait.boxes[0, 2] - portrait.boxes[0, 0]), 5 * number)


def _shown(portrait: LabelledPicture, factor: float, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """The portrait scaled and turned about its face's middle, which is the picture's; and the largest upright box in
    the turned one's, as the face is."""
    x1, y1, x2, y2 = portrait.boxes[0]
    turn = np.deg2rad(degrees)
    across, down = np.array([np.cos(turn), np.sin(turn)]) / factor, np.array([-np.sin(turn), np.cos(turn)]) / factor
    start = np.array([(x1 + x2) / 2, (y1 + y2) / 2]) - 240 * across - 180 * down
    matrix = (across[0], down[0], start[0], across[1], down[1], start[1])
    picture = Image.fromarray(portrait.picture).transform(
        (480, 360), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC
    )
    side = np.array([x2 - x1, y2 - y1]) * factor * 0.35  # brows to mouth: what tells who it is, at any angle
    return np.asarray(picture), np.array([240 - side.min(), 180 - side.min(), 240 + side.min(), 180 + side.min()])


@pytest.mark.parametrize("film", [walk_up, turning])
def test_no_frame_of_a_face_that_comes_near_or_turns_is_left_uncovered(
    film: Callable[[LabelledPicture], Iterator[tuple[np.ndarray, np.ndarray]]], tmp_path: Path
):
    shown = list(film(photos.load().portraits["obama2.jpg"]))
    clip(tmp_path / "film.mp4", range(0, 40 * len(shown), 40), sound=None, pictures=[picture for picture, _ in shown])
    film_and_out = (str(tmp_path / "film.mp4"),), tmp_path / "out"
    how = predict.Options(*film_and_out, network=Network("cpu"), workers=1, redact="fill", draw=False)
    assert predict.predict(how) == 0
    copies = frames(tmp_path / "out/redacted/film.mp4")
    assert len(copies) == len(shown)
    for number, ((_, copy), (_, box)) in enumerate(zip(copies, shown, strict=True)):
        x1, y1, x2, y2 = np.clip(np.round(box), 0, (480, 360, 480, 360)).astype(int)
        assert copy[y1:y2, x1:x2].max() < 30, f"frame {number}"
