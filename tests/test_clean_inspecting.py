import json
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
import skimage.data

from clean import inspecting, journal, likeness, listing
from clean.inspecting import inspect_all
from clean.inspection import Inspection, ListedPhoto, Task, inspect
from dataset import tables
from visavis import images
from visavis.errors import InputError
from visavis.journal import Journal

TASK = Task(finders=(), max_pixels=10**6, min_side=32)


def photos(folder: Path, count: int) -> list[ListedPhoto]:
    data = images.encode(skimage.data.astronaut())
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for path in paths:
        path.write_bytes(data)
    return [ListedPhoto(path.stem, path) for path in paths]


def test_a_photo_that_hangs_its_worker_costs_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inspecting, "SECONDS", 5.0)
    endless = tmp_path / "endless.jpg"
    os.mkfifo(endless)  # whoever reads it waits for ever, inside the system
    some = photos(tmp_path, 7)
    some.insert(2, ListedPhoto("endless", endless))
    inspections = inspect_all(some, TASK, tmp_path / "seen.jsonl", workers=2)
    assert [(photo.image_id, seen.image_id, seen.reason) for photo, seen in inspections] == [
        (one.image_id, one.image_id, "crashed" if one.image_id == "endless" else "") for one in some
    ]
    assert inspections[2][1].detail == "during its inspection: it took over 5 s"
    assert not inspections[2][1].still_holds(some[2], TASK)  # the next run tries again
    assert inspections[0][1].still_holds(some[0], TASK)
    lines = (tmp_path / "seen.jsonl").read_text().splitlines()
    assert [json.loads(line)["image_id"] for line in lines] == [one.image_id for one in some]  # in their order


def test_what_nobody_foresaw_costs_its_photo_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(picture: images.Picture) -> likeness.Likeness:
        raise MemoryError("so many pixels")

    monkeypatch.setattr(likeness, "of", fail)
    photo = photos(tmp_path, 1)[0]
    seen = inspect(photo, TASK)
    assert (seen.reason, seen.detail) == ("crashed", "MemoryError: so many pixels")
    assert not seen.still_holds(photo, TASK)  # the next run tries again


def test_no_photos_no_looks(tmp_path: Path):
    assert len(inspect_all([], TASK, tmp_path / "seen.jsonl", workers=1)) == 0


def test_shards_with_journals_of_their_own_make_one(tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "images").mkdir()
    names = [one.image_id for one in photos(tmp_path / "images", 6)]
    box = {"identity": "A", "url": "", "x1": 181, "y1": 70, "x2": 271, "y2": 180}
    tables.write(tmp_path / "labels.csv", ({"image_id": name, **box} for name in names))
    whole = listing.photos(tmp_path)
    shards = whole[:2], whole[2:5], whole[5:]
    with ProcessPoolExecutor(2, get_context("spawn")) as engine:  # or Ray's
        parts = [
            engine.submit(inspect_all, shard, TASK, tmp_path / f"{number}.jsonl", 1)
            for number, shard in enumerate(shards)
        ]
        assert [len(part.result()) for part in parts] == [2, 3, 1]
    joined = tmp_path / "seen.jsonl"
    joined.write_bytes(b"".join((tmp_path / f"{number}.jsonl").read_bytes() for number in (2, 0, 1)))
    before = joined.read_bytes()
    inspections = inspect_all(whole, TASK, joined, workers=1)
    assert "of 6 photos, 6 were judged before" in capsys.readouterr().err
    assert joined.read_bytes() == before
    assert [seen.image_id for _, seen in inspections] == names


def test_a_look_holds_until_file_label_or_limits_change(tmp_path: Path):
    (photo,) = photos(tmp_path, 1)
    seen = inspect(photo, TASK)
    assert (seen.height, seen.width, seen.bytes) == (512, 512, photo.path.stat().st_size)
    assert seen.still_holds(photo, TASK)
    assert seen.unasked({"hog": "1"}) == ("hog",)
    assert not seen.still_holds(ListedPhoto("0", photo.path, boxes=((1, 1, 9, 9),)), TASK)
    assert not seen.still_holds(photo, Task((), 10**5, 32))
    data = bytearray(photo.path.read_bytes())
    data[-3] ^= 1
    photo.path.write_bytes(data)  # as many bytes, others
    assert not seen.still_holds(photo, TASK)
    photo.path.unlink()
    assert not seen.still_holds(photo, TASK)


def test_two_runs_do_not_write_into_one_journal(tmp_path: Path):
    path = tmp_path / "seen.jsonl"
    with Journal(path) as first:
        assert first.add({"a": 1}) == 0
        with pytest.raises(InputError, match=r"another run is writing to .*seen\.jsonl; wait until it ends"):
            Journal(path).__enter__()
        assert first.add({"b": 2}) == 9
    with path.open("a") as torn:
        torn.write('{"c"')
    with Journal(path) as again:
        assert again.add({"d": 4}) == 18
    assert path.read_text() == '{"a": 1}\n{"b": 2}\n{"d": 4}\n'


def test_the_journal_survives_a_torn_line(tmp_path: Path):
    path = tmp_path / "clean" / "seen.jsonl"
    assert dict(journal.entries(path)) == {} and journal.places(path, [ListedPhoto("A/1", path)]).tolist() == [-1]
    assert list(journal.Inspections([], path, [])) == []
    first = Inspection("A/1", "s", finds={"hog": [[1.0, 2.0, 3.0, 4.0, 0.5]]}, keys={"hog": "1"})
    with Journal(path) as file:
        assert file.add(vars(first)) == 0
    with path.open("ab") as raw:
        raw.write(b'{"image_id": "A/2", "sett\xff')
    with Journal(path) as file:
        third = file.add(vars(Inspection("A/3", "s")))
        last = file.add(vars(Inspection("A/1", "s", reason="truncated")))
    places = dict(journal.entries(path))
    assert places == {"A/1": last, "A/3": third}
    photos = [ListedPhoto("A/3", path), ListedPhoto("A/1", path)]
    assert journal.places(path, [*photos, ListedPhoto("A/4", path)]).tolist() == [third, last, -1]
    inspections = journal.Inspections(photos, path, [third, last])
    expected = [(photos[0], Inspection("A/3", "s")), (photos[1], Inspection("A/1", "s", reason="truncated"))]
    assert (
        list(inspections) == expected == [inspections[0], inspections[1]]
        and list(inspections[1:]) == expected[1:]
        and len(inspections) == 2
    )
    assert first.joined(Inspection("A/1", "s", finds={"cnn": []}, keys={"cnn": "2"})).keys == {"hog": "1", "cnn": "2"}
