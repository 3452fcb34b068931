"""Which jobs are meant: what the listing shows, and what steering changes, by the same rules."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from rosq import errors
from rosq.delays import MAX_DELAY_S

if TYPE_CHECKING:
    from rosq.inspect.jobs.rows import JobRow
    from rosq.job import JobState

_COMPARISON = re.compile(r"\s*(>=|<=|>|<|=)?\s*(.+?)\s*")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)?")
_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A number and how to compare with it."""

    sign: str
    number: float

    def holds(self, value: float) -> bool:
        """Whether it is so of a value."""
        return {
            ">": value > self.number,
            ">=": value >= self.number,
            "<": value < self.number,
            "<=": value <= self.number,
            "=": value == self.number,
        }[self.sign]


def parse_duration(text: str) -> float:
    """Read `90`, `90s`, `10m`, `2h`, `1d` as seconds.

    Raises:
        InvalidSettings: It is none.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise errors.InvalidSettings(f"{text!r} is no duration: give seconds, or say 10m, 2h, 1d.")
    seconds = float(match.group(1)) * _UNITS[match.group(2) or ""]
    if seconds > MAX_DELAY_S:
        raise errors.InvalidSettings(f"{text!r} is no duration: nothing here lasts more than ten years.")
    return seconds


def parse_age(text: str) -> Comparison:
    """Read `>10m`, `<2h`; a bare duration means: at least.

    Raises:
        InvalidSettings: It is none.
    """
    match = _COMPARISON.fullmatch(text)
    if match is None:
        raise errors.InvalidSettings(f"{text!r} is no age: say >10m or <2h.")
    return Comparison(sign=match.group(1) or ">=", number=parse_duration(match.group(2)))


def parse_count(text: str) -> Comparison:
    """Read `>2`, `<=3`, `0`; a bare number means: exactly.

    Raises:
        InvalidSettings: It is none.
    """
    match = _COMPARISON.fullmatch(text)
    if match is None or not match.group(2).isascii() or not match.group(2).isdigit():
        raise errors.InvalidSettings(f"{text!r} is no count: say >2, <=3 or 0.")
    return Comparison(sign=match.group(1) or "=", number=int(match.group(2)))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """All that is given must hold."""

    #: Empty: all.
    states: tuple[JobState, ...] = ()
    lanes: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()
    #: Looked for anywhere in the last error.
    error: re.Pattern[str] | None = None
    #: How long it has been in its state; a delayed job: since it was put on the queue.
    age: Comparison | None = None
    attempts: Comparison | None = None
    crashes: Comparison | None = None
    #: Looked for anywhere in the id.
    id_pattern: re.Pattern[str] | None = None
    #: Looked for in id, lane, worker and last error together.
    text: re.Pattern[str] | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether anything but the state is asked for, so that jobs have to be looked at one by one."""
        asked = (self.workers, self.error, self.age, self.attempts, self.crashes, self.id_pattern, self.text)
        return bool(self.lanes) or any(part not in (None, ()) for part in asked)

    def may_match(self, job_id: str) -> bool:
        """Whether a job can be meant, by its id alone."""
        return self.id_pattern is None or self.id_pattern.search(job_id) is not None

    def matches(self, row: JobRow) -> bool:
        """Whether a job is meant."""
        return (
            (not self.lanes or row.lane in self.lanes)
            and (not self.workers or row.worker in self.workers)
            and (self.error is None or self.error.search(row.last_error or "") is not None)
            and (self.age is None or (row.age_s is not None and self.age.holds(row.age_s)))
            and (self.attempts is None or self.attempts.holds(row.attempts))
            and (self.crashes is None or self.crashes.holds(row.crashes))
            and self.may_match(row.job_id)
            and (self.text is None or self.text.search(_text_of(row)) is not None)
        )


def _text_of(row: JobRow) -> str:
    return " ".join((row.job_id, row.lane, row.worker or "", row.last_error or ""))


def compile_pattern(text: str) -> re.Pattern[str]:
    """Read a regular expression; upper and lower case are the same.

    Raises:
        InvalidSettings: It is none.
    """
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise errors.InvalidSettings(f"{text!r} is no regular expression: {error}.") from error
