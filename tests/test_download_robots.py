"""robots.txt and X-Robots-Tag: read once a host, obeyed, and nothing asked of a host whose rules cannot be read."""

import asyncio
import re
import threading

import pytest
from hostile_site import Site, answer, hang_up
from hypothesis import given
from hypothesis import strategies as st
from protego import Protego
from urllib3.util import parse_url
from waiting import Waiting

from download import address
from download.reasons import Failure
from download.robots import Robots, forbids_ai

PHOTO = b"bytes" * 100


@pytest.fixture
def site():
    with Site("127.0.0.2") as running:
        running.routes["/photo"] = answer(PHOTO)
        running.routes["/private/photo"] = answer(PHOTO)
        yield running


def client(**options) -> Waiting:
    return Waiting(**{"timeout": 90.0, "deadline": 90.0, "allow": address.ANYWHERE, "obey_robots": True} | options)


def rules(text: str, status: str = "200 OK", **headers: object) -> bytes:
    return answer(text.encode(), status, Content_Type="text/plain", **headers)


def test_rules_are_obeyed_and_read_once(site):
    site.routes["/robots.txt"] = rules("User-agent: *\nDisallow: /private/\nAllow: /private/photo$\nDisallow: /*.gif")
    site.routes |= {"/a.gif": answer(PHOTO), "/private/more": answer(PHOTO)}
    with client() as http:
        found = {
            path: http.get(site.url(path)).reason for path in ("/photo", "/private/photo", "/private/more", "/a.gif")
        }
    assert found == {"/photo": "", "/private/photo": "", "/private/more": "robots", "/a.gif": "robots"}
    assert len(site.robots) == 1 and len(site.requests) == 2
    assert "visavis" in site.robots[0].headers["user-agent"]


def test_a_group_for_us_goes_before_the_one_for_all(site):
    site.routes["/robots.txt"] = rules("User-agent: *\nDisallow: /\n\nUser-agent: Visavis\nDisallow: /private/\n")
    with client() as http:
        assert http.get(site.url("/photo")).reason == ""
        assert http.get(site.url("/private/photo")).reason == "robots"


