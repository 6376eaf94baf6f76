"""What a run says at its end: counts that add up, advice where the pattern is known, and a picture of it."""

import pytest
from downloading import PHOTO, downloads, labels, options
from hostile_site import Site, answer
from PIL import Image

from download import images, report
from download.reasons import REASONS
from download.tally import Tally
from visavis.errors import InputError
from visavis.options import hold


def tally(**counts: tuple[int, str]) -> Tally:
    """reason -> (how many, from which host)."""
    made = Tally()
    for reason, (count, host) in counts.items():
        for number in range(count):
            status = REASONS[reason][0] if reason in REASONS else "ok"
            made.note(
                {"image_id": f"{reason}/{number}", "status": status, "reason": reason if status != "ok" else ""}, host
            )
    made.total = made.outcomes.total()
    return made


def test_advice_where_most_has_one_reason():
    (line,) = report.advice(tally(ok=(500, ""), dns=(60, ""), http_404=(40, "")))
    assert line.startswith("most of the missing images are `dns`:") and "resolver" in line


def test_advice_where_one_reason_has_one_host():
    (line,) = report.advice(tally(dns=(60, ""), http_403=(30, "a.org")))[1:]
    assert line.startswith("most of the `http_403` are from a.org:")
    assert "mostly from a.org" in report.advice(tally(http_403=(30, "a.org")))[0]


def test_no_advice_where_there_is_no_pattern():
    assert report.advice(tally()) == report.advice(tally(ok=(1000, ""))) == report.advice(tally(dns=(9, ""))) == []
    assert report.advice(tally(dns=(40, ""), timeout=(40, ""), http_404=(40, ""))) == []


def test_all_advice_is_about_reasons_that_there_are():
    assert report.ADVICE.keys() <= REASONS.keys()


def test_the_foremost_host_is_found_among_many_in_little_memory():
    many = Tally()
    for number in range(20_000):
        host = "big.org" if number % 2 else f"h{number}.org"
        many.note({"image_id": "a/1", "status": "refused", "reason": "http_403"}, host)
        assert len(many._hosts["http_403"]) <= 200
    assert many.foremost("http_403") in ("big.org", ""), "a lower bound is enough to name it, or nobody is named"
    few = tally(http_403=(100, "big.org"), http_404=(100, ""))
    assert few.foremost("http_403") == "big.org" and few.foremost("http_404") == ""


def test_the_table_adds_up_with_none_and_with_some():
    assert report.table(tally()) == ["        0  in all, of 0 images"]
    lines = report.table(tally(ok=(2, ""), dns=(3, "")))
    assert [line.split()[:2] for line in lines] == [["3", "dns"], ["2", "ok"], ["5", "in"]]
    assert "e.g. dns/0" in lines[0]


def test_a_run_ends_with_table_advice_and_chart(tmp_path, capfd):
    with Site("127.0.0.2") as site:
        site.routes |= {f"/{i}": answer(PHOTO) if i < 4 else answer(b"", "403 No") for i in range(20)}
        labels(tmp_path, {f"a/{i}": site.url(f"/{i}") for i in range(20)})
        assert images.run(options(tmp_path)) == 0
    said = capfd.readouterr().err
    assert "most of the missing images are `http_403`, mostly from 127.0.0.2" in said
    assert "MB/s=" in said and "image/s" in said and "refused=16" in said
    with Image.open(tmp_path / report.CHART) as chart:
        assert chart.format == "PNG"
        ok, failed, refused = (42, 127, 79), (217, 144, 47), (154, 154, 154)
        colours = {colour: count for count, colour in chart.convert("RGB").getcolors(1 << 20)}
        assert colours[refused] > 3 * colours[ok] > 0, "sixteen refused, four ok"
        assert failed not in colours, "and none failed"


def test_options_that_are_none(tmp_path):
    data = labels(tmp_path, {"a/1": "http://127.0.0.2:9/"})
    for change in ({"placeholder": 1}, {"shard": "9/8"}, {"contact": "a\nb"}):
        with pytest.raises(InputError, match=r"--|`placeholder`"):
            images.run(options(data, **change))
    for change in ({"placeholder": -1}, {"retries": -1}):  # what the command holds its options to
        with pytest.raises(InputError, match="must be"):
            hold(options(data, **change))
    assert not (data / "downloads.csv").exists()
    assert images.run(options(data, retries=0, put_aside=0.0)) == 3
    assert downloads(data)["a/1"]["attempts"] == "1"
