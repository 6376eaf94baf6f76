"""What clean keeps of many photos lies on disk: the shelf, and the tables that are joined there."""

import tracemalloc
from pathlib import Path

import pytest

from clean import listing
from clean.inspection import ListedPhoto
from clean.shelf import Shelf
from dataset import tables


def test_what_is_put_there_comes_back_in_order():
    shelf = Shelf(["a", {"b": 1}])
    shelf.append(None)
    assert (len(shelf), list(shelf), shelf[1], shelf[-1]) == (3, ["a", {"b": 1}, None], {"b": 1}, None)
    assert list(shelf[1:]) == [{"b": 1}, None] and list(shelf[::-1]) == [None, {"b": 1}, "a"]
    reading = iter(shelf)
    assert (next(reading), shelf[2], next(reading)) == ("a", None, {"b": 1})  # whoever reads does not disturb
    with pytest.raises(IndexError):
        shelf[3]
    assert list(Shelf()) == [] and not Shelf()


def test_an_item_costs_a_few_bytes_of_memory():
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    shelf = Shelf(ListedPhoto(f"A/{number:08d}", Path(f"images/A/{number:08d}.jpg")) for number in range(5000))
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert taken / len(shelf) < 100  # the file's buffer among them; the photos themselves take some 700


def test_photos_are_joined_whatever_the_order_of_the_tables(tmp_path: Path):
    box = {"x1": 1.25, "y1": 2, "x2": 50, "y2": 60}
    labels = [
        {"image_id": "B/2", "identity": "B", "score": 3, "curated": 0, "url": "", **box},
        {"image_id": "A/1", "identity": "A", "score": "", "curated": 1, "url": "http://a.org/1", **box},
        {"image_id": "B/2", "identity": "B", "score": 5, "curated": 0, "url": "http://b.org/2", **box | {"x2": 40}},
        {"image_id": "C/3", "identity": "C", **box},
    ]
    downloads = [
        {"image_id": "B/2", "status": "failed", "path": ""},
        {"image_id": "N/0", "status": "ok", "path": "images/N/0.jpg"},
        {"image_id": "A/1", "status": "ok", "path": "images/A/1.jpg", "sha256": "AB"},
        {"image_id": "B/2", "status": "ok", "path": "images/B/2.png"},  # later than the one that failed
        {"image_id": "C/3", "status": "ok", "path": "images/C/3.jpg"},
        {"image_id": "C/3", "status": "failed", "path": ""},
    ]
    tables.write(tmp_path / "labels.csv", labels)
    tables.write(tmp_path / "downloads.csv", downloads)
    found = listing.photos(tmp_path)
    first, second = (1.25, 2.0, 50.0, 60.0), (1.25, 2.0, 40.0, 60.0)
    assert list(found) == [
        ListedPhoto("A/1", tmp_path / "images/A/1.jpg", "A", (first,), True, 0.0, "http://a.org/1", "ab"),
        ListedPhoto("B/2", tmp_path / "images/B/2.png", "B", (first, second), False, 5.0, "http://b.org/2"),
        ListedPhoto("N/0", tmp_path / "images/N/0.jpg"),
    ]
