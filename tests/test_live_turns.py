"""Turns: bounded, in a circle, and passed on whatever becomes of who waits."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from visavis.live.turns import Busy, Turns


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


def test_clients_have_their_turns_in_a_circle_however_many_one_asks_for() -> None:
    served: list[str] = []

    async def one(turns: Turns, client: str) -> None:
        async with turns.turn(client):
            served.append(client)
            await asyncio.sleep(0)

    async def work() -> None:
        turns = Turns(1)
        async with turns.turn("first"):
            tasks = [asyncio.create_task(one(turns, client)) for client in "aaaaabbc"]
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)

    run(work())
    assert "".join(served) == "abcabaaa"


def test_too_many_of_one_client_or_of_all_are_refused_and_others_are_not() -> None:
    async def work() -> None:
        turns = Turns(1, each=2, most=3)
        async with turns.admitted("a"), turns.admitted("a"):
            with pytest.raises(Busy):
                async with turns.admitted("a"):
                    pass
            async with turns.admitted("b"):
                with pytest.raises(Busy):
                    async with turns.admitted("c"):
                        pass
            async with turns.admitted("c"):
                pass
        async with turns.admitted("a"):
            pass

    run(work())


def test_who_gives_up_waiting_passes_the_turn_on() -> None:
    async def hold(turns: Turns, client: str) -> None:
        async with turns.turn(client):
            await asyncio.sleep(60)

    async def work() -> None:
        turns = Turns(1)
        held, waiting = (asyncio.create_task(hold(turns, client)) for client in "ab")
        await asyncio.sleep(0)
        waiting.cancel()
        held.cancel()
        await asyncio.wait([held, waiting])
        for _ in range(2):  # and no turn was lost, or made
            async with turns.turn("c"):
                assert turns._free == 0
        assert turns._free == 1

    run(work())


def test_a_turn_that_was_given_to_one_that_is_cancelled_at_once_is_not_lost() -> None:
    async def hold(turns: Turns, started: asyncio.Event) -> None:
        async with turns.turn("a"):
            started.set()

    async def work() -> None:
        turns, started = Turns(1), asyncio.Event()
        async with turns.turn("first"):
            waiting = asyncio.create_task(hold(turns, started))
            await asyncio.sleep(0)
        waiting.cancel()  # its future is done, but it has not run since
        await asyncio.wait([waiting])
        assert not started.is_set() and turns._free == 1

    run(work())
