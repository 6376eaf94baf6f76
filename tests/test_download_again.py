"""What python -m download images tries again, when, and what it leaves alone."""

import itertools
from collections import Counter

import pytest
from downloading import PHOTO, downloads, encoded, labels, options
from hostile_site import answer

from download import images
from download.limits import Limits, strictest
from visavis.data.missing import HELPS
from visavis.errors import InputError


def test_what_an_option_refused_is_tried_again_when_the_option_changes(tmp_path, site):
    site.routes |= {
        "/robots.txt": answer(b"User-agent: *\nDisallow: /no"),
        "/no": answer(PHOTO),
        "/big": answer(encoded("PNG")),
    }
    labels(tmp_path, {"a/1": site.url("/no"), "a/2": site.url("/big"), "a/3": site.url("/missing")})
    strict = {"max_pixels": 96 * 80 - 1}

    def reasons(**changes) -> list[str]:
        assert images.run(options(tmp_path, **changes)) == 0
        return [row["reason"] for _, row in sorted(downloads(tmp_path).items())]

    assert reasons(**strict) == ["robots", "too_large", "http_404"]
    assert reasons(**strict) == ["robots", "too_large", "http_404"]
    assert site.count("/big") == 1
    assert reasons(**strict, ignore_robots=True) == ["too_large", "too_large", "http_404"]
    assert site.count("/big") == 1
    assert reasons(ignore_robots=True) == ["", "", "http_404"]
    assert (site.count("/no"), site.count("/big"), site.count("/missing")) == (2, 2, 1)
    assert reasons(**strict) == ["", "", "http_404"], "what is there stays"
    (tmp_path / "downloads.json").write_text("{}")
    with pytest.raises(InputError, match=r"downloads\.json .* delete it"):
        images.run(options(tmp_path))


def test_which_reasons_an_option_lifts():
    strict, loose = Limits(), Limits(True, True, True, 10**9, 10**9, 0)
    assert loose.lifted(strict) == {"private_address", "robots", "tls", "too_large", "placeholder"}
    assert strict.lifted(loose) == strict.lifted(strict) == frozenset()
    assert Limits(placeholder=11).lifted(strict) == {"placeholder"}
    assert Limits(max_bytes=30_000_000).lifted(strict) == {"too_large"}
    assert strictest([loose, Limits(max_pixels=9)]) == Limits(max_pixels=9)
    assert set(HELPS) == set(loose.lifted(strict)), "what clean advises"


def test_max_pixels_and_retry_by_reason(tmp_path, site):
    labels(tmp_path, {"a/1": site.url("/photo"), "a/2": site.url("/missing")})
    assert images.run(options(tmp_path, max_pixels=96 * 80 - 1)) == 0
    assert downloads(tmp_path)["a/1"]["reason"] == "too_large"
    assert images.run(options(tmp_path, max_pixels=96 * 80 - 1, retry="too_large")) == 0
    assert site.count("/photo") == 2 and downloads(tmp_path)["a/1"]["reason"] == "too_large"
    assert images.run(options(tmp_path)) == 0
    assert downloads(tmp_path)["a/1"]["status"] == "ok"
    assert site.count("/missing") == 1
    assert images.run(options(tmp_path, retry="refused")) == 0
    assert site.count("/missing") == 2 and site.count("/photo") == 3


def test_failures_that_pass(tmp_path, site):
    asked: Counter[str] = Counter()

    def twice_bad(connection, request):
        asked[request.path] += 1
        connection.sendall(answer(PHOTO) if asked[request.path] == 3 else answer(b"", "500 Oh"))

    site.routes["/later"] = twice_bad
    labels(tmp_path, {"a/1": site.url("/later")})
    assert images.run(options(tmp_path, retries=1, backoff=0.2)) == 3
    first, second = (request.at for request in site.requests)
    assert second - first >= 0.1
    assert downloads(tmp_path)["a/1"]["attempts"] == "2"
    assert images.run(options(tmp_path)) == 3, "without --retry nothing is asked again, and it is still failed"
    assert len(site.requests) == 2
    assert images.run(options(tmp_path, retry="failed")) == 0
    assert downloads(tmp_path)["a/1"]["status"] == "ok"


def test_back_off_doubles(tmp_path, site):
    site.routes["/down"] = answer(b"", "503 Down")
    labels(tmp_path, {"a/1": site.url("/down")})
    assert images.run(options(tmp_path, retries=3, backoff=0.2)) == 3
    times = [request.at for request in site.requests]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(pauses) == 3
    for pause, nominal in zip(pauses, (0.2, 0.4, 0.8), strict=True):
        assert pause >= nominal / 2
    assert images.run(options(tmp_path, retries=0, retry="failed")) == 3
    assert len(site.requests) == 5


def test_retry_after_holds_for_the_whole_host(tmp_path, site):
    asked: Counter[str] = Counter()

    def busy(connection, request):
        asked[request.path] += 1
        connection.sendall(answer(PHOTO) if asked[request.path] > 1 else answer(b"", "429 Slow", Retry_After=1))

    site.routes["/busy"] = busy
    urls = {"a/0": site.url("/busy")} | {f"a/{i}": site.url(f"/photo?{i}") for i in range(1, 6)}
    site.routes |= {f"/photo?{i}": answer(PHOTO) for i in range(1, 6)}
    site.routes["/elsewhere"] = answer(PHOTO)
    labels(tmp_path, urls | {"b/1": site.url("/elsewhere", "127.0.0.3")})
    assert images.run(options(tmp_path, per_host=1)) == 0
    began = next(request.at for request in site.requests if request.path == "/busy")
    at = {request.path: request.at for request in site.requests}  # of /busy the second time
    assert at["/elsewhere"] < at["/busy"], "other hosts are not held up"
    assert min(at[path] for path in ("/busy", "/photo?1", "/photo?5")) - began >= 0.95


def test_a_host_that_asks_for_an_hour_is_left_alone(tmp_path, site):
    site.routes["/busy"] = answer(b"", "503 Busy", Retry_After=3600)
    labels(tmp_path, {"a/0": site.url("/busy")} | {f"a/{i}": site.url(f"/photo?{i}") for i in range(1, 6)})
    assert images.run(options(tmp_path, per_host=1)) == 3
    assert {row["reason"] for row in downloads(tmp_path).values()} == {"retry_later"}
    assert len(site.requests) == 1
