"""python -m download lists: good and bad lines, and the table that they become."""

import re
from pathlib import Path

import pytest
from listing import LINE, SMALL, archive, line, run
from typed import typed

from download import lists, names, sources
from download.lists import Label, Rejected, parse
from visavis.errors import InputError

ROOT = Path(__file__).parents[1]


def test_parse_reads_the_columns_of_the_archive():
    assert parse(LINE.encode()) == Label("00000001", "http://a.test/1.jpg", 1.5, 2, 30, 40, 3, 2.27, 1)
    assert parse(line(x1="-12.5", x2="1e3", url='HTTPS://x.test/é,"q"').encode()).x2 == 1000


@pytest.mark.parametrize(
    "bad, reason",
    [
        ("", "wrong_fields"),
        ("   ", "wrong_fields"),
        ("# a comment", "wrong_fields"),
        (LINE + " more", "wrong_fields"),
        (LINE.rsplit(" ", 1)[0], "wrong_fields"),
        (line(url="http://a.test/a b"), "wrong_fields"),
        (line(id="one"), "bad_id"),
        (line(id="-1"), "bad_id"),
        (line(id="../1"), "bad_id"),
        (line(id="1" * 19), "bad_id"),
        (line(url="ftp://a.test/1.jpg"), "bad_url"),
        (line(url="file:///etc/passwd"), "bad_url"),
        (line(url="http://"), "bad_url"),
        (line(url="http:///x"), "bad_url"),
        (line(url="http://a.test/\x01"), "bad_url"),
        (line(url="http://a.test/\u2028"), "bad_url"),
        (line(x1="nan"), "bad_number"),
        (line(y2="inf"), "bad_number"),
        (line(y2="1e999"), "bad_number"),
        (line(x1="1_0"), "bad_number"),
        (line(x1="1,5"), "bad_number"),
        (line(score="high"), "bad_number"),
        (line(pose="NaN"), "bad_number"),
        (line(curated="2"), "bad_number"),
        (line(curated="yes"), "bad_number"),
        (line(x1="30", x2="30"), "empty_box"),
        (line(y1="50", y2="40"), "empty_box"),
    ],
)
def test_parse_says_why_not(bad, reason):
    with pytest.raises(Rejected) as caught:
        parse(bad.encode())
    assert caught.value.reason == reason
    assert reason in lists.REASONS


def test_bytes_that_are_no_text():
    with pytest.raises(Rejected, match="bad_encoding"):
        parse(LINE.encode().replace(b"1.jpg", b"\xff.jpg"))
    with pytest.raises(Rejected, match="bad_id"):
        parse("٣".encode() + LINE.encode()[8:])


def test_identities(tmp_path):
    source = archive(tmp_path / "lists.tar.gz", SMALL)
    (tmp_path / "names").write_text("Cy\n\n Bob.txt \n")

    def who(identities: str) -> set[str]:
        return {row["identity"] for row in run(source, tmp_path / "data", identities=identities)[0]}

    assert who("1") == {"Ann_Lee"}
    assert who("2") == {"Ann_Lee", "Bob"}
    assert who("50") == {"Ann_Lee", "Bob", "Cy"}
    assert who("Cy,Ann_Lee") == {"Ann_Lee", "Cy"}
    assert who(f"@{tmp_path / 'names'}") == {"Bob", "Cy"}
    before = (tmp_path / "data/labels.csv").read_bytes()
    for bad, message in {
        "0": "1 or more",
        "-3": "1 or more",
        "": "nobody",
        "@nowhere": "nowhere cannot be read",
    }.items():
        with pytest.raises(InputError, match=message):
            who(bad)
    with pytest.raises(InputError, match=r"no list of 'Ann_Le'.*there is Ann_Lee"):
        who("Ann_Le,Bob")
    assert (tmp_path / "data/labels.csv").read_bytes() == before, "the old table stays"
    assert len(list((tmp_path / "data").iterdir())) == 2


