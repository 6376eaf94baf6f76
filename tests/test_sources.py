"""visavis.sources: what is given on the command line, as a list of inputs."""

import inspect
import io
import os
import sys
from pathlib import Path

import pytest

from visavis import sources
from visavis.errors import InputError


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a/1.jpg", "a/b/2.JPG", "a/b/c/3.heic", "a/notes.txt", "a/.hidden.jpg", "a/.git/4.jpg", "odd[1].png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(*given: str, **options) -> list[tuple[str, str]]:
    return [(one.path, one.reason) for one in sources.listed(given, **options)]


def test_folders_are_searched_through_unless_not_wanted(tree: Path):
    everything = [("a/.git", "hidden"), ("a/.hidden.jpg", "hidden"), ("a/1.jpg", ""), ("a/b/2.JPG", "")]
    everything += [("a/b/c/3.heic", ""), ("a/notes.txt", "other_ending")]
    assert told("a") == everything
    flat = [*everything[:3], ("a/b", "folder"), everything[-1]]
    assert told("a", recurse=False) == flat
    by_name = [("a/.hidden.jpg", ""), ("a/notes.txt", "")]
    assert told("a/.hidden.jpg", "a/notes.txt") == by_name
    assert told("a", "a/.hidden.jpg", "a/notes.txt") == everything + by_name


def test_folders_in_folders_deeper_than_calls_may_be(tree: Path):
    os.makedirs("deep" + "/d" * 300)
    Path("deep" + "/d" * 300, "last.jpg").touch()
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 150)
    try:
        found = told("deep")
    finally:
        sys.setrecursionlimit(before)
    assert found == [("deep" + "/d" * 300 + "/last.jpg", "")]


def test_patterns(tree: Path):
    assert told("a/*.jpg") == [("a/1.jpg", "")]
    assert told("a/**/*.[jJ][pP][gG]") == [("a/1.jpg", ""), ("a/b/2.JPG", "")]
    assert told("odd[1].png") == [("odd[1].png", "")]  # it is there: no pattern
    with pytest.raises(InputError, match=r"nothing matches \*.bmp"):
        sources.listed(["*.bmp"])


def test_lists_in_files_and_on_standard_input(tree: Path, monkeypatch: pytest.MonkeyPatch):
    (tree / "list.txt").write_bytes(b"\xef\xbb\xbfa/1.jpg\r\n\na/b\ngone.jpg\na/1.jpg")
    expected = [("a/1.jpg", ""), ("a/b/2.JPG", ""), ("a/b/c/3.heic", ""), ("gone.jpg", ""), ("a/1.jpg", "named_twice")]
    assert told("@list.txt") == expected
    odd = os.fsdecode(b"new\nline \xff.jpg")
    Path(odd).touch()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a/1.jpg\0" + os.fsencode(odd) + b"\0")))
    assert told("-", "odd[1].png") == [("a/1.jpg", ""), (odd, ""), ("odd[1].png", "")]
    with pytest.raises(InputError, match=r"@gone.txt: the list gone.txt cannot be read: No such file"):
        sources.listed(["@gone.txt"])
    with pytest.raises(InputError, match="'' is not there"):  # of a variable that nobody set
        sources.listed([""])


def test_what_would_lead_in_circles(tree: Path):
    Path("a/up").symlink_to("..")
    Path("a/self.jpg").symlink_to("self.jpg")
    Path("a/good.png").symlink_to("../odd[1].png")
    found = dict(told("a"))
    assert (found["a/up"], found["a/self.jpg"], found["a/good.png"]) == ("linked_folder", "link_loop", "")
    Path("link").symlink_to("a/b")
    assert told("link") == [("link/2.JPG", ""), ("link/c/3.heic", "")]  # asked for by name


