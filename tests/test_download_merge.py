"""Shares of the hosts for several machines, joined again; and pictures that stand for a missing one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from downloading import PHOTO, downloads, encoded, files, labels, options
from hostile_site import Site, answer
from hypothesis import given
from hypothesis import strategies as st
from typed import ROOT, typed

from dataset import tables
from download import images, merge
from download.plan import host_of, in_shard, shard_named
from visavis.errors import InputError


@pytest.fixture
def site():
    with Site("0.0.0.0") as running:  # every 127.x.y.z is a host of it
        running.host = "127.0.0.2"
        yield running


def web(site: Site, count: int = 24) -> dict[str, str]:
    """Addresses on eight hosts; one in six is not there. Each photo has its own bytes."""
    for i in range(count):
        site.routes[f"/{i}"] = answer(PHOTO + bytes([i])) if i % 6 else answer(b"", "404 No")
    return {f"p{i % 4}/{i}": site.url(f"/{i}", f"127.0.0.{2 + i % 8}") for i in range(count)}


def plain(data: Path) -> dict[str, dict[str, str]]:
    table = downloads(data)
    for row in table.values():
        del row["seconds"]
    return table


def test_shards_joined_are_what_one_run_fetches(tmp_path, site):
    urls = web(site)
    assert images.run(options(labels(tmp_path / "whole", urls))) == 0
    asked = len(site.requests)
    for share in (1, 2, 3):
        assert images.run(options(labels(tmp_path / f"s{share}", urls), shard=f"{share}/3")) == 0
    assert len(site.requests) == 2 * asked, "each address by one share"
    hosts = [{host_of(urls[image_id]) for image_id in downloads(tmp_path / f"s{share}")} for share in (1, 2, 3)]
    assert sum(map(len, hosts)) == len(set.union(*hosts)) == 8, "no host in two shares"
    folders = [str(tmp_path / f"s{share}") for share in (1, 2, 3)]
    for _ in range(2):  # a second time it finds all in place
        done = typed("-m", "download", "merge", *folders, "--data", tmp_path / "all")
        assert done.returncode == 0, done.stderr
        assert plain(tmp_path / "all") == plain(tmp_path / "whole")
        assert files(tmp_path / "all") == files(tmp_path / "whole")
    assert {path.name for path in (tmp_path / "all").iterdir()} == {
        "downloads.csv", "downloads.json", "downloads.png", "images", ".download.lock",
    }  # fmt: skip
    shutil.copy(tmp_path / "whole" / "labels.csv", tmp_path / "all")
    assert images.run(options(tmp_path / "all")) == 0
    assert len(site.requests) == 2 * asked, "nothing is left to fetch"


def test_the_row_that_says_most_wins(tmp_path, site):
    urls = web(site, 6)
    first, second = labels(tmp_path / "a", urls), labels(tmp_path / "b", urls)
    images.run(options(first))
    site.routes["/1"] = answer(b"", "503 Down")
    images.run(options(second, retries=0))
    assert merge.run(merge.Options(source=(second, first), data=tmp_path / "all")) == 0
    assert plain(tmp_path / "all") == plain(first)
    assert merge.run(merge.Options(source=(second,), data=first)) == 0
    assert {row["status"] for row in downloads(first).values()} == {"ok", "refused"}


def test_a_photo_that_changed_is_left_out(tmp_path, site, capfd):
    data = labels(tmp_path / "a", web(site, 6))
    images.run(options(data))
    (data / downloads(data)["p1/1"]["path"]).write_bytes(b"other")
    (data / downloads(data)["p2/2"]["path"]).unlink()
    assert merge.run(merge.Options(source=(data,), data=tmp_path / "all")) == 3
    assert "2 photos are missing or not what its table says" in capfd.readouterr().err
    assert {"p1/1", "p2/2"} == downloads(data).keys() - downloads(tmp_path / "all").keys()
    assert files(tmp_path / "all").keys() < files(data).keys()


@pytest.mark.parametrize(
    "image_id, path", [("a/1", "../../etc/passwd"), ("../a", "images/../a.jpg"), ("a/1", "images/b.jpg")]
)
def test_a_table_cannot_lead_outside(tmp_path, image_id, path):
    tables.write(
        tmp_path / "a" / "downloads.csv",
        [dict.fromkeys(tables.COLUMNS["downloads.csv"], "") | {"image_id": image_id, "status": "ok", "path": path}],
    )
    with pytest.raises(InputError, match="only images/<image_id>"):
        merge.run(merge.Options(source=(tmp_path / "a",), data=tmp_path / "all"))
    assert not (tmp_path / "all" / "images").exists()


def test_merge_says_what_it_cannot_use(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"downloads.csv is not there"):
        merge.run(merge.Options(source=(tmp_path / "empty",), data=tmp_path / "all"))
    with pytest.raises(InputError, match="give the data folders"):
        merge.run(merge.Options(source=(), data=tmp_path / "all"))
    assert not (tmp_path / "all").exists()


@given(st.text(min_size=1), st.integers(1, 40))
def test_each_host_is_in_one_share(host, of):
    assert [in_shard(host, (which, of)) for which in range(1, of + 1)].count(True) == 1


def test_shares_are_the_same_everywhere():
    program = (
        "from download.plan import in_shard\n"
        "hosts = 'a.org', 'b.org', 'c.org', 'xn--bcher-kva.ch'\n"
        "print([share for host in hosts for share in range(1, 9) if in_shard(host, (share, 8))])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[1, 7, 5, 6]\n"
    assert host_of("HTTP://A.Org:80/x") == host_of("http://u:p@a.org/y") == host_of("http://a.org./z") == "a.org"
    assert shard_named("3/8") == (3, 8) and shard_named(None) == (1, 1)
    for wrong in ("0/8", "9/8", "3", "3/0", "a/b", "-1/8", ""):
        with pytest.raises(InputError, match="--shard"):
            shard_named(wrong)


def test_one_identity_makes_no_placeholder(tmp_path):
    said = "`placeholder` 1 would refuse every photo; give 2 or more, or 0 for none"
    with pytest.raises(InputError, match=said):
        merge.run(merge.Options(source=(tmp_path / "other",), data=tmp_path, placeholder=1))
    with pytest.raises(InputError, match=said):
        images.run(options(tmp_path, placeholder=1))


def test_placeholders_are_told_at_the_end(tmp_path, site, capfd):
    site.routes |= {f"/gone{i}": answer(encoded("PNG")) for i in range(4)}
    site.routes |= {f"/{i}": answer(PHOTO + bytes([i])) for i in range(4)}
    urls = {f"p{i}/1": site.url(f"/{i}") for i in range(4)} | {f"p{i}/2": site.url(f"/gone{i}") for i in range(3)}
    labels(tmp_path, urls)
    assert images.run(options(tmp_path, placeholder=4)) == 0
    assert {row["status"] for row in downloads(tmp_path).values()} == {"ok"}, "three identities are too few"
    labels(tmp_path, urls | {"p3/2": site.url("/gone3"), "p3/3": site.url("/gone0")})
    assert images.run(options(tmp_path, placeholder=4)) == 0
    table = downloads(tmp_path)
    assert {image_id: (row["status"], row["reason"], row["path"]) for image_id, row in table.items()} == {
        f"p{i}/1": ("ok", "", f"images/p{i}/1.jpg") for i in range(4)
    } | dict.fromkeys(("p0/2", "p1/2", "p2/2", "p3/2", "p3/3"), ("refused", "placeholder", ""))
    assert sorted(files(tmp_path)) == [f"images/p{i}/1.jpg" for i in range(4)]
    said = capfd.readouterr().err
    assert "the same picture for 5 photos of 4 identities" in said
    assert "5  placeholder" in said and "4  ok" in said
    asked = len(site.requests)
    assert images.run(options(tmp_path, placeholder=4)) == 0
    assert len(site.requests) == asked, "they are not fetched again"
    assert images.run(options(tmp_path, placeholder=0, retry="placeholder")) == 0
    assert {row["status"] for row in downloads(tmp_path).values()} == {"ok"}, "where all may pass, they do"


def test_a_lost_photo_of_a_shared_address_is_fetched_for_the_new_row_alone(tmp_path, site):
    urls = web(site, 12)
    images.run(options(labels(tmp_path, urls)))
    (tmp_path / downloads(tmp_path)["p1/1"]["path"]).unlink()
    asked = len(site.requests)
    labels(tmp_path, urls | {"q/1": urls["p1/1"], "q/2": urls["p2/2"], "q/3": site.url("/3", "127.0.0.2")})
    assert images.run(options(tmp_path)) == 0
    assert sorted(request.path for request in site.requests[asked:]) == ["/1", "/3"]
    assert downloads(tmp_path).keys() == urls.keys() | {"q/1", "q/2", "q/3"}
    assert {"images/q/1.jpg", "images/q/2.jpg", "images/q/3.jpg"} < files(tmp_path).keys()
