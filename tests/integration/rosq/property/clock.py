"""Moving a server's time, in two ways.

`FrozenClock` moves the server's own clock with libfaketime: everything that reads the time sees it, it stands still in
between, so that every limit is met to the millisecond, and it can be set back. That is the honest one.
`RewritingClock` is there where libfaketime is missing (it comes from the operating system, as `libfaketime`): it moves
what lies in Redis into the past. It can't set a clock back, and it moves only the times that are listed here.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tests.servers import EmbeddedRedis
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rosq.store.keys import Keys

#: Of a clock that runs on: how much a time may differ from the one expected, in ms. Below the ten seconds that
#: `model.SETTINGS` keep.
RUNNING_ON_MS = 9_000.0

#: Where Debian, Fedora and Alpine put it.
_LIBRARIES = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib*/faketime/libfaketime.so.1", "/usr/lib/libfaketime.so*")
_START = datetime(2030, 1, 1, tzinfo=UTC)

#: Everything of a queue that says a time goes back by ARGV[1] ms. KEYS: all keys of the queue.
_REWRITE = """
local by = tonumber(ARGV[1])
for _, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind == 'zset' then
    for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do
      redis.call('ZINCRBY', key, -by, member)
    end
  elseif kind == 'hash' then
    local until_ms = redis.call('HGET', key, 'lease_until_ms')
    if until_ms then
      redis.call('HSET', key, 'lease_until_ms', string.format('%.0f', tonumber(until_ms) - by))
    end
    local left = redis.call('PTTL', key)
    if left >= 0 then
      redis.call('PEXPIRE', key, left - by)
    end
  elseif kind == 'stream' then
    local pending = redis.pcall('XPENDING', key, 'workers', '-', '+', 100)
    for _, entry in ipairs(pending.err and {} or pending) do
      redis.call('XCLAIM', key, 'workers', entry[2], 0, entry[1], 'IDLE', entry[3] + by, 'JUSTID')
    end
  end
end
return 1
"""


class Clock(Protocol):
    """A server's time, as far as a test moves it."""

    #: Whether it can go back.
    can_go_back: bool
    #: How much times may differ from the expected ones, in ms.
    tolerance_ms: float

    def move(self, seconds: float) -> None:
        """Let this much time pass at once; less than nothing sets the clock back."""
        ...


class FrozenClock:
    """The clock of a server under libfaketime."""

    can_go_back = True
    tolerance_ms = 1.0

    def __init__(self, file: Path, client: Any) -> None:
        self._file = file
        self._client = client
        self._now = _START

    def move(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        write_time(self._file, self._now)
        # The library may answer from memory once more.
        wait_until(lambda: self._client.time()[0] == int(self._now.timestamp()), "the server's clock to move", 5, 0)


def write_time(file: Path, now: datetime) -> None:
    """Say what time it is, in one go: a server that reads a half-written file would end."""
    fresh = file.with_suffix(".new")
    fresh.write_text(f"{now:%Y-%m-%d %H:%M:%S}\n")
    fresh.replace(file)


class RewritingClock:
    """A clock that runs on, and a queue that is made older."""

    can_go_back = False
    tolerance_ms = RUNNING_ON_MS

    def __init__(self, client: Any, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def move(self, seconds: float) -> None:
        assert seconds >= 0, "a queue can't be made younger"
        found = self._client.keys(self._keys.job_prefix.removesuffix("job:") + "*")
        self._client.eval(_REWRITE, len(found), *found, int(seconds * 1000))


def find_library() -> Path | None:
    """libfaketime, where it is installed."""
    return next((path for pattern in _LIBRARIES for path in sorted(Path("/").glob(pattern.lstrip("/")))), None)


@contextlib.contextmanager
def frozen_server(library: Path, keys: Keys) -> Iterator[tuple[EmbeddedRedis, Clock]]:
    """Run a server whose clock only moves when it is told to."""
    with tempfile.TemporaryDirectory(prefix="rosq-test-clock-") as folder:
        file = Path(folder) / "now"
        write_time(file, _START)
        fake = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1"}
        # Its event loop keeps the real time, or it would never wake.
        fake |= {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "TZ": "UTC"}
        server = EmbeddedRedis(appendonly="no")
        try:
            with _environment(fake):
                server.start()
            with server.client() as client:
                yield server, FrozenClock(file, client)
        finally:
            server.close()


@contextlib.contextmanager
def running_server(keys: Keys) -> Iterator[tuple[EmbeddedRedis, Clock]]:
    """Run a server whose clock runs on, with a queue on it that can be made older."""
    server = EmbeddedRedis(appendonly="no")
    try:
        server.start()
        with server.client() as client:
            yield server, RewritingClock(client, keys)
    finally:
        server.close()


@contextlib.contextmanager
def _environment(extra: dict[str, str]) -> Iterator[None]:
    """Let a child inherit these; nothing that is loaded later here sees them."""
    before = {name: os.environ.get(name) for name in extra}
    os.environ.update(extra)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
