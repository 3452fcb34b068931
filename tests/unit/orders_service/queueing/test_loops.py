"""What goes on beside the calls."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from orders_service.queueing.loops import Loop, cancel_all, pause_s

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


class Away(Exception):
    """Something isn't there."""


def run_until(loop_of: Callable[[asyncio.Event], Loop], timeout_s: float = 20.0) -> None:
    """Run a loop until its pass says that it is enough."""

    async def scene() -> None:
        enough = asyncio.Event()
        task = asyncio.create_task(loop_of(enough).run())
        await asyncio.wait_for(enough.wait(), timeout_s)
        assert await cancel_all([task]) == []

    asyncio.run(scene())


def test_trouble_is_said_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    def make(enough: asyncio.Event) -> Loop:
        outcomes: list[Exception | None] = [None, Away("a"), Away("b"), None, None]

        async def run_once() -> None:
            if not outcomes:
                enough.set()
            elif error := outcomes.pop(0):
                raise error

        return Loop("t", run_once, interval_s=0.001, expected=(Away,))

    with caplog.at_level(logging.INFO):
        run_until(make)

    assert [vars(record)["event"] for record in caplog.records] == ["task_waiting", "task_working"]


def test_a_defect_is_logged_with_its_traceback_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def make(enough: asyncio.Event) -> Loop:
        passes: list[None] = []

        async def run_once() -> None:
            passes.append(None)
            if len(passes) < 3:
                raise ZeroDivisionError
            enough.set()

        return Loop("t", run_once, interval_s=60, expected=(Away,))

    run_until(make)

    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None


def test_waking_during_a_pass_starts_another_directly_after_it() -> None:
    def make(enough: asyncio.Event) -> Loop:
        passes: list[None] = []

        async def run_once() -> None:
            passes.append(None)
            if len(passes) == 1:
                loop.wake()
            else:
                enough.set()

        loop = Loop("t", run_once, interval_s=3600)
        return loop

    run_until(make)


def test_a_loop_that_rests_serves_in_one_pass_all_that_it_was_woken_for_meanwhile() -> None:
    begun_at: list[float] = []

    def make(enough: asyncio.Event) -> Loop:
        async def run_once() -> None:
            begun_at.append(asyncio.get_running_loop().time())
            # Woken at once, as by a bell that rings without end.
            loop.wake()
            if len(begun_at) == 3:
                enough.set()

        loop = Loop("t", run_once, interval_s=3600, rest_s=0.05)
        return loop

    run_until(make)

    assert begun_at[2] - begun_at[0] >= 2 * 0.05


def test_a_task_that_swallows_a_cancellation_is_asked_again() -> None:
    swallowed: list[None] = []

    async def stubborn() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            swallowed.append(None)
        await asyncio.sleep(3600)

    async def broken() -> None:
        raise ZeroDivisionError

    async def scene() -> list[Exception]:
        tasks = [asyncio.create_task(stubborn()), asyncio.create_task(broken())]
        await asyncio.sleep(0)
        return await cancel_all(tasks)

    (error,) = asyncio.run(asyncio.wait_for(scene(), 20))

    assert (len(swallowed), type(error)) == (1, ZeroDivisionError)


def test_the_pause_grows_and_stays_bounded() -> None:
    assert all(0.1 <= pause_s(failures) <= 5.1 for failures in range(1, 200))
    assert max(pause_s(1) for _ in range(50)) < max(pause_s(6) for _ in range(50))
