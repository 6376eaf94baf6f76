import os
import subprocess
import sys
from pathlib import Path

import skimage.data

from clean import journal
from clean.look import Photo, Seen, Task
from clean.workers import look_at_all
from visavis import images

TASK = Task(finders=(), max_pixels=10**6, min_side=32, seconds=20)


def photos(folder: Path, count: int) -> list[Photo]:
    data = images.encode(skimage.data.astronaut())
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for path in paths:
        path.write_bytes(data)
    return [Photo(path.stem, path) for path in paths]


def test_a_photo_that_hangs_its_worker_costs_itself_alone(tmp_path: Path):
    endless = tmp_path / "endless.jpg"
    os.mkfifo(endless)  # whoever reads it waits for ever, inside the system
    some = [*photos(tmp_path, 7), Photo("endless", endless)]
    some = [*some[:2], some[-1], *some[2:-1]]
    seen = {one.image_id: one for one in look_at_all([(one, TASK) for one in some], workers=2)}
    assert {image_id: one.reason for image_id, one in seen.items()} == {
        "endless": "crashed",
        **{str(number): "" for number in range(7)},
    }
    assert "over 20 s" in seen["endless"].detail
    assert not seen["endless"].still_holds(some[2], TASK)  # the next run tries again
    assert seen["0"].still_holds(some[0], TASK)


def test_workers_share_the_cores_between_them():
    # Two threads of torch in each of two workers, on two cores, wait for each other and make clean six times slower.
    script = (
        "import os; from clean.workers import _pool\n"
        "with _pool(2, ()) as pool: print(pool.submit(os.getenv, 'OMP_NUM_THREADS').result())"
    )
    clear = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    told = [clear, clear | {"OMP_NUM_THREADS": "7"}]
    said = [subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True) for env in told]
    assert [one.stdout for one in said] == [f"{max(1, len(os.sched_getaffinity(0)) // 2)}\n", "7\n"], said


def test_no_photos_no_looks():
    assert list(look_at_all([], workers=1)) == []


def test_a_look_holds_until_file_label_or_limits_change(tmp_path: Path):
    (photo,) = photos(tmp_path, 1)
    (seen,) = look_at_all([(photo, TASK)], workers=1)
    assert (seen.height, seen.width, seen.bytes) == (512, 512, photo.path.stat().st_size)
    assert seen.still_holds(photo, TASK)
    assert seen.unasked({"hog": "1"}) == ("hog",)
    assert not seen.still_holds(Photo("0", photo.path, boxes=((1, 1, 9, 9),)), TASK)
    assert not seen.still_holds(photo, Task((), 10**5, 32))
    data = bytearray(photo.path.read_bytes())
    data[-3] ^= 1
    photo.path.write_bytes(data)  # as many bytes, others
    assert not seen.still_holds(photo, TASK)
    photo.path.unlink()
    assert not seen.still_holds(photo, TASK)


def test_the_journal_survives_a_torn_line(tmp_path: Path):
    path = tmp_path / "clean" / "seen.jsonl"
    assert dict(journal.entries(path)) == {}
    assert list(journal.Looks([], path, [])) == []
    first = Seen("A/1", "s", finds={"hog": [[1.0, 2.0, 3.0, 4.0, 0.5]]}, keys={"hog": "1"})
    with journal.Journal(path) as file:
        assert file.add(first) == 0
    with path.open("ab") as raw:
        raw.write(b'{"image_id": "A/2", "sett\xff')
    with journal.Journal(path) as file:
        third = file.add(Seen("A/3", "s"))
        last = file.add(Seen("A/1", "s", reason="truncated"))
    places = dict(journal.entries(path))
    assert places == {"A/1": last, "A/3": third}
    photos = [Photo("A/3", path), Photo("A/1", path)]
    looks = journal.Looks(photos, path, [third, last])
    expected = [(photos[0], Seen("A/3", "s")), (photos[1], Seen("A/1", "s", reason="truncated"))]
    assert list(looks) == expected == [looks[0], looks[1]] and list(looks[1:]) == expected[1:] and len(looks) == 2
    assert first.joined(Seen("A/1", "s", finds={"cnn": []}, keys={"cnn": "2"})).keys == {"hog": "1", "cnn": "2"}
