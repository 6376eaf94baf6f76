"""python -m download images: a hostile site, real photos, and what is no photo."""

import hashlib
import time

import pytest
from downloading import HUGE, PHOTO, downloads, encoded, files, labels, options
from hostile_site import answer, hang_up

from download import images
from download.http import Fetched
from download.reasons import REASONS
from visavis.errors import InputError


def test_formats_are_told_by_their_bytes(tmp_path, site):
    bodies = {
        "a/jpeg": (PHOTO, "text/html", ".jpg"),
        "a/cmyk": (encoded("JPEG", "CMYK"), "image/jpeg", ".jpg"),
        "a/png": (encoded("PNG"), "image/jpeg", ".png"),
        "a/webp": (encoded("WEBP"), "image/jpeg", ".webp"),
        "b/gif": (encoded("GIF"), "image/jpeg", ".gif"),
        "b/bmp": (encoded("BMP"), "", ".bmp"),
        "b/tiff": (encoded("TIFF"), "image/png", ".tif"),
    }
    site.routes |= {f"/{name}.exe": answer(body, Content_Type=kind) for name, (body, kind, _) in bodies.items()}
    labels(tmp_path, {name: site.url(f"/{name}.exe") for name in bodies})
    assert images.run(options(tmp_path)) == 0
    table = downloads(tmp_path)
    for name, (body, _, extension) in bodies.items():
        row = table[name]
        assert (row["status"], row["reason"], row["http_status"], row["attempts"]) == ("ok", "", "200", "1")
        assert row["path"] == f"images/{name}{extension}"
        assert (row["width"], row["height"], row["bytes"]) == ("96", "80", str(len(body)))
        assert row["sha256"] == hashlib.sha256(body).hexdigest()
    assert files(tmp_path) == {f"images/{name}{ending}": body for name, (body, _, ending) in bodies.items()}
    assert images.run(options(tmp_path)) == 0
    assert len(site.requests) == len(bodies), "nothing is fetched twice"


