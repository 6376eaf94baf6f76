"""Whatever a list holds: no crash, no path outside the folder, every line in exactly one table."""

import io
import math
import tarfile
import tempfile
from pathlib import Path, PureWindowsPath

from hypothesis import given, settings
from hypothesis import strategies as st

from dataset import tables
from download import lists, names
from download.lists import Rejected, parse
from download.plan import Plan, is_safe
from download.sources import MAX_LINE

FIELD = st.one_of(
    st.sampled_from([b"1", b"00000001", b"-1", b"1.5", b"nan", b"inf", b"1e999", b"1_0", b"+.5", b"0", b"0x1", b""]),
    st.sampled_from([b"http://a.org/1.jpg", b"HTTPS://x/", b"ftp://a", b"http://", b"//a", b"http://\xff", b"../1"]),
    st.binary(max_size=12),
    st.floats().map(lambda number: repr(number).encode()),
    st.integers().map(lambda number: str(number).encode()),
)
LINE = st.one_of(
    st.binary(max_size=200),
    st.lists(FIELD, min_size=7, max_size=11).map(b" ".join),
    st.tuples(st.integers(0, 5), st.sampled_from([b"http://a.org/1", "http://é.org/ü".encode()])).map(
        lambda pair: b"%d %s 1 2 3 4 5 6 1" % pair
    ),
)
NAME = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["..", "../../etc/passwd", "/abs", "con", "nul.txt", "a/b", "a\\b", "n" * 300, ".", "x\x00y", "é"]),
    st.lists(st.sampled_from(["..", "a", "/", "\\", ".", "C:", "con", " "]), max_size=6).map("".join),
)


@given(LINE)
def test_a_line_is_a_good_label_or_has_a_reason(line):
    try:
        label = parse(line)
    except Rejected as rejected:
        assert rejected.reason in lists.REASONS  # noqa: PT017
        return
    assert label.id.isdecimal() and label.id.isascii()
    assert label.url.lower().startswith(("http://", "https://")) and label.url.isprintable()
    assert all(map(math.isfinite, label[2:]))
    assert label.x1 < label.x2 and label.y1 < label.y2 and label.curated in (0, 1)


@given(NAME)
def test_a_folder_name_stays_in_its_folder(name):
    folder = names.folder_name(name)
    assert is_safe(f"{folder}/1")
    assert PureWindowsPath(folder).name == folder and not folder.startswith(".") and 0 < len(folder) <= 100
    assert not folder.endswith((".", " "))
    assert folder.isascii() and folder.isprintable()


@given(st.lists(NAME, unique=True, min_size=2, max_size=8))
def test_folder_names_are_one_to_one(given_names):
    assert len({names.folder_name(name) for name in given_names}) == len(given_names)


@settings(max_examples=40)
@given(st.lists(st.tuples(NAME, st.lists(LINE, max_size=6)), min_size=1, max_size=4))
def test_every_line_of_an_archive_ends_in_one_of_the_two_tables(members):
    with tempfile.TemporaryDirectory() as place:
        source, data = Path(place) / "lists.tar", Path(place) / "data"
        lines = 0
        with tarfile.open(source, "w") as archive:
            for name, content in members:
                text = b"\n".join(line.replace(b"\n", b"") for line in content)
                member = tarfile.TarInfo(name.replace("\x00", "") + ".txt")
                member.size = len(text)
                try:
                    archive.addfile(member, io.BytesIO(text))
                except UnicodeEncodeError:  # a lone surrogate: no archive can hold it
                    continue
        with tarfile.open(source) as archive:  # as whoever opens it sees it
            for member in archive:
                name = member.name.rpartition("/")[2]
                stream = archive.extractfile(member) if member.isreg() else None
                if stream and name.lower().endswith(".txt") and name.lower() != ".txt" and not name.startswith("._"):
                    lines += len(stream.readlines())
        try:
            lists.run(lists.Options(source=str(source), data=data))
        except lists.InputError as nothing:
            assert "holds no list" in str(nothing)  # noqa: PT017
            return
        labels = list(tables.rows(data / "labels.csv"))
        rejected = list(tables.rows(data / "labels_rejected.csv"))
        assert len(labels) + len(rejected) == lines
        assert {row["reason"] for row in rejected} <= lists.REASONS.keys()
        assert sorted(path.name for path in Path(place).rglob("*")) == [
            "data", "labels.csv", "labels_rejected.csv", "lists.tar",
        ]  # fmt: skip
        if labels:
            (Path(place) / "scratch").mkdir()
            with Plan(data, Path(place) / "scratch") as plan:  # what lists writes, images can use
                jobs = [job for _, jobs in plan.hosts() for job in jobs]
            assert sorted(image for job in jobs for image in job.image_ids) == sorted(row["image_id"] for row in labels)


def test_the_longest_line_that_counts():
    good = b"1 http://a.org/%s 1 2 3 4 5 6 1"
    assert parse(good % (b"x" * (MAX_LINE - len(good) + 2))).id == "1"
