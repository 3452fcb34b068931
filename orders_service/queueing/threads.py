"""Calls that block, beside the event loop, and that nobody has to wait for at the end."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


async def call_in_daemon(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking function in a daemon thread of its own, and return what it returns.

    Unlike `asyncio.to_thread`, whose threads a process waits for when it ends: a server that hangs would keep a stopped
    service alive until its timeouts have run out. Cancelled, the call goes on unheard, so it must be safe to repeat.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if outcome.cancelled():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = function(*args, **kwargs)
        except Exception as raised:
            error = raised
        if not loop.is_closed():
            try:
                loop.call_soon_threadsafe(settle, result, error)
            except RuntimeError:
                return  # closed between the two lines: nobody waits any more

    threading.Thread(target=run, name=f"call:{getattr(function, '__name__', 'queue')}", daemon=True).start()
    return await outcome
