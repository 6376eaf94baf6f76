"""The processes that decode: what they say, and what becomes of a picture that is too much for one."""

import asyncio
from pathlib import Path

import pytest
from downloading import PHOTO, encoded
from fragile import fragile

from download import judge
from download.judge import Judgement, Judges
from visavis.errors import InputError


def judged(data: Path, *bodies: bytes, count: int = 1) -> list[Judgement]:
    async def go() -> list[Judgement]:
        async with Judges(data, 50_000_000, count) as judges:
            return await asyncio.gather(*(judges.judge(body, [f"a/{i}"]) for i, body in enumerate(bodies)))

    return asyncio.run(go())


def test_each_gets_its_own_verdict_and_photos_are_saved(tmp_path):
    bodies = [PHOTO, b"<html>", encoded("PNG"), PHOTO[:-300], b""] * 5
    found = judged(tmp_path, *bodies, count=2)
    assert [verdict.reason for verdict in found] == ["", "not_image", "", "truncated", "empty"] * 5
    assert found[0].paths == ["images/a/0.jpg"] and found[2].paths == ["images/a/2.png"]
    assert found[0].columns["width"] == 96 and found[0].columns["bytes"] == len(PHOTO)
    assert len(list((tmp_path / "images" / "a").iterdir())) == 10


def test_a_photo_larger_than_a_pipe_goes_through(tmp_path):
    large = encoded("JPEG") + bytes(3_000_000)  # what follows a JPEG's end is left alone
    assert judged(tmp_path, large, large, PHOTO)[1].columns["bytes"] == len(large)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a").write_text("a file where a folder should be")
    with pytest.raises(OSError, match=r"exists|directory"):
        judged(tmp_path, PHOTO)


def test_an_address_of_thousands_of_images_gets_its_answer(tmp_path):
    async def go() -> Judgement:
        async with Judges(tmp_path, 50_000_000, 1) as judges:
            return await judges.judge(PHOTO, [f"a/{i:08}" for i in range(2500)])

    assert len(asyncio.run(asyncio.wait_for(go(), 90)).paths) == 2500


def test_no_process_to_be_had_is_an_error_and_no_endless_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "MODULES", ("download.absent",))
    with pytest.raises(InputError, match=r"no worker process can start: ModuleNotFoundError: .*absent"):
        judged(tmp_path, PHOTO)


def test_a_picture_that_brings_its_decoder_down_costs_that_picture_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "judged", fragile)
    found = judged(tmp_path, PHOTO, b"kill", PHOTO, b"kill", PHOTO)
    assert [verdict.reason for verdict in found] == ["", "not_image", "", "not_image", ""]


def test_a_picture_that_never_ends_costs_that_picture_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "judged", fragile)
    monkeypatch.setattr(judge, "PATIENCE", 5.0)
    assert [verdict.reason for verdict in judged(tmp_path, b"hang", PHOTO)] == ["not_image", ""]
