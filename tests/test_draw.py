import numpy as np
import pytest
import skimage.data

from visavis import Faces, drawing

ASTRONAUT = skimage.data.astronaut()
FACE = Faces([[175, 70, 280, 205]], [0.97])


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return (before != after).any(axis=2)


def test_boxes_are_drawn_on_a_copy():
    before = ASTRONAUT.copy()
    drawn = drawing.boxes_on(ASTRONAUT, FACE)
    assert (before == ASTRONAUT).all()
    assert (drawn.dtype, drawn.shape) == (np.uint8, ASTRONAUT.shape)
    touched = changed(ASTRONAUT, drawn)
    assert touched[100:180, 172:178].any(axis=1).all()  # the left side
    assert touched[100:180, 277:284].any(axis=1).all()  # the right side
    assert not touched[80:195, 185:270].any()  # the face itself
    assert not touched[220:].any()


@pytest.mark.parametrize("shade", [0, 128, 255])
@pytest.mark.parametrize("kind", drawing.COLOURS)
def test_lines_show_on_any_ground(kind: str, shade: int):
    ground = np.full((200, 200, 3), shade, np.uint8)
    row = drawing.boxes_on(ground, Faces([[50, 50, 150, 150]]), kind)[100, 40:60].astype(int).sum(axis=1)
    assert row.max() - row.min() > 200


@pytest.mark.parametrize("scale", [1, 4])
def test_line_and_letters_grow_with_the_picture(scale: int):
    ground = np.zeros((500 * scale, 500 * scale, 3), np.uint8)
    touched = changed(ground, drawing.boxes_on(ground, Faces(np.array([[100, 100, 300, 300]]) * scale, [0.5])))
    assert 2 * scale <= touched[200 * scale, : 200 * scale].sum() <= 6 * scale
    assert 15 * scale <= touched[: 100 * scale, 110 * scale].sum() <= 30 * scale


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (30, 40)])
def test_pictures_of_any_size(size: tuple[int, int]):
    ground = np.zeros((*size, 3), np.uint8)
    whole = Faces([[0, 0, size[1], size[0]]], [0.5])
    for kind in drawing.COLOURS:
        assert drawing.boxes_on(ground, whole, kind, ["text"]).shape == ground.shape


def test_neighbours_are_told_apart():
    row = Faces([[10 + 60 * n, 50, 60 + 60 * n, 100] for n in (2, 0, 5, 3, 1, 4)])
    drawn = drawing.boxes_on(np.zeros((150, 400, 3), np.uint8), row, colours=drawing.APART)
    sides = [tuple(int(value) for value in drawn[75, 10 + 60 * n]) for n in range(6)]
    assert sides == list(drawing.APART)
    differ = [np.abs(np.subtract(one, two)).max() for one in drawing.APART for two in drawing.APART if one != two]
    assert min(differ) >= 45


def test_nothing_to_draw_changes_nothing():
    outside = Faces([[600, 600, 700, 700], [-50, -50, -1, -1], [10, 10, 10, 10]])
    for faces in (Faces(), outside):
        assert (drawing.boxes_on(ASTRONAUT, faces) == ASTRONAUT).all()


def test_boxes_that_reach_outside_are_drawn_inside():
    touched = changed(ASTRONAUT, drawing.boxes_on(ASTRONAUT, Faces([[-100, 300, 900, 900]]), "label"))
    assert touched[400, :3].any()
    assert touched[400, -3:].any()
    assert touched[-3:, 256].any()


def test_a_text_never_hides_a_small_face_at_the_upper_edge():
    ground = np.zeros((60, 300, 3), np.uint8)
    touched = changed(ground, drawing.boxes_on(ground, Faces([[100, 0, 116, 12]], [0.5])))
    assert not touched[4:8, 106:110].any()


def test_a_text_never_hides_the_eyes_in_a_tiny_picture():
    ground = np.zeros((48, 40, 3), np.uint8)
    touched = changed(ground, drawing.boxes_on(ground, Faces([[6, 5, 31, 36]], [0.998])))
    assert not touched[12:30, 12:26].any()


def test_wrong_kinds_and_texts_are_refused():
    with pytest.raises(ValueError, match="there are found, label"):
        drawing.boxes_on(ASTRONAUT, FACE, "face")
    with pytest.raises(ValueError, match="2 texts for 1 face"):
        drawing.boxes_on(ASTRONAUT, FACE, texts=["a", "b"])
    with pytest.raises(ValueError, match="uint8 RGB"):
        drawing.boxes_on(ASTRONAUT / 255, FACE)


