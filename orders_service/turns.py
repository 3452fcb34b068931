"""Long work of the processor beside the event loop: one piece of it at a time, in a thread.

Python runs one thread at a time. The event loop waits some milliseconds for each other one that wants to run, so there
is one of them, however many callers have long work; and a single call into C that takes long is cut into several by
whoever makes it, since nothing else runs meanwhile.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

_THREAD: Final = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="long-work")


async def in_turn(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what the work returns, when it was its turn.

    Whoever is cancelled while it waits has it not done; work that has begun goes on to its end.
    """
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_THREAD, lambda: context.run(work, *args, **kwargs))


async def in_turn_if(is_long: bool, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what the work returns: here and now where it is short, since a thread takes longer to wake than that."""
    return await in_turn(work, *args, **kwargs) if is_long else work(*args, **kwargs)


async def give_way(done: int, every: int = 500) -> None:
    """Let others have the event loop, at every so many steps of something that takes many."""
    if done % every == 0:
        await asyncio.sleep(0)
