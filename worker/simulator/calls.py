"""The log of calls: what a test looks at to see who asked what, when, and over which connection."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from worker.simulator.clock import Clock


@dataclass(slots=True, kw_only=True)
class CallRecord:
    """One call. Noted when its headers have arrived, completed when its answer is out."""

    number: int
    method: str
    path: str
    #: Without the login's calls, whose query carries codes.
    query: str
    started_at: datetime
    started_monotonic_s: float
    #: Counts connections since the start; `request_on_connection` counts from 1 on each.
    connection: int
    request_on_connection: int
    endpoint: str | None = None
    account: str | None = None
    oid: str | None = None
    #: The object that the call is about, as its comparison key, where it is about one.
    cad_num: str | None = None
    fault: str | None = None
    #: Since the account's call before, start to start; not for the login's own.
    gap_s: float | None = None
    #: None while the answer isn't out, and for ever when there was none.
    status: int | None = None
    duration_s: float | None = None

    def as_json(self) -> dict[str, object]:
        """For `GET /_simulator/requests`."""
        return {**asdict(self), "started_at": self.started_at.isoformat()}


class CallLog:
    """The last calls of the portal's own endpoints; older ones are dropped, and counted."""

    def __init__(self, clock: Clock, *, kept: int) -> None:
        self._clock = clock
        self._calls: deque[CallRecord] = deque(maxlen=kept)
        self._count = 0
        self._alike: Counter[tuple[str | None, str | None]] = Counter()

    def begin(self, *, method: str, path: str, query: str, connection: int, request_on_connection: int) -> CallRecord:
        """Note a call that has just begun."""
        self._count += 1
        call = CallRecord(
            number=self._count,
            method=method,
            path=path,
            query=query,
            started_at=self._clock.now(),
            started_monotonic_s=self._clock.monotonic_s(),
            connection=connection,
            request_on_connection=request_on_connection,
        )
        self._calls.append(call)
        return call

    def count_alike(self, call: CallRecord) -> int:
        """How many calls of this endpoint and account came before; counts this one."""
        self._alike[call.endpoint, call.account] += 1
        return self._alike[call.endpoint, call.account] - 1

    def finish(self, call: CallRecord) -> None:
        """Note that the call is over."""
        call.duration_s = self._clock.monotonic_s() - call.started_monotonic_s

    def list(self, *, account: str | None, endpoint: str | None, after: int) -> tuple[list[CallRecord], int]:
        """Calls with a number above `after`, oldest first, and how many calls were dropped so far."""
        found = [
            call
            for call in self._calls
            if call.number > after and account in (None, call.account) and endpoint in (None, call.endpoint)
        ]
        return found, self._count - len(self._calls)
