"""The processes that decode: what they say, and what becomes of a picture that is too much for one."""

import asyncio
import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest
from test_download_images import PHOTO, encoded

from download import judge
from download.judge import Judges, Verdict


def judged(data: Path, *bodies: bytes, count: int = 1) -> list[Verdict]:
    async def go() -> list[Verdict]:
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
    async def go() -> Verdict:
        async with Judges(tmp_path, 50_000_000, 1) as judges:
            return await judges.judge(PHOTO, [f"a/{i:08}" for i in range(2500)])

    assert len(asyncio.run(asyncio.wait_for(go(), 90)).paths) == 2500


def test_no_process_to_be_had_is_an_error_and_no_endless_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    with pytest.raises(OSError, match="absent"):
        judged(tmp_path, PHOTO)


@pytest.fixture
def fragile(tmp_path, monkeypatch):
    """Judges whose decoder dies of b"kill", and never ends with b"hang"."""
    script = tmp_path / "fragile.py"
    script.write_text(
        textwrap.dedent("""
            import os, signal, sys, time
            from download import judge
            from visavis import images

            whole = images.inspect

            def inspect(body, max_pixels):
                if body == b"kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                if body == b"hang":
                    time.sleep(600)
                return whole(body, max_pixels)

            images.inspect = inspect
            judge._main(*sys.argv[1:])
        """)
    )
    started = asyncio.create_subprocess_exec
    monkeypatch.setenv("PYTHONPATH", str(Path(judge.__file__).parents[1]))

    async def start(program: str, *words: str, **options: object) -> asyncio.subprocess.Process:
        assert words[:2] == ("-m", "download.judge")
        return await started(program, str(script), *words[2:], **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)


def test_a_picture_that_brings_its_decoder_down_costs_that_picture_alone(tmp_path, fragile):
    found = judged(tmp_path, PHOTO, b"kill", PHOTO, b"kill", PHOTO)
    assert [verdict.reason for verdict in found] == ["", "not_image", "", "not_image", ""]


def test_a_picture_that_never_ends_costs_that_picture_alone(tmp_path, fragile, monkeypatch):
    async def go() -> list[Verdict]:
        async with Judges(tmp_path, 50_000_000, 1) as judges:
            monkeypatch.setattr(judge, "PATIENCE", 1.0)
            first = await judges.judge(b"hang", ["a/1"])
            monkeypatch.setattr(judge, "PATIENCE", 90.0)
            return [first, await judges.judge(PHOTO, ["a/2"])]

    assert [verdict.reason for verdict in asyncio.run(go())] == ["not_image", ""]


def test_a_judge_ends_with_who_asked(tmp_path):
    """Its input ends when the other side dies, however that dies."""
    code = textwrap.dedent(f"""
        import asyncio, os, sys
        from pathlib import Path
        from download.judge import Judges

        async def go():
            async with Judges(Path({str(tmp_path)!r}), 50_000_000, 1) as judges:
                await judges.judge(b"x", ["a/1"])
                children = Path(f"/proc/self/task/{{os.getpid()}}/children").read_text().split()
                print(*children, flush=True)
                await asyncio.sleep(600)

        asyncio.run(go())
    """)

    async def go() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, cwd=Path(judge.__file__).parents[1], stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        (child,) = map(int, (await process.stdout.readline()).split())
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        async with asyncio.timeout(60):
            while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
                await asyncio.sleep(0.02)

    asyncio.run(go())
