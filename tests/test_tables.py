"""dataset/tables.py and visavis/files.py: what is written is read back, and what is torn is told."""

import csv
from pathlib import Path

import pytest

from dataset import tables
from visavis.errors import InputError
from visavis.files import replaced

ODD = ['comma, "quote"', "line\nfeed", "carriage\rreturn", "both\r\n", "", " padded ", "\N{GRINNING FACE}"]
JUDGED = {"image_id": "A/1", "keep": 1, "reason": "", "detail": ""}


def test_any_text_comes_back(tmp_path: Path):
    import pandas  # slow to import: only here

    path = tmp_path / "odd.csv"
    written = [{"a": text, "b": str(number)} for number, text in enumerate(ODD)]
    assert tables.write(path, written, ("a", "b")) == len(ODD)
    assert list(tables.rows(path)) == written
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file, strict=True)) == written
    assert len(pandas.read_csv(path)) == len(ODD)


def test_tables_end_their_lines_with_a_line_feed(tmp_path: Path):
    tables.write(tmp_path / "clean.csv", [JUDGED])
    assert (tmp_path / "clean.csv").read_bytes() == b"image_id,keep,reason,detail\nA/1,1,,\n"


def test_a_table_without_rows(tmp_path: Path):
    assert tables.write(tmp_path / "clean.csv", []) == 0
    assert list(tables.rows(tmp_path / "clean.csv")) == []


def test_a_torn_last_row_is_left_out_and_told(tmp_path: Path, capsys: pytest.CaptureFixture):
    path = tmp_path / "clean.csv"
    path.write_text("image_id,keep,reason,detail\nA/1,1,,\nA/2,0,fac")
    assert [row["image_id"] for row in tables.rows(path)] == ["A/1"]
    assert "the last row has no line break" in capsys.readouterr().err


def test_a_spreadsheets_mark_before_the_header_is_no_part_of_it(tmp_path: Path):
    (tmp_path / "clean.csv").write_text("image_id,keep,reason,detail\r\nA/1,1,,\r\n", encoding="utf-8-sig")
    assert list(tables.rows(tmp_path / "clean.csv")) == [{"image_id": "A/1", "keep": "1", "reason": "", "detail": ""}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no column image_id, keep, reason, detail"),
        (b"image_id,keep\n", r"no column reason, detail \(it has: image_id, keep\)"),
        (b"image_id,keep,reason,detail\nA/1,1\n", "row 2: 2 fields, the header has 4"),
        (b"image_id,keep,reason,detail\nA/1,1,,\n\xff\xfe,,,\n", "not a CSV table in UTF-8"),
        (b'image_id,keep,reason,detail\n"A/1,1,,\n', "not a CSV table"),
    ],
)
def test_tables_that_cannot_be_used(content: bytes, message: str, tmp_path: Path):
    (tmp_path / "clean.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(tables.rows(tmp_path / "clean.csv"))


def test_no_table_at_all(tmp_path: Path):
    with pytest.raises(InputError, match="make it with `python -m clean`"):
        list(tables.rows(tmp_path / "clean.csv"))
    (tmp_path / "clean.csv").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        list(tables.rows(tmp_path / "clean.csv"))


def test_appending_goes_on_after_the_last_whole_row(tmp_path: Path):
    path = tmp_path / "new/clean.csv"
    for image_id in ("A/1", "A/2"):
        with tables.Appender(path) as table:
            table.add(JUDGED | {"image_id": image_id, "detail": "two\r\nlines"})
        with path.open("a") as file:
            file.write('A/3,0,"torn')
    assert [row["image_id"] for row in tables.rows(path)] == ["A/1", "A/2"]
    assert {row["detail"] for row in tables.rows(path)} == {"two lines"}


def test_appending_to_nothing_but_half_a_header_starts_anew(tmp_path: Path):
    path = tmp_path / "clean.csv"
    path.write_text("image_id,ke")
    with tables.Appender(path) as table:
        table.add(JUDGED)
    assert len(list(tables.rows(path))) == 1


@pytest.mark.parametrize("header", ["keep,image_id,reason,detail", "image_id,keep,reason,detail,more", "a"])
def test_a_table_of_other_columns_is_not_appended_to(header: str, tmp_path: Path):
    path = tmp_path / "clean.csv"
    path.write_text(header + "\n")
    with pytest.raises(InputError, match="the header is"), tables.Appender(path):
        pass
    assert path.read_text() == header + "\n"


def test_numbers_and_boxes_say_where_they_are_wrong(tmp_path: Path):
    path = tmp_path / "faces.csv"
    good = {"x1": "1", "y1": "2.5", "x2": "3", "y2": "1e1"}
    assert tables.box(good, path, 2) == (1, 2.5, 3, 10)
    for wrong in ("", "x", "nan", "inf", "-inf"):
        with pytest.raises(InputError, match=r"faces\.csv row 7: x1"):
            tables.box(good | {"x1": wrong}, path, 7)
    for x2 in ("1", "0"):
        with pytest.raises(InputError, match=r"faces\.csv row 7: the box .* is empty"):
            tables.box(good | {"x2": x2}, path, 7)


@pytest.mark.parametrize(("mode", "text"), [("w", "new\r\n"), ("wb", b"new\r\n")])
def test_a_file_is_replaced_when_it_is_whole(mode: str, text: str | bytes, tmp_path: Path):
    path = tmp_path / "deep" / ("n" * 255)
    with replaced(path, mode) as file:
        file.write(text)
        assert not path.exists()
    assert path.read_bytes() == b"new\r\n"
    assert path.stat().st_mode & 0o777 == 0o644

    def interrupted() -> None:
        with replaced(path, mode) as file:
            file.write(text[:1])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"new\r\n"
    assert list(path.parent.iterdir()) == [path]