def test_what_is_no_photo(tmp_path, site, capfd):
    def reset(connection, request):
        connection.sendall(answer(PHOTO, Content_Length=len(PHOTO) + 50))
        hang_up(connection)

    routes = {
        "html": (answer(b"<html>gone</html>"), "refused", "not_image"),
        "svg": (answer(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "refused", "not_image"),
        "empty": (answer(b""), "refused", "empty"),
        "cut": (answer(PHOTO[: len(PHOTO) // 2]), "failed", "truncated"),
        "short": (reset, "failed", "truncated"),
        "huge": (answer(bytes(HUGE)), "refused", "too_large"),
        "fat": (answer(PHOTO + bytes(60_000)), "refused", "too_large"),
        "gone": (answer(b"", "404 Gone"), "refused", "http_404"),
        "down": (answer(b"", "503 Down"), "failed", "http_5xx"),
        "slow": (lambda connection, request: time.sleep(60), "failed", "timeout"),
        "fine": (answer(PHOTO), "ok", ""),
    }
    site.routes |= {f"/{name}": route for name, (route, _, _) in routes.items()}
    urls = {f"x/{name}": site.url(f"/{name}") for name in routes}
    urls |= {"x/scheme": "ftp://example.com/a.jpg", "x/nothing": "", "x/dead": "http://127.0.0.2:9/a.jpg"}
    labels(tmp_path, urls)
    assert images.run(options(tmp_path, retries=1, deadline=10.0, max_bytes=50_000)) == 3
    table = downloads(tmp_path)
    assert {name: (table[f"x/{name}"]["status"], table[f"x/{name}"]["reason"]) for name in routes} == {
        name: (status, reason) for name, (_, status, reason) in routes.items()
    }
    assert {table[f"x/{name}"]["reason"] for name in ("scheme", "nothing")} == {"bad_url"}
    assert table["x/dead"]["reason"] == "connect"
    assert {name: site.count(f"/{name}") for name in routes} == {
        name: 2 if status == "failed" else 1 for name, (_, status, _) in routes.items()
    }
    assert table["x/down"]["attempts"] == "2" and table["x/down"]["http_status"] == "503"
    assert list(files(tmp_path)) == ["images/x/fine.jpg"]
    printed = capfd.readouterr().err.splitlines()
    total = next(line for line in printed if "in all" in line)
    counted = [int(line.split()[0]) for line in printed if "e.g. x/" in line]
    assert sum(counted) == int(total.split()[0]) == len(urls)


def test_private_addresses_need_the_option(tmp_path, site):
    labels(tmp_path, {"a/1": site.url("/photo"), "a/2": f"http://localhost:{site.port}/photo"})
    assert images.run(options(tmp_path, allow_private=False)) == 0
    assert {row["reason"] for row in downloads(tmp_path).values()} == {"private_address"}
    assert site.connections == 0
    assert images.run(options(tmp_path, allow_private=False, max_bytes=10**9)) == 0
    assert site.connections == 0, "what does not refuse them tries nothing again"
    assert images.run(options(tmp_path)) == 0
    assert {row["status"] for row in downloads(tmp_path).values()} == {"ok"}


def test_limits_of_connections(tmp_path, site):
    urls = {}
    for host in range(2, 6):
        for number in range(8):
            site.routes[f"/{host}/{number}"] = site.slow(0.1, PHOTO)
            urls[f"h{host}/{number}"] = site.url(f"/{host}/{number}", f"127.0.0.{host}")
    labels(tmp_path, urls)
    assert images.run(options(tmp_path, connections=6, per_host=2)) == 0
    assert max(site.most_at_once.values()) == 2
    assert site.most_together <= 6
    assert site.most_together >= 4


def test_one_address_in_several_rows(tmp_path, site):
    url = site.url("/photo")
    labels(tmp_path, {"a/1": url, "b/1": url, "a/2": site.url("/none"), "b/2": site.url("/none"), "c/1": url + "#top"})
    assert images.run(options(tmp_path)) == 0
    assert site.count("/photo") == site.count("/none") == 1
    assert files(tmp_path) == {f"images/{image_id}.jpg": PHOTO for image_id in ("a/1", "b/1", "c/1")}
    labels(tmp_path, {"a/1": url, "b/1": url, "a/2": site.url("/none"), "d/1": url, "d/2": site.url("/none")})
    assert images.run(options(tmp_path)) == 0
    assert site.count("/photo") == site.count("/none") == 1, "an answer of an earlier run serves new rows"
    table = downloads(tmp_path)
    assert (table["d/1"]["path"], table["d/1"]["sha256"]) == ("images/d/1.jpg", hashlib.sha256(PHOTO).hexdigest())
    assert (table["d/2"]["status"], table["d/2"]["reason"], table["d/2"]["attempts"]) == ("refused", "http_404", "0")
    assert (tmp_path / "images/d/1.jpg").read_bytes() == PHOTO


def test_several_faces_of_one_photo_are_one_image(tmp_path, site):
    labels(tmp_path, {"a/1": site.url("/photo")})
    with (tmp_path / "labels.csv").open("a") as table:
        table.write(f"a/1,a,{site.url('/photo')},20,20,30,30,3,1,1\n")
    assert images.run(options(tmp_path)) == 0
    assert len(downloads(tmp_path)) == 1


def test_bad_input(tmp_path):
    with pytest.raises(InputError, match=r"labels.csv is not there.*download lists"):
        images.run(options(tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(InputError, match="no rows"):
        images.run(options(labels(tmp_path / "none", {})))
    (tmp_path / "labels.csv").write_text("name,url\n")
    with pytest.raises(InputError, match="no column image_id"):
        images.run(options(tmp_path))
    for image_id in ("../../etc/x", "/etc/x", "a//b", "a/.", "a/../b", "a\\b", ".hidden/1", "", "c:x"):
        with pytest.raises(InputError, match="row 2"):
            images.run(options(labels(tmp_path / "bad", {image_id: "http://127.0.0.2:9/"})))
    good = labels(tmp_path / "good", {"a/1": "http://127.0.0.2:9/"})
    for retry in ("everything", "", "timeout,dsn"):
        with pytest.raises(InputError, match="--retry"):
            images.run(options(good, retry=retry))
    assert sorted(path.name for path in good.iterdir()) == ["labels.csv"], "nothing was written"


def test_an_outcome_has_its_reasons_status():
    assert Fetched().status == "ok"
    assert {Fetched(reason).status for reason in REASONS} == {"failed", "refused"}
