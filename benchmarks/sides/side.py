"""What every contender's process shares: it obeys the benchmark line by line, over its standard input and output.

Runs in the contender's own virtual environment, so it needs nothing but Python. A contender's file defines a class with
what `Side` lists and ends with `side.main(TheClass)`. Started as `python FILE produce|work URL`:

- `produce` reads commands, one JSON object a line: `{"do": "one" | "many", "count": N, "data": {…}}`, and answers
  each with the instant before the first call and the seconds that the calls took. `{"do": "delayed", "delays_s": […]}`
  enqueues one job for each delay, whose data say which (`n`), and answers with the instants at which they are due;
  `{"do": "many_delayed", "count": N, "delay_s": S, "data": {…}}` fills.
- `work` reads one command and works for ever:
  - `{"warm_up": W, "count": N}`: the handler of job W says so and waits for one more line, so that the benchmark can
    read the server's counters at a known place; that of job W + N tells when both happened. `is_profiling` adds where
    the time in between went.
  - the same with `workers`: so many work side by side, threads of this process. From job W on each waits in its
    handler until all of them do; then the counters can be read, and N jobs later they wait again.
  - `{"is_telling": true}`: each job's start is told, with its `n`; with `is_hanging` the job never ends.
  `lease_s` and `name` are for those that have such.

With `lanes`, in either role, job number N lies in the lane of N modulo that, and a worker begins at job `first`; both
for those that have lanes.

The process ends with its standard input: a killed benchmark leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import cProfile
import inspect
import json
import os
import pstats
import queue
import sys
import threading
import time
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "bench"
#: What is sent at once where the caller has to choose.
BATCH = 500


class Side:
    """One contender, told by its class; `enqueue`, `enqueue_many` and `work` may be coroutines."""

    #: How long a worker keeps a job without a sign of life; None for the contender's default.
    lease_s: float | None = None
    #: Tells workers apart.
    worker_name = "w1"
    #: Into how many lanes jobs are put by turns, 0 for a queue without; and the number of a worker's first job.
    lanes = first = 0
    #: What the benchmark still says to a worker.
    commands: Commands

    def __init__(self, url: str, handle: Callable[[Any], None] | None) -> None:
        self.url = url
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 6379
        self.password, self.db = parts.password, int(parts.path.strip("/") or 0)
        #: What a worker calls with the data of each job, first thing.
        self.handle = handle or (lambda data: None)

    def open(self) -> Any:
        """Connect, and make what must be there before the first job."""

    def enqueue(self, number: int, data: dict[str, Any]) -> Any:
        """Enqueue one job; `number` is another for each call."""
        raise NotImplementedError

    def enqueue_delayed(self, number: int, data: dict[str, Any], delay_s: float) -> Any:
        """Enqueue one job that is due then."""
        raise NotImplementedError

    def work(self) -> Any:
        """Work on jobs one at a time until the process is killed."""
        raise NotImplementedError


class Commands:
    """Lines of the standard input, read beside everything else: its end is the end of the process."""

    def __init__(self) -> None:
        self.read_from(sys.stdin)

    def read_from(self, stream: IO[str]) -> None:
        """From now on read another stream: in a forked process, which has no threads of its parent's."""
        self._lines: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(stream, self._lines), daemon=True).start()

    def _read(self, stream: IO[str], lines: queue.SimpleQueue[Any]) -> None:
        for line in stream:
            lines.put(json.loads(line))
        os._exit(0)

    def next(self) -> Any:
        """The next one, whenever it comes."""
        return self._lines.get()


# Whatever a library prints must not come between the answers.
_out = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


def _say(**facts: Any) -> None:
    _out.write(json.dumps(facts) + "\n")


