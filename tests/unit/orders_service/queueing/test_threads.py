"""Blocking calls beside the event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from orders_service.queueing.threads import call_in_daemon


def test_what_the_function_returns_or_raises_is_the_callers() -> None:
    assert asyncio.run(call_in_daemon(int, "7")) == 7
    with pytest.raises(ValueError, match="invalid literal"):
        asyncio.run(call_in_daemon(int, "x"))


def test_a_cancelled_call_goes_on_unheard_and_keeps_nobody_waiting() -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        may_end.wait(10)
        ended.set()

    async def scene() -> None:
        task = asyncio.create_task(call_in_daemon(hang))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scene())

    assert not ended.is_set(), "the loop has ended before the call"
    may_end.set()
    assert ended.wait(10)
