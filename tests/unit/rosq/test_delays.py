"""No delay that a calendar can't say comes in anywhere."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal
from typing import Any

import pytest

from rosq import InvalidData, InvalidSettings, NewJob, QueueSettings, Snooze, WorkerSettings
from rosq.delays import MAX_DELAY_S, to_ms
from rosq.store.new_jobs import NewJobs

BAD: dict[str, Any] = {
    "inf": float("inf"),
    "-inf": float("-inf"),
    "nan": float("nan"),
    "negative": -0.001,
    "beyond ten years": MAX_DELAY_S * 1.0001,
    "huge": 1e12,
    "of many digits": 10**5_000,
    "text": "5",
    "bytes": b"5",
    "a list": [1],
    "complex": 1j,
    "a timedelta": datetime.timedelta(seconds=5),
}
UTC = datetime.UTC
TIMES = [field.name for kind in (QueueSettings, WorkerSettings) for field in dataclasses.fields(kind)]
TIMES = [name for name in TIMES if name.endswith("_s")]


@pytest.mark.parametrize("delay_s", BAD.values(), ids=BAD)
def test_what_is_no_delay_comes_in_nowhere(delay_s: Any) -> None:
    with pytest.raises(ValueError, match="give 0 to 315576000 seconds"):
        Snooze(delay_s)
    for option in ("delay_s", "run_timeout_s"):
        with pytest.raises(InvalidData, match=f"Job 1: {option} is .*: give 0 to"):
            NewJobs([NewJob(job_id="1", data={}, **{option: delay_s})], 1_000)
    assert len(TIMES) > 10
    for name in TIMES:
        kind: Any = QueueSettings if name in QueueSettings.__dataclass_fields__ else WorkerSettings
        with pytest.raises(InvalidSettings, match=f"{name} is .*: give 0 to"):
            kind(**{name: delay_s})


@pytest.mark.parametrize(
    "due_at",
    [
        datetime.datetime.max.replace(tzinfo=UTC),
        datetime.datetime.max.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=-12))),
        datetime.datetime.now(UTC) + datetime.timedelta(seconds=MAX_DELAY_S, days=1),
    ],
    ids=["the last there is", "west of that", "a day more"],
)
def test_a_time_that_is_more_than_ten_years_away_is_refused(due_at: datetime.datetime) -> None:
    with pytest.raises(InvalidData, match="Job 1: due_at, from now on, is"):
        NewJobs([NewJob(job_id="1", data={}, due_at=due_at)], 1_000)


@pytest.mark.parametrize(
    "due_at", [datetime.datetime.min.replace(tzinfo=UTC), datetime.datetime.now(UTC)], ids=["the first", "now"]
)
def test_a_time_that_is_past_comes_in(due_at: datetime.datetime) -> None:
    assert NewJobs([NewJob(job_id="1", data={}, due_at=due_at)], 1_000).ids == ["1"]


def test_every_number_of_seconds_is_a_delay_and_ms_are_rounded_up() -> None:
    for delay_s in (0, 0.0, True, 5, Decimal("0.25"), MAX_DELAY_S):
        assert Snooze(delay_s).delay_s == float(delay_s)  # type: ignore[arg-type]

    assert [to_ms(seconds) for seconds in (0.0, 0.0001, 0.001, 1.0, MAX_DELAY_S)] == [0, 1, 1, 1_000, 315_576_000_000]
