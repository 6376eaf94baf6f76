"""Small faces in large photos, found in overlapping pieces; around any detector."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from visavis import load_detector
from visavis.boxes import iou
from visavis.detectors.merging import merged
from visavis.detectors.protocol import About
from visavis.detectors.tiles import Tiles, pieces
from visavis.faces import Faces

FACE = (175, 70, 280, 205)  # in skimage's astronaut


@pytest.fixture(scope="module")
def crowd():
    """A photo of 2400 x 1800 with one large face and 12 of 30 pixels, some on the edges of pieces; and their boxes."""
    photo = Image.new("RGB", (2400, 1800), (96, 120, 90))
    astronaut = Image.fromarray(data.astronaut())
    boxes = []

    def put(x, y, side):
        factor = side / (FACE[2] - FACE[0])
        cut = astronaut.crop((110, 10, 340, 280))
        photo.paste(cut.resize((round(cut.width * factor), round(cut.height * factor)), 3), (x, y))
        boxes.append([x + (FACE[0] - 110) * factor, y + (FACE[1] - 10) * factor])
        boxes[-1] += [boxes[-1][0] + side, boxes[-1][1] + (FACE[3] - FACE[1]) * factor]

    put(1200, 500, 420)
    for number in range(12):
        put(60 + number * 90, 60 + number * 137 % 1600, 30)
    return np.asarray(photo), np.array(boxes, np.float32)


def hits(faces: Faces, boxes: np.ndarray) -> np.ndarray:
    """(N,) how many finds lie on each face."""
    return (iou(boxes, faces.boxes) > 0.4).sum(axis=1)


def test_tiles_find_small_faces_once_and_the_large_one_still(crowd):
    photo, boxes = crowd
    plain = load_detector("shipped", "cpu", size=256).detect([photo])[0]
    tiled = load_detector("shipped", "cpu", tiles=True)
    found = tiled.detect([photo, data.astronaut()])
    assert hits(plain, boxes)[0] == 1 and hits(plain, boxes)[1:].sum() <= 6
    assert hits(found[0], boxes).tolist()[0] == 1
    assert hits(found[0], boxes)[1:].sum() >= 11 and hits(found[0], boxes).max() == 1
    assert (np.diff(found[0].scores) <= 0).all()
    assert len(found[1]) == 1
    assert tiled.detect([]) == []
    assert "tiles" in tiled.about.runs


def test_around_another_detector(crowd):
    photo, boxes = crowd
    tiled = load_detector("dlib_hog", "cpu", tiles=True)
    assert tiled.detector.side == 640
    assert hits(tiled.detect([photo[400:1500, 1000:2300]])[0], boxes[:1] - [1000, 400, 1000, 400])[0] == 1


def test_pieces_cover_a_photo_and_overlap():
    for height, width in ((700, 640), (641, 5000), (2000, 3000), (1, 641)):
        seen = np.zeros((height, width), int)
        for x1, y1, x2, y2 in pieces(height, width, 640):
            assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height and x2 - x1 <= 640 and y2 - y1 <= 640
            seen[y1:y2, x1:x2] += 1
        assert seen.min() >= 1
    assert list(pieces(640, 640, 640)) == [] and list(pieces(1, 1, 640)) == []


def test_the_same_face_twice_and_a_part_of_one_go():
    whole = Faces(np.array([[0, 0, 100, 100]]), np.array([0.8]))
    again = Faces(np.array([[5, 5, 105, 100], [200, 0, 230, 30]]), np.array([0.9, 0.4]))
    part = Faces(np.array([[10, 10, 40, 40]]), np.array([0.5]))
    beside = [
        Faces(np.array([[209, 0, 242, 30]]), np.array([0.3])),
        Faces(np.array([[220, 0, 260, 30]]), np.array([0.2])),
    ]
    found = merged([whole, again, part, *beside])  # half of it, and a quarter
    assert found.boxes[:, 0].tolist() == [5, 200, 220]
    assert len(merged([Faces(), Faces()])) == 0


def test_two_neighbours_are_kept_in_pieces_as_in_the_whole():
    class Neighbours:
        threshold = 0.5

        def detect(self, images):
            """Both faces in the whole photo, in pieces none."""
            boxes = np.array([[100, 100, 200, 200], [140, 100, 240, 200]])  # IoU 0.43
            return [Faces(boxes, np.array([0.9, 0.8])) if image.shape[1] > 400 else Faces() for image in images]

    found = Tiles(Neighbours(), side=400).detect([np.zeros((400, 900, 3), np.uint8)])[0]
    assert found.boxes[:, 0].tolist() == [100, 140]


def test_photos_up_to_a_size_are_left_whole_and_pieces_get_a_single_look():
    class Several:
        threshold = 0.5

        def __init__(self, name, shown):
            self.name, self.shown = name, shown

        def detect(self, images):
            self.shown += [(self.name, *image.shape[:2]) for image in images]
            return [Faces() for _ in images]

        def once(self):
            return Several("once", self.shown)

    shown = []
    detector = Tiles(Several("several", shown), side=400, beyond=500)
    detector.detect([np.zeros((500, 900, 3), np.uint8), np.zeros((501, 600, 3), np.uint8)])
    assert shown == [("several", 500, 900), ("several", 501, 600)] + [("once", 400, 400)] * 4


def test_what_an_inner_edge_cuts_is_left_to_the_neighbour():
    class Edges:
        """Finds a face in the left tenth of whatever it is shown."""

        threshold = 0.5

        def detect(self, images):
            return [Faces(np.array([[0, 10, image.shape[1] / 10, 50]]), np.array([0.9])) for image in images]

    detector = Tiles(Edges(), side=400)
    found = detector.detect([np.zeros((400, 900, 3), np.uint8)])[0]
    assert found.boxes[:, 0].tolist() == [0]
    detector.threshold = 0.7
    assert detector.detector.threshold == detector.threshold == 0.7


class Seen:
    """Finds what it sees of faces in a photo that is made of places: rows and columns in two channels."""

    threshold = 0.5

    def __init__(self, *faces):
        self.faces = np.array(faces, np.float32)

    def detect(self, images):
        found = []
        for image in images:
            y, x = int(image[0, 0, 1]), int(image[0, 0, 0]) * 10
            if image.shape[1] > 400:  # in the whole photo it is blind
                found.append(Faces())
                continue
            ends = [x, y, x + image.shape[1], y + image.shape[0]]
            boxes = np.clip(self.faces, [ends[0], ends[1]] * 2, [ends[2], ends[3]] * 2) - [x, y, x, y]
            boxes = boxes[(boxes[:, 2:] - boxes[:, :2]).min(axis=1) > 20]
            found.append(Faces(boxes, np.full(len(boxes), 0.9)))
        return found


def photo_of_places(width):
    columns = np.arange(width) // 10
    return np.stack([np.broadcast_to(columns, (200, width)), np.zeros((200, width)), np.zeros((200, width))], 2).astype(
        np.uint8
    )


@pytest.mark.parametrize("face, kept", [
    ([300, 20, 340, 90], [300, 340]),  # whole in two pieces
    ([300, 0, 340, 90], [300, 340]),  # and at the photo's own edge, which cuts nothing
    ([200, 20, 430, 190], [200, 400]),  # in none: 200 pixels of it in the first, 180 in the second
    ([245, 20, 480, 190], [250, 480]),  # 155 and 230: the second
])  # fmt: skip
def test_a_face_that_no_piece_has_whole_is_found_cut(face, kept):
    found = Tiles(Seen(face), side=400).detect([photo_of_places(900)])[0]
    assert found.boxes[:, [0, 2]].tolist() == [kept]


def test_what_a_detector_tells_besides_goes_along_though_some_pieces_have_no_face():
    class Knowing(Seen):
        about = About(attributes=("age",))

        def detect(self, images):
            some = [Faces(one.boxes, one.scores, one.boxes[:, None, :2], {"age": one.boxes[:, 3]}) if len(one) else one
                    for one in super().detect(images)]  # fmt: skip
            return some

    detector = Tiles(Knowing([30, 20, 90, 90]), side=400)
    found = detector.detect([photo_of_places(900)])[0]
    assert found.keypoints.tolist() == [[[30, 20]]] and found.attributes["age"].tolist() == [90]
    assert detector.about.attributes == ("age",) and detector.about.keypoints == ()
