"""Where python -m download lists has its lists from: files, folders, archives, and addresses that break off."""

import hashlib
import io
import os
import re
import tarfile
from pathlib import Path

import pytest
from hostile_site import Site, answer, hang_up
from listing import LINE, SMALL, archive, line, run
from typed import typed

from download import sources
from visavis.errors import InputError


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
