"""python -m download lists: good and bad lines, hostile archives, and an address that breaks off."""

import hashlib
import io
import os
import re
import tarfile
from pathlib import Path

import pytest
from hostile_site import Site, answer, hang_up
from typed import typed

from dataset import tables
from download import lists, names, sources
from download.lists import Label, Rejected, parse
from visavis.errors import InputError

ROOT = Path(__file__).parents[1]
LINE = "00000001 http://a.test/1.jpg 1.50 2.00 30.00 40.00 3.00 2.27 1"


def line(**changes: str) -> str:
    """A good line with some fields replaced."""
    keys = ("id", "url", "x1", "y1", "x2", "y2", "pose", "score", "curated")
    return " ".join((dict(zip(keys, LINE.split(), strict=True)) | changes).values())


def archive(path: Path, files: dict[str, str | bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, text in files.items():
            data = text.encode() if isinstance(text, str) else text
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def run(source: object, data: Path, **options) -> tuple[list[dict], list[dict]]:
    assert lists.run(lists.Options(source=str(source), data=data, **options)) == 0
    return list(tables.rows(data / "labels.csv")), list(tables.rows(data / "labels_rejected.csv"))


SMALL = {
    "vgg_face_dataset/README": "id url left top right bottom pose detection_score curation\n",
    "vgg_face_dataset/files/Ann_Lee.txt": "\n".join(
        line(id=f"{i:08}", url=f"http://a.test/{i}.jpg", pose=f"{i}.00", score=f"{i / 2}", curated=str(i % 2))
        for i in range(1, 7)
    ),
    "vgg_face_dataset/files/Bob.txt": LINE + "\n",
    "vgg_face_dataset/files/Cy.txt": line(id="2") + "\r\n" + line(id="3") + "\r\n",
}


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


@pytest.mark.parametrize("kind", ["tar.gz", "tar", "folder", "txt"])
def test_every_kind_of_source(tmp_path, kind):
    if kind == "folder":
        for name, text in SMALL.items():
            (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "in" / name).write_text(text, newline="")
        source, expected = tmp_path / "in", 9
    elif kind == "txt":
        source, expected = tmp_path / "Ann_Lee.txt", 6
        source.write_text(SMALL["vgg_face_dataset/files/Ann_Lee.txt"])
    else:
        source, expected = archive(tmp_path / f"lists.{kind}", SMALL, "w:gz" if kind == "tar.gz" else "w"), 9
    labels, rejected = run(source, tmp_path / "data")
    assert len(labels) == expected and rejected == []
    assert labels[0] == {
        "image_id": "Ann_Lee/00000001", "identity": "Ann_Lee", "url": "http://a.test/1.jpg",
        "x1": "1.5", "y1": "2.0", "x2": "30.0", "y2": "40.0", "pose": "1.0", "score": "0.5", "curated": "1",
    }  # fmt: skip


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


def test_hostile_archives_write_nothing_outside(tmp_path):
    path = tmp_path / "in" / "lists.tar.gz"
    path.parent.mkdir()
    long = "n" * 300
    with tarfile.open(path, "w:gz") as tar:
        for name in (
            "../../evil.txt",
            "/abs.txt",
            "..\\win.txt",
            "con.txt",
            "a\nb.txt",
            f"{long}.txt",
            ".h.txt",
            "._mac.txt",
        ):
            member = tarfile.TarInfo(name)
            member.size = len(LINE)
            tar.addfile(member, io.BytesIO(LINE.encode()))
        for name, kind in (
            ("link.txt", tarfile.SYMTYPE),
            ("hard.txt", tarfile.LNKTYPE),
            ("pipe.txt", tarfile.FIFOTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
    labels, rejected = run(path, tmp_path / "in" / "data")
    folders = [row["image_id"].partition("/")[0] for row in labels]
    assert len(set(folders)) == 7 and rejected == []
    for folder in folders:
        assert re.fullmatch(r"[A-Za-z0-9=_\-][A-Za-z0-9._=\-]{0,99}", folder), folder
    assert folders[:2] == ["evil", "abs"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "data",
        "in",
        "labels.csv",
        "labels_rejected.csv",
        "lists.tar.gz",
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


def test_sources_that_are_none(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.bin").write_text("no archive")
    whole = archive(tmp_path / "whole.tar.gz", {f"{i}.txt": os.urandom(50_000) for i in range(5)})
    (tmp_path / "cut.tar.gz").write_bytes(whole.read_bytes()[:120_000])
    no_lists = archive(tmp_path / "none.tar.gz", {"README": "hello"})
    for source, message in {
        tmp_path / "nowhere": "is not there",
        tmp_path / "empty": "holds no list",
        tmp_path / "text.bin": "not an archive",
        tmp_path / "cut.tar.gz": "damaged",
        no_lists: "holds no list",
    }.items():
        with pytest.raises(InputError, match=message):
            run(source, tmp_path / "data")
        assert not list((tmp_path / "data").glob("*")), f"{source} left something behind"


def test_an_address_is_fetched_once_and_gone_on_with(tmp_path):
    whole = archive(tmp_path / "whole.tar.gz", {f"P{i}.txt": line(id=str(i)) for i in range(20)}).read_bytes()
    half = len(whole) // 2

    def breaks_off(connection, request):
        start = int(re.search(r"\d+", request.headers.get("range", "bytes=0-"))[0])
        body = whole[start:]
        if start and request.headers.get("if-range") != '"v1"':
            connection.sendall(answer(b"", "500 The wrong version was asked for"))
        elif start:
            span = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
            connection.sendall(answer(body, "206 Part", Content_Range=span, ETag='"v1"'))
        else:
            connection.sendall(answer(body[:half], Content_Length=len(whole), ETag='"v1"'))
            hang_up(connection)

    with Site("127.0.0.2") as site:
        site.routes |= {"/lists.tar.gz": breaks_off, "/go": answer(b"", "302 Go", Location="/lists.tar.gz")}
        labels, _ = run(site.url("/go"), tmp_path / "data")
        assert len(labels) == 20
        assert [request.headers.get("range") for request in site.requests] == [
            None,
            None,
            f"bytes={half}-",
            f"bytes={half}-",
        ]
        run(site.url("/go"), tmp_path / "data")
        assert len(site.requests) == 4, "what is here is not fetched again"
    assert not [path for path in (tmp_path / "data").iterdir() if path.name.startswith(".")]


def test_a_partial_file_of_an_earlier_run(tmp_path):
    whole = archive(tmp_path / "whole.tar.gz", {"P.txt": LINE}).read_bytes()
    with Site("127.0.0.2") as site:
        url = site.url("/lists.tar.gz")
        site.routes["/lists.tar.gz"] = answer(b"", "404 Not there now")
        data = tmp_path / "data"
        with pytest.raises(InputError, match="http_404"):
            run(url, data)
        assert len(site.requests) == 1, "what is final is not asked for again"
        partial = data / f".{names_of_fetched(url)}.part"
        partial.write_bytes(whole[:40])
        site.routes["/lists.tar.gz"] = answer(whole)  # a server that knows no ranges sends all
        assert len(run(url, data)[0]) == 1
        assert site.requests[-1].headers["range"] == "bytes=40-"
        (data / names_of_fetched(url)).unlink()
        partial.write_bytes(whole)
        site.routes["/lists.tar.gz"] = answer(b"", "416 No more", Content_Range=f"bytes */{len(whole)}")
        assert len(run(url, data)[0]) == 1, "it was whole already"


def test_without_a_source_it_is_the_official_archive(tmp_path, monkeypatch):
    asked = []

    def fetched(url: str, data: Path) -> Path:
        asked.append(url)
        return archive(tmp_path / "lists.tar.gz", SMALL)

    monkeypatch.setattr(sources, "fetched", fetched)
    done = typed("-m", "download", "lists", "--data", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert asked == ["https://www.robots.ox.ac.uk/~vgg/data/vgg_face/vgg_face_dataset.tar.gz"]
    assert "9 lines of 3 identities" in done.stderr


def names_of_fetched(url: str) -> str:
    """The name under which `sources.fetched` keeps an address."""
    return hashlib.sha256(url.encode()).hexdigest()[:8] + "-lists.tar.gz"


def test_a_list_server_cannot_lead_inside(tmp_path):
    with Site("127.0.0.2") as outside, Site("127.0.0.1") as inside:
        outside.routes["/lists.tar.gz"] = answer(b"", "302 Go", Location=inside.url("/secret"))
        with pytest.raises(InputError, match="private_address"):
            run(outside.url("/lists.tar.gz"), tmp_path / "data")
        assert inside.connections == 0


def test_the_command(tmp_path):
    source = archive(tmp_path / "lists.tar.gz", SMALL)
    done = typed("-m", "download", "lists", source, "--data", tmp_path / "data", "--identities", "1", "--curated")
    assert done.returncode == 0, done.stderr
    assert "6 lines of 1 identities: 3 labels" in done.stderr and done.stdout == ""
    wrong = typed("-m", "download", "lists", tmp_path / "nowhere", "--data", tmp_path / "none")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert not (tmp_path / "none").exists()


def test_every_reason_is_documented():
    text = (ROOT / "docs" / "reasons.md").read_text(encoding="utf-8")
    section = text.partition("## labels_rejected.csv")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(lists.REASONS)