def test_many_threads_ask_once(site):
    site.routes["/robots.txt"] = site.slow(0.3, b"User-agent: *\nDisallow: /private/")
    outcomes = []
    with client(per_host=8) as http:
        threads = [
            threading.Thread(target=lambda: outcomes.append(http.get(site.url("/private/photo")).reason))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert outcomes == ["robots"] * 8
    assert (len(site.robots), len(site.requests)) == (1, 0)


@pytest.mark.parametrize(
    "route, reason",
    [
        (rules("", "404 None"), ""),
        (rules("", "403 No"), ""),
        (rules("", "401 Who"), ""),
        (rules(""), ""),
        (rules("<html>Disallow: /</html>"), ""),
        (rules("User-agent: *\nDisallow: /" + "\n#" * 400_000), "robots"),
        (rules("#" * 600_000 + "\nUser-agent: *\nDisallow: /"), ""),
        (answer("User-agent: *\nDisallow: /\ufeff".encode("utf-16")), ""),
        (rules("\ufeffUser-agent: *\r\nDisallow: /photo"), "robots"),
        (rules("", "500 Oh"), "robots_unreachable"),
        (rules("", "503 Oh"), "robots_unreachable"),
        (rules("", "429 Slow", Retry_After=7), "robots_unreachable"),
        (answer(b"", "302 Go", Location="/robots.txt"), ""),
        (answer(b"", "302 Go", Location="/rules"), "robots"),
        (answer(b"", "302 Go", Location="file:///etc/passwd"), ""),
    ],
)
def test_what_comes_instead_of_rules(site, route, reason):
    site.routes |= {"/robots.txt": route, "/rules": rules("User-agent: *\nDisallow: /")}
    with client() as http:
        outcome = http.get(site.url("/photo"))
    assert outcome.reason == reason
    assert len(site.requests) - site.count("/rules") == (1 if not reason else 0)
    assert outcome.whole_host == (reason == "robots_unreachable")
    if b"Retry-After" in route:
        assert outcome.retry_after == 7


def test_rules_that_never_come(site):
    def early(connection, request):
        hang_up(connection)

    site.routes["/robots.txt"] = early
    with client() as http:
        assert http.get(site.url("/photo")).reason == "robots_unreachable"
        site.routes["/robots.txt"] = rules("User-agent: *\nAllow: /")
        assert http.get(site.url("/photo")).reason == "", "asked anew after a failure"
    assert len(site.robots) == 2


def test_a_dead_host_is_dead_not_forbidden():
    with client(lookup=lambda host, port: ["127.0.0.2"]) as http:
        outcome = http.get("http://dead.test:9/photo")
        assert (outcome.reason, outcome.whole_host) == ("connect", True)
        assert http.get("http://no-such-host.invalid/").reason == "connect"
    with client(lookup=address.lookup) as http:
        assert http.get("http://no-such-host.invalid/").reason == "dns"


def test_each_hop_of_a_redirect_is_asked_of_its_own_host(site):
    site.routes["/go"] = answer(b"", "302 Go", Location=site.url("/private/photo", "two.test"))
    site.routes["/robots.txt"] = lambda connection, request: connection.sendall(
        rules("User-agent: *\nDisallow: /private/" if request.headers["host"].startswith("two.") else "")
    )
    with client(lookup=lambda host, port: ["127.0.0.2"]) as http:
        assert http.get(site.url("/go", "one.test")).reason == "robots"
        assert http.get(site.url("/private/photo", "one.test")).reason == ""
    assert [request.headers["host"].split(".")[0] for request in site.robots] == ["one", "two"]
    assert site.count("/private/photo") == 1


@pytest.mark.parametrize(
    "value, forbidden",
    [
        ("noai", True),
        ("noimageai", True),
        ("noindex, NoAI", True),
        ("visavis: noindex, noimageai", True),
        ("otherbot: noai", False),
        ("otherbot: noindex, noai", False),
        ("noindex", False),
        ("", False),
        ("noai-not", False),
    ],
)
def test_x_robots_tag(site, value, forbidden):
    site.routes["/tagged"] = answer(PHOTO, X_Robots_Tag=value)
    assert forbids_ai([value]) == forbidden
    with client() as http:
        assert http.get(site.url("/tagged")).reason == ("robots" if forbidden else "")
    with client(obey_robots=False) as http:
        assert http.get(site.url("/tagged")).reason == ""
    assert len(site.robots) == 1


def test_several_headers_count_each():
    assert forbids_ai(["otherbot: noindex", "noai"])
    assert not forbids_ai(["otherbot: noai", "all"])


@given(st.one_of(st.text(), st.text("*$/: \nUser-agntDislowA%0123456789abcdef\ufeff\x00", max_size=200)), st.text())
def test_no_text_of_a_server_stops_us(text, path):
    async def fetch(url: str) -> tuple[int, bytes]:
        return 200, text.encode("utf-8", "surrogatepass")

    address = parse_url("http://a.test/" + re.sub(r"[^ -~]", "", path).replace("[", "").replace("]", ""))
    try:
        asyncio.run(Robots(fetch).check(address))
    except Failure as failure:
        assert failure.reason == "robots"  # noqa: PT017


def test_rules_for_thousands_of_others_cost_no_more_than_those_for_one(site, monkeypatch):
    parsed = []
    parse = Protego.parse
    monkeypatch.setattr(Protego, "parse", lambda text: parsed.append(parse(text)) or parsed[-1])
    others = "\n".join(f"User-agent: bot{i}" for i in range(2000))
    allowed = "\n".join(f"Allow: /{i}" for i in range(2000))
    site.routes["/robots.txt"] = rules(
        f"{others}\nuser agent : VISAVIS*  # us\n{allowed}\nDisallow: /private/\n\nUser-agent: *\nDisallow: /"
    )
    with client() as http:
        assert http.get(site.url("/photo")).reason == ""
        assert http.get(site.url("/private/photo")).reason == "robots"
    assert sum(len(rule_set._rules) for rule_set in parsed[0]._user_agents.values()) < 7000


def test_what_was_met_long_ago_is_forgotten(monkeypatch):
    monkeypatch.setattr("download.robots._KEPT_TEXT", 100)
    asked = []

    async def fetch(url: str) -> tuple[int, bytes]:
        asked.append(url)
        return 200, b"User-agent: *\nDisallow: /private/" + b"#" * 20

    robots = Robots(fetch)
    for host in "abca":
        asyncio.run(robots.check(parse_url(f"http://{host}/x")))
    assert len(asked) == 4, "a is asked again, for only one or two fit"
