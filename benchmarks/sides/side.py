"""What every contender's process shares: it obeys the benchmark line by line, over its standard input and output.

Runs in the contender's own virtual environment, so it needs nothing but Python. A contender's file defines a class with
what `Side` lists and ends with `side.main(TheClass)`. Started as `python FILE produce|work URL`:

- `produce` reads commands, one JSON object a line: `{"do": "one" | "many", "count": N, "data": {…}}`, and answers
  each with the seconds that the calls took, or for `{"do": "stamped"}` with the instant just before one enqueue.
- `work` reads one command, `{"warm_up": W, "count": N}`, and works for ever. The handler of job W says so and waits
  for one more line, so that the benchmark can read the server's counters at a known place; that of job W + N tells
  when both happened. With `{"is_telling": true}` each job's start is told instead.

The process ends with its standard input: a killed benchmark leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import queue
import sys
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "bench"
#: What is sent at once where the caller has to choose.
BATCH = 500


class Side:
    """One contender, told by its class; `enqueue`, `enqueue_many` and `work` may be coroutines."""

    def __init__(self, url: str, handle: Callable[[], None] | None) -> None:
        self.url = url
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 6379
        self.password, self.db = parts.password, int(parts.path.strip("/") or 0)
        #: What a worker calls for each job, first thing.
        self.handle = handle or (lambda: None)

    def open(self) -> Any:
        """Connect, and make what must be there before the first job."""

    def enqueue(self, number: int, data: dict[str, Any]) -> Any:
        """Enqueue one job; `number` is another for each call."""
        raise NotImplementedError

    def work(self) -> Any:
        """Work on jobs one at a time until the process is killed."""
        raise NotImplementedError


class _Commands:
    """Lines of the standard input, read beside everything else: its end is the end of the process."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            self._lines.put(json.loads(line))
        os._exit(0)

    def next(self) -> Any:
        return self._lines.get()


# Whatever a library prints must not come between the answers.
_out = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


def _say(**facts: Any) -> None:
    _out.write(json.dumps(facts) + "\n")


class _Counting:
    """The handler."""

    def __init__(self, commands: _Commands, order: dict[str, Any]) -> None:
        self._commands = commands
        self._is_telling = order.get("is_telling", False)
        self._warm_up, self._last = order.get("warm_up", 0), order.get("warm_up", 0) + order.get("count", 0)
        self._handled = 0
        self._begun_s = self._begun_cpu_s = 0.0

    def __call__(self) -> None:
        now_s = time.monotonic()
        if self._is_telling:
            _say(started_s=now_s)
            return
        self._handled += 1
        if self._handled == self._warm_up:
            _say(is_warm=True)
            self._commands.next()
            self._begun_s, self._begun_cpu_s = time.monotonic(), time.process_time()
        elif self._handled == self._last:
            _say(seconds=now_s - self._begun_s, cpu_s=time.process_time() - self._begun_cpu_s)


async def _finish(answer: Any) -> Any:
    return await answer if inspect.isawaitable(answer) else answer


async def _produce(made: Side, commands: _Commands, loop: Any) -> None:
    await _finish(made.open())
    number = 0
    is_async = inspect.iscoroutinefunction(made.enqueue)
    _say(is_ready=True)
    while True:
        order = await loop.run_in_executor(None, commands.next)
        data, count = order["data"], order.get("count", 1)
        numbers = range(number, number + count)
        number += count
        begun_s, begun_cpu_s = time.monotonic(), time.process_time()
        if order["do"] == "many":
            await _finish(made.enqueue_many(numbers, data))  # type: ignore[attr-defined]
        elif is_async:
            for each in numbers:
                await made.enqueue(each, data)
        else:
            for each in numbers:
                made.enqueue(each, data)
        _say(begun_s=begun_s, seconds=time.monotonic() - begun_s, cpu_s=time.process_time() - begun_cpu_s)


def main(make: type[Side]) -> None:
    """Run one role of a contender until the standard input ends."""
    role, url = sys.argv[1:3]
    commands = _Commands()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    if role == "produce":
        loop.run_until_complete(_produce(make(url, None), commands, loop))
    made = make(url, _Counting(commands, commands.next()))

    async def work() -> None:
        await _finish(made.open())
        _say(is_ready=True)
        await made.work()

    if inspect.iscoroutinefunction(made.work):
        loop.run_until_complete(work())
    else:
        loop.run_until_complete(_finish(made.open()))
        _say(is_ready=True)
        made.work()