def test_places_are_never_shared(tree: Path):
    for name in ("a/1.png", "a/1.JPG", "a/1", "a/1.jpg.jpg", "x/a/1.jpg"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    inputs = sources.listed(["a", "x/a", "a/1"])
    places = [one.place.casefold() for one in inputs if not one.reason]
    assert len(set(places)) == len(places) == 8
    assert {one.path: one.place for one in inputs}["a/1.png"] == "a/1.png"


def test_copies_are_never_called_as_a_folder(tree: Path):
    names = [
        "photo.png",
        "photo.png.jpg/in.png",
        "x.JPG",
        "x.jpg/in.png",
        "y.jpg",
        "y/0.jpg.jpg",
        "z.jpg",
        "z/0.jpg/1.png",
    ]
    for name in (f"c/{name}" for name in (*names, "plain.jpg", "plain/in.jpg")):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    places = {one.path.removeprefix("c/"): one.place for one in sources.listed(["c"]) if not one.reason}
    files = {place + ending for place in places.values() for ending in (".jpg", ".txt", ".xml")}
    files |= {place for name, place in places.items() if not name.lower().endswith(".jpg")}  # redacted
    folders = {str(folder) for place in places.values() for folder in Path(place).parents}
    assert not files & folders
    crops = {f"{place}/0.jpg" for place in places.values()}
    assert not crops & (folders | set(places.values()))
    assert (places["plain.jpg"], places["photo.png"]) == ("c/plain", "c/photo.png-2")


def test_patterns_do_not_follow_links(tree: Path):
    for name in ("a/loop", "a/b/back"):
        Path(name).symlink_to("..")
    assert told("a/**/*.heic") == told("./a/**/*.heic".removeprefix("./")) == [("a/b/c/3.heic", "")]
    assert told("**/*.png") == [("odd[1].png", "")]
    assert told("**/b/**/*.heic") == [("a/b/c/3.heic", "")]
    assert told(f"{tree}/**/3.*") == [(f"{tree}/a/b/c/3.heic", "")]
    assert ("a/b/2.JPG", "") in told("a/**")
    with pytest.raises(InputError, match="nothing matches"):
        sources.listed(["a/**/.hidden.bmp"])


def test_patterns_and_lists_keep_the_folders_that_their_files_lie_in(tree: Path, monkeypatch: pytest.MonkeyPatch):
    def places(*given: str) -> list[str]:
        return [one.place for one in sources.listed(given)]

    assert places("a/**/*.[jJhH]*") == ["1", "b/2", "b/c/3.heic"]
    assert places("a/b/*.JPG") == places("a/b/2.JPG") == ["2"]
    (tree / "list.txt").write_text(f"a/b/2.JPG\n{tree}/x/../odd[1].png\na/b/c\n../else.jpg")
    assert places("@list.txt") == [f"{tree.name}/a/b/2", f"{tree.name}/odd[1].png", "c/3.heic", "else"]
    (tree / "list.txt").write_text("a/1.jpg\n/gone.jpg\n")
    assert places("@list.txt") == [f"{tree}/a/1".removeprefix("/"), "gone"]
    (tree / "list.txt").write_text(f"/{tree}/a/1.jpg\n{tree}/a/2.jpg\n/{tree}/a/b/3.jpg")  # as find // has it
    assert places("@list.txt") == ["1", "2", "b/3"]
    assert places(f"/{tree}/a/1.jpg") == places(f"/{tree}/a/1.*") == ["1"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    with pytest.raises(InputError, match="no photo to look at"):
        places("-")


def test_names_are_taken_to_the_letter(tree: Path, monkeypatch: pytest.MonkeyPatch):
    Path("return.jpg\r").touch()
    Path("@1.jpg").touch()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"return.jpg\r\0a/1.jpg\0")))
    assert told("-", "@1.jpg") == [("return.jpg\r", ""), ("a/1.jpg", ""), ("@1.jpg", "")]


def test_folders_of_results_are_no_photos(tree: Path):
    Path("out/drawn").mkdir(parents=True)
    for name in ("out/drawn/1.jpg", "out/1.jpg"):
        Path(name).touch()
    assert told("out/1.jpg", out="out") == [("out/1.jpg", "")]
    for name in ("out/drawn", "out/drawn/1.jpg", "out/*"):
        with pytest.raises(InputError, match="lies inside out, where results go"):
            sources.listed([name], out="out")