class _Telling:
    """A handler that tells when each job began."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._is_hanging = order.get("is_hanging", False)

    def __call__(self, data: Any) -> None:
        _say(started_s=time.monotonic(), n=data.get("n") if isinstance(data, dict) else None)
        if self._is_hanging:
            threading.Event().wait()


class _Counting:
    """A handler that says when it is warm, waits, and says how long the jobs after that took. It never lets go of the
    last one: what is counted after that is what so many jobs took, however many more wait."""

    def __init__(self, commands: Commands, order: dict[str, Any]) -> None:
        self._commands = commands
        self._warm_up, self._last = order["warm_up"], order["warm_up"] + order["count"]
        self._handled = 0
        self._begun_s = self._begun_cpu_s = 0.0
        self._profile = cProfile.Profile() if order.get("is_profiling") else None

    def __call__(self, data: Any) -> None:
        now_s = time.monotonic()
        self._handled += 1
        if self._handled == self._warm_up:
            _say(is_warm=True)
            self._commands.next()
            self._begun_s, self._begun_cpu_s = time.monotonic(), time.process_time()
            if self._profile is not None:
                self._profile.enable()
        elif self._handled == self._last:
            cpu_s = time.process_time() - self._begun_cpu_s
            if self._profile is not None:
                self._profile.disable()
            _say(seconds=now_s - self._begun_s, cpu_s=cpu_s, profile=_list_functions(self._profile))
            threading.Event().wait()


class _Crowd:
    """The handler of many workers: all hold one job each while the counters are read, before and after."""

    def __init__(self, commands: Commands, order: dict[str, Any]) -> None:
        self._commands = commands
        self._workers = order["workers"]
        self._first_free = order["warm_up"] + self._workers
        self._warm_up, self._end = order["warm_up"], self._first_free + order["count"]
        self._handled = 0
        self._lock = threading.Lock()
        self._go = threading.Event()
        self._begun_s = self._begun_cpu_s = 0.0

    def __call__(self, data: Any) -> None:
        now_s = time.monotonic()
        with self._lock:
            self._handled += 1
            number = self._handled
        if self._warm_up <= number < self._first_free:
            if number == self._first_free - 1:
                _say(is_warm=True)
                self._commands.next()
                self._begun_s, self._begun_cpu_s = time.monotonic(), time.process_time()
                self._go.set()
            self._go.wait()
        elif number >= self._end:
            if number == self._end + self._workers - 1:
                _say(seconds=now_s - self._begun_s, cpu_s=time.process_time() - self._begun_cpu_s)
            threading.Event().wait()


def _list_functions(profile: cProfile.Profile | None) -> list[list[Any]]:
    """Where a profile's time went: file, function, calls, seconds in the function itself; the dearest first."""
    if profile is None:
        return []
    entries = pstats.Stats(profile).stats.items()  # type: ignore[attr-defined]
    rows = [[file, name, calls, own_s] for (file, _, name), (_, calls, own_s, _, _) in entries]
    return sorted(rows, key=lambda row: -row[3])[:60]


def _make_handler(commands: Commands, order: dict[str, Any]) -> Callable[[Any], None]:
    if order.get("is_telling"):
        return _Telling(order)
    return _Crowd(commands, order) if "workers" in order else _Counting(commands, order)


async def _finish(answer: Any) -> Any:
    return await answer if inspect.isawaitable(answer) else answer


async def _produce(made: Side, commands: Commands, loop: Any) -> None:
    await _finish(made.open())
    number = 0
    is_async = inspect.iscoroutinefunction(made.enqueue)
    _say(is_ready=True)
    while True:
        order = await loop.run_in_executor(None, commands.next)
        data, count = order["data"], order.get("count", 1)
        made.lanes = order.get("lanes", 0)
        delays_s = order.get("delays_s", [])
        numbers = range(number, number + max(count, len(delays_s)))
        number = numbers.stop
        due_s = []
        begun_s, begun_cpu_s = time.monotonic(), time.process_time()
        if order["do"] == "many":
            await _finish(made.enqueue_many(numbers, data))  # type: ignore[attr-defined]
        elif order["do"] == "many_delayed":
            if hasattr(made, "enqueue_many_delayed"):
                await _finish(made.enqueue_many_delayed(numbers, data, order["delay_s"]))
            else:
                for each in numbers:
                    await _finish(made.enqueue_delayed(each, data, order["delay_s"]))
        elif order["do"] == "delayed":
            for index, (each, delay_s) in enumerate(zip(numbers, delays_s, strict=True)):
                due_s.append(time.monotonic() + delay_s)
                await _finish(made.enqueue_delayed(each, {**data, "n": index}, delay_s))
        elif is_async:
            for each in numbers:
                await made.enqueue(each, data)
        else:
            for each in numbers:
                made.enqueue(each, data)
        seconds, cpu_s = time.monotonic() - begun_s, time.process_time() - begun_cpu_s
        _say(begun_s=begun_s, seconds=seconds, cpu_s=cpu_s, due_s=due_s)


def _work_side_by_side(make: type[Side], url: str, handle: Callable[[Any], None], workers: int) -> None:
    made = [make(url, handle) for _ in range(workers)]
    for number, each in enumerate(made, start=1):
        each.worker_name = f"w{number}"
        each.open()
    _say(is_ready=True)
    for each in made[1:]:
        threading.Thread(target=each.work, daemon=True).start()
    made[0].work()


def main(make: type[Side]) -> None:
    """Run one role of a contender until the standard input ends."""
    role, url = sys.argv[1:3]
    commands = Commands()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    if role == "produce":
        loop.run_until_complete(_produce(make(url, None), commands, loop))
    order = commands.next()
    handle = _make_handler(commands, order)
    if "workers" in order:
        _work_side_by_side(make, url, handle, order["workers"])
    made = make(url, handle)
    made.lease_s = order.get("lease_s")
    made.worker_name = order.get("name", made.worker_name)
    made.commands = commands
    made.lanes, made.first = order.get("lanes", 0), order.get("first", 0)

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
