"""How clients behave: the gaps between their calls, their calls a day, what they make of a `Retry-After`.

Judged whether the portal's own limits are on or not, and for the whole life of the simulator, also for calls that the
log has dropped. So a test can say that no interval was broken, and read which call broke it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.simulator.clock import MOSCOW

if TYPE_CHECKING:
    from datetime import date

    from worker.simulator.accounts import Account
    from worker.simulator.calls import CallRecord
    from worker.simulator.clock import Clock

_KEPT = 50
_HOUR_S = 3600.0


@dataclass(slots=True, kw_only=True)
class _Record:
    """All that was seen of one account."""

    calls: int = 0
    in_hand: int = 0
    most_at_once: int = 0
    last_s: float | None = None
    #: Every gap, start to start, with the later call's number.
    gaps: list[tuple[float, int]] = field(default_factory=list)
    by_day: Counter[date] = field(default_factory=Counter)
    #: Until when the portal told it to stay away, and by which call's answer.
    away_until_s: float = 0.0
    away_since: int = 0
    came_early: list[dict[str, object]] = field(default_factory=list)
    came_early_count: int = 0
    passwords_s: list[float] = field(default_factory=list)
    wrong_passwords: int = 0


class Conduct:
    """One record for each account."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[str, _Record] = {}
        self._open: dict[int, _Record] = {}

    def begin(self, call: CallRecord, account: Account) -> None:
        """A call of this account began; not one of the login's own."""
        record = self._of(account)
        started_s = call.started_monotonic_s
        if record.last_s is not None:
            call.gap_s = started_s - record.last_s
            record.gaps.append((call.gap_s, call.number))
        if started_s < record.away_until_s:
            record.came_early_count += 1
            if len(record.came_early) < _KEPT:
                early_s = round(record.away_until_s - started_s, 3)
                record.came_early.append({"call": call.number, "told_by": record.away_since, "early_s": early_s})
        record.last_s = started_s
        record.calls += 1
        record.in_hand += 1
        record.most_at_once = max(record.most_at_once, record.in_hand)
        record.by_day[self._clock.now().astimezone(MOSCOW).date()] += 1
        self._open[call.number] = record

    def end(self, call: CallRecord) -> None:
        """The call is over."""
        record = self._open.pop(call.number, None)
        if record is not None:
            record.in_hand -= 1

    def note_retry_after(self, call: CallRecord, wait_s: float) -> None:
        """The answer to this call told its client to stay away for so long."""
        until_s = self._clock.monotonic_s() + wait_s
        record = self._open.get(call.number)
        if record is not None and until_s > record.away_until_s:
            record.away_until_s, record.away_since = until_s, call.number

    def note_password(self, account: Account, *, is_right: bool) -> None:
        """A password was sent for this account."""
        record = self._of(account)
        record.passwords_s.append(self._clock.elapsed_s())
        record.wrong_passwords += not is_right

    def judge(self, *, interval_s: float, daily: int) -> dict[str, object]:
        """What was seen, held against an interval and a number of calls a day; 0 holds against nothing."""
        judged = [
            {"account": name, **_judged(record, interval_s=interval_s, daily=daily)}
            for name, record in sorted(self._records.items())
        ]
        return {"is_polite": all(entry["is_polite"] for entry in judged), "accounts": judged}

    def passwords(self, account: Account) -> int:
        """How many passwords were sent for it."""
        return len(self._of(account).passwords_s)

    def _of(self, account: Account) -> _Record:
        return self._records.setdefault(account.username, _Record())


def _judged(record: _Record, *, interval_s: float, daily: int) -> dict[str, object]:
    short = sorted(gap for gap in record.gaps if gap[0] < interval_s)
    over = {day.isoformat(): calls for day, calls in record.by_day.items() if daily and calls > daily}
    return {
        "is_polite": not (short or over or record.came_early_count),
        "calls": record.calls,
        "calls_by_day": {day.isoformat(): calls for day, calls in sorted(record.by_day.items())},
        "days_over": over,
        "shortest_gap_s": round(min(record.gaps)[0], 4) if record.gaps else None,
        "short_gaps": len(short),
        "shortest": [{"call": number, "gap_s": round(gap_s, 4)} for gap_s, number in short[:_KEPT]],
        "came_early": record.came_early_count,
        "earliest": record.came_early,
        "most_at_once": record.most_at_once,
        "passwords": len(record.passwords_s),
        "wrong_passwords": record.wrong_passwords,
        "most_passwords_an_hour": _most_within(record.passwords_s, _HOUR_S),
    }


def _most_within(times_s: list[float], span_s: float) -> int:
    most = first = 0
    for last, time_s in enumerate(times_s):
        while time_s - times_s[first] >= span_s:
            first += 1
        most = max(most, last - first + 1)
    return most