def test_the_filters_account_for_every_line(tmp_path):
    source = archive(tmp_path / "lists.tar.gz", SMALL)

    def ids_and_reasons(**options) -> tuple[list[str], list[str]]:
        labels, rejected = run(source, tmp_path / "data", identities="1", **options)
        assert len(labels) + len(rejected) == 6
        return [row["image_id"][-1] for row in labels], [row["reason"] for row in rejected]

    assert ids_and_reasons(curated=True) == (["1", "3", "5"], ["not_curated"] * 3)
    assert ids_and_reasons(min_score=2.0) == (["4", "5", "6"], ["low_score"] * 3)
    assert ids_and_reasons(frontal=True) == (["3", "4", "5", "6"], ["not_frontal"] * 2)
    assert ids_and_reasons(per_identity=2) == (["1", "2"], ["over_limit"] * 4)
    assert ids_and_reasons(curated=True, frontal=True, per_identity=1)[0] == ["3"]
    with pytest.raises(InputError, match="--min-score nan"):
        ids_and_reasons(min_score=float("nan"))


def test_rejected_lines_say_where_and_why(tmp_path):
    text = "\n".join([LINE, LINE, line(id="1"), "rubbish\x00\rhere", line(id="2"), "", line(id="4", x1="99")])
    source = archive(
        tmp_path / "lists.tar.gz", {"files/Ann.txt": text, "deep/Ann.txt": line(id="2") + "\n" + line(id="5")}
    )
    labels, rejected = run(source, tmp_path / "data")
    assert [row["image_id"] for row in labels] == ["Ann/00000001", "Ann/2", "Ann/5"]
    assert [(row["file"], row["line"], row["reason"]) for row in rejected] == [
        ("files/Ann.txt", "2", "repeated_id"),
        ("files/Ann.txt", "3", "repeated_id"),
        ("files/Ann.txt", "4", "wrong_fields"),
        ("files/Ann.txt", "6", "wrong_fields"),
        ("files/Ann.txt", "7", "empty_box"),
        ("deep/Ann.txt", "1", "repeated_id"),
    ]
    assert rejected[2]["text"] == "rubbish\\x00\\rhere"


def test_endless_lines_are_one_row(tmp_path):
    long = b"1 http://a.test/" + b"x" * 5_000_000
    exact = line(id="7", url="http://a.test/").encode()
    exact = exact.replace(b"a.test/", b"a.test/" + b"y" * (sources.MAX_LINE - len(exact)))
    source = archive(tmp_path / "lists.tar.gz", {"A.txt": long + b"\n" + exact + b"\n" + LINE.encode() + b"\n" + long})
    labels, rejected = run(source, tmp_path / "data")
    assert [row["image_id"] for row in labels] == ["A/7", "A/00000001"]
    assert [(row["line"], row["reason"], len(row["text"])) for row in rejected] == [
        ("1", "wrong_fields", 1000),
        ("4", "wrong_fields", 1000),
    ]


def test_folder_names_are_safe_and_one_to_one():
    assert names.folder_name("A.J._Buckley") == "A.J._Buckley"
    odd = [
        "",
        ".",
        "..",
        "...",
        "a/b",
        "a\\b",
        "a b",
        "a=20b",
        "a\x00",
        "CON",
        "con.x",
        "=63on",
        "é",
        "e\u0301",
        "a.",
        "a",
    ]
    odd += [
        "=",
        "=-",
        "\udcff",
        "\ud800",
        "n" * 100,
        "n" * 101,
        "n" * 102,
        "é" * 60,
        ".a",
        "=2Ea",
        "LPT1",
        "~",
        "C:",
        "-x",
    ]
    safe = [names.folder_name(name) for name in odd]
    assert len(set(safe)) == len(odd)
    assert safe == [names.folder_name(name) for name in odd]
    for name in safe:
        assert re.fullmatch(r"[A-Za-z0-9=_\-][A-Za-z0-9._=\-]{0,99}", name) and not name.endswith("."), name
        assert not re.fullmatch(r"(?i)(con|nul|lpt1)(\..*)?", name)


def test_the_command(tmp_path):
    source = archive(tmp_path / "lists.tar.gz", SMALL)
    done = typed("-m", "download", "lists", source, "--data", tmp_path / "data", "--identities", "1", "--curated")
    assert done.returncode == 0, done.stderr
    assert "6 lines of 1 identity: 3 labels" in done.stderr and done.stdout == ""
    wrong = typed("-m", "download", "lists", tmp_path / "nowhere", "--data", tmp_path / "none")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert not (tmp_path / "none").exists()


def test_every_reason_is_documented():
    text = (ROOT / "docs" / "reasons.md").read_text(encoding="utf-8")
    section = text.partition("## labels_rejected.csv")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(lists.REASONS)
