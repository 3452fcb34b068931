"""Settings as value objects, checked when they are made. All defaults of rosq stand here, in `rosq.redis_settings` and
in `rosq.retry`."""

from __future__ import annotations

import dataclasses

from rosq.delays import check_delay, to_ms
from rosq.errors import InvalidSettings
from rosq.redis_settings import RedisSettings as RedisSettings

#: Seconds for which the id of a job that an operator removed is remembered by default: about 170 bytes each.
DEFAULT_REMEMBER_S = 3_600.0


#: Room for a line with its time.
_LOG_LEAST_BYTES = 64


def _check(is_right: bool, sentence: str) -> None:
    if not is_right:
        raise InvalidSettings(sentence)


def _check_times(settings: QueueSettings | WorkerSettings) -> None:
    """Return if each time is one that Redis and a calendar can say."""
    for field in dataclasses.fields(settings):
        if field.name.endswith("_s"):
            try:
                check_delay(field.name, getattr(settings, field.name))
            except ValueError as error:
                raise InvalidSettings(str(error)) from None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """What a queue keeps, and how much. It stands in Redis once: the last process that gives some decides for all."""

    #: Newest events that are kept (Redis rounds up to whole blocks).
    max_events: int = 10_000
    #: Completed jobs that are kept at most, about 300 bytes each with short data, and for how many seconds (a day). As
    #: long as one is kept its id is a duplicate.
    keep_completed: int = 100_000
    keep_completed_s: float = 86_400.0
    #: Failed jobs that are kept at most, and for how many seconds (thirty days).
    keep_failed: int = 10_000
    keep_failed_s: float = 2_592_000.0
    #: Seconds for which an id goes on counting as a duplicate after its job was forgotten, about 170 bytes each, and a
    #: sixth more of the server's time a job; 0: not at all, so that what is kept is bounded by count.
    remember_s: float = 0.0
    #: Records of past deliveries that a job keeps at most; 0 keeps none. With traces they take 16 kB at most.
    keep_deliveries: int = 20
    #: Cancelled jobs that are kept at most, and for how many seconds (thirty days): they can be started again.
    keep_cancelled: int = 10_000
    keep_cancelled_s: float = 2_592_000.0
    #: Job data above this many bytes of JSON are refused: a job is a pointer, not a parcel.
    max_data_bytes: int = 65_536
    #: What a handler's log may take in a job: the oldest lines beyond it are dropped.
    max_log_lines: int = 100
    max_log_bytes: int = 16_384
    #: A progress above this many bytes of JSON is refused.
    max_progress_bytes: int = 1_024
    #: Taken from that many holders in a row, a job fails: it kills its workers.
    max_crashes: int = 5
    #: Seconds that a job rests after it was taken from a holder; doubled by each further crash, up to a minute.
    crash_pause_s: float = 1.0
    #: Seconds without a sign of life after which a dead worker is forgotten (its pending jobs have moved on by then).
    forget_worker_s: float = 3_600.0
    #: Seconds (a day) after which a lane is removed that is empty, got no job and was read by nobody in that time.
    #: Before Redis 7.2 who reads and finds nothing isn't seen: his next fetch makes the lane anew.
    keep_empty_lanes_s: float = 86_400.0

    def __post_init__(self) -> None:
        _check_times(self)
        counts = (self.max_events, self.max_data_bytes, self.max_crashes)
        _check(all(count >= 1 for count in counts), "max_events, max_data_bytes and max_crashes must be 1 or more.")
        is_room = self.max_log_lines >= 1 and self.max_progress_bytes >= 1
        _check(is_room, "max_log_lines and max_progress_bytes must be 1 or more.")
        _check(self.max_log_bytes >= _LOG_LEAST_BYTES, f"max_log_bytes must be {_LOG_LEAST_BYTES} or more.")
        kept = (self.keep_completed, self.keep_failed, self.keep_cancelled, self.keep_deliveries)
        _check(all(count >= 0 for count in kept), "keep_… must be 0 or more.")

    @property
    def remember_ms(self) -> int:
        """The time for which ids are remembered as Redis counts it."""
        return to_ms(self.remember_s)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """The times of a worker, all in seconds."""

    #: How long a job, and the worker's name, stay held without a heartbeat. The heartbeat comes every third of it.
    lease_s: float = 30.0
    #: A handler that runs longer loses its job: its lease isn't renewed any more.
    run_timeout_s: float = 3_600.0
    #: How long a stop waits for the job in hand before it is released.
    grace_s: float = 25.0
    #: How long after the grace the process may still be there; then it ends itself, with Redis away too.
    exit_s: float = 5.0
    #: The longest sleep of an idle worker: each ends a round of the read loop, by which its health is judged.
    round_s: float = 10.0
    #: The longest pause between two attempts to come back while Redis is away.
    max_backoff_s: float = 5.0

    def __post_init__(self) -> None:
        _check_times(self)
        _check(self.lease_s >= 0.3, f"lease_s is {self.lease_s}: give 0.3 s or more.")
        _check(self.run_timeout_s > 0, f"run_timeout_s is {self.run_timeout_s}: give more than 0 s.")
        _check(self.round_s > 0 and self.max_backoff_s > 0, "round_s and max_backoff_s must be above 0 s.")

    @property
    def lease_ms(self) -> int:
        """The lease as Redis counts it: never shorter than its holder does."""
        return to_ms(self.lease_s)

    @property
    def beat_s(self) -> float:
        """Seconds between two heartbeats."""
        return self.lease_s / 3