def test_a_sheet_has_equal_cells():
    pictures = [ASTRONAUT, ASTRONAUT[:100], ASTRONAUT[:, :50], ASTRONAUT[:4, :4], ASTRONAUT]
    plain = drawing.contact_sheet(pictures, columns=3, cell=100)
    assert plain.shape == (2 * 105 + 5, 3 * 105 + 5, 3)
    captioned = drawing.contact_sheet(pictures, ["one", "", "Pénélope\nCruz", "四", "long " * 50], columns=3, cell=100)
    assert captioned.shape[1] == plain.shape[1]
    assert captioned.shape[0] > plain.shape[0]
    assert off(plain[5:105, 5:105], ASTRONAUT) < 12
    assert (plain[:5] == plain[0, 0]).all()  # the margin


def off(picture: np.ndarray, other: np.ndarray) -> float:
    from visavis.images import resize

    return float(np.abs(picture.astype(int) - resize(other, picture.shape[:2]).astype(int)).mean())


def test_a_long_caption_stays_in_its_cell():
    sheet = drawing.contact_sheet([ASTRONAUT], ["A.J._Buckley/00000001" * 20], cell=120)
    margin = sheet[0, 0]
    assert (sheet[:, :6] == margin).all()
    assert (sheet[:, -6:] == margin).all()


def test_sheets_of_one_and_of_none():
    assert drawing.contact_sheet([ASTRONAUT], cell=100).shape == (110, 110, 3)
    empty = drawing.contact_sheet([], cell=100)
    assert empty.shape[1] == 110
    assert len(np.unique(empty)) > 1  # it says something
    for captions, columns in ((["a"], 2), (["a", "b"], 0)):
        with pytest.raises(ValueError, match=r"captions? for|column"):
            drawing.contact_sheet([ASTRONAUT] * 2, captions, columns)


def test_a_text_never_covers_that_of_a_surer_face():
    ground = np.full((400, 600, 3), 90, np.uint8)
    surer, other = [100, 100, 160, 160], [170, 104, 230, 164]
    texts = ["surer than it", "other"]
    alone = drawing.boxes_on(ground, Faces([surer], [0.9]), texts=texts[:1])
    both = drawing.boxes_on(ground, Faces([surer, other], [0.9, 0.6]), texts=texts)
    written = changed(ground, alone)[60:95]  # above both boxes: the surer one's text alone
    assert written.any(axis=0).nonzero()[0].max() > 175  # where the other one's would begin
    assert (both[60:95] == alone[60:95]).all()
    apart = drawing.boxes_on(ground, Faces([surer, [300, 104, 360, 164]], [0.9, 0.6]), texts=texts)
    assert changed(ground, apart)[60:100, 300:340].any()


def test_a_text_never_hides_another_face():
    ground = np.full((400, 600, 3), 90, np.uint8)
    face, beside = [100, 100, 160, 160], [170, 70, 230, 130]
    texts = [("0.90 none 34 years", "0.90"), ""]
    alone = changed(ground, drawing.boxes_on(ground, Faces([face], [0.9]), texts=texts[:1]))
    assert alone[80:95, 180:220].all()  # where the face beside it would be
    both = changed(ground, drawing.boxes_on(ground, Faces([face, beside], [0.9, 0.8]), texts=texts))
    assert not both[76:124, 176:224].any()
    assert both[85:95, 100:130].all()  # the shorter text has room


def test_a_long_text_leaves_room_for_the_short_ones_of_neighbours():
    ground = np.full((400, 600, 3), 90, np.uint8)
    row = Faces([[100, 100, 160, 160], [180, 100, 240, 160]], [0.9, 0.8])
    texts = [("0.90 none 34 years", "0.90"), ("0.80 none", "0.80")]
    drawn = drawing.boxes_on(ground, row, texts=texts)
    assert (drawn[84:95, [100, 180]] == drawing.COLOURS["found"]).all()  # both have a text
    assert (drawn[84:95, 170:176] == 90).all()  # and the surer one's does not reach the other


@pytest.mark.parametrize(
    "text, written",
    [("Ann", "Ann"), ("Łukasz", "Łukasz"), ("Zoe\u0308", "Zoë"), ("Анна", "Анна"), ("四 🙂", "? ?"), ("a\nb", "a  b")],
)
def test_names_are_written_in_their_letters(text: str, written: str):
    line, font = drawing._written(text, 20)
    assert line == written and font.getlength(line) > 15


def test_points_far_beyond_the_picture_are_left_out():
    small = ASTRONAUT[80:180, 180:280]  # so small that its lines are a pixel wide
    points = np.full((1, 68, 2), 1e9, np.float32)
    points[0, 36:42] = [[20, 30], [25, 27], [30, 27], [35, 30], [30, 33], [25, 33]]
    points[0, 8, 1] = -1e9
    touched = changed(small, drawing.points_on(small, points))
    rows, columns = np.nonzero(touched)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((27, 33, 20, 35), abs=1)
    points[0, 36:42] = 1e9
    assert not changed(small, drawing.points_on(small, points)).any()
