"""How one simulator behaves, decided once at start. What a test changes later is in `faults` and `api.control`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from worker.simulator import errors

if TYPE_CHECKING:
    from datetime import time


class FinishAnswer(StrEnum):
    """What a successful `finish` says. The live portal's answer is not known for certain."""

    TEXT = "text"  #: the number as bare text
    JSON = "json"  #: the number as a JSON string
    NUMBER_LESS = "number-less"  #: a sentence without any number
    WRONG = "wrong"  #: a number that belongs to no row of the list


class KeyAnswer(StrEnum):
    """How `access-key/current-user` prints the key."""

    JSON = "json"
    TEXT = "text"


class DuplicateGuid(StrEnum):
    """What a repeated `finish` of the same package does."""

    SECOND = "second"  #: creates and charges another order: the worst case, and the default
    SAME = "same"  #: answers the first number, charges nothing
    REJECT = "reject"  #: 400


class ListOrder(StrEnum):
    """In which order «Мои заявки» come; the live portal's is not known."""

    NEWEST = "newest"
    OLDEST = "oldest"
    SHUFFLED = "shuffled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """A daily window, Moscow time, in which every call gets the maintenance page. It may cross midnight."""

    start: time
    end: time

    def covers(self, moment: time) -> bool:
        """Whether the window is open at this time of the day; its end is outside."""
        if self.start <= self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that `rosreestr-simulator --help` lists, but where it listens and who has an account.

    Raises:
        BadSettings: A value that makes no sense; the sentence names the option.
    """

    latency_min_s: float = 0.0
    latency_max_s: float = 0.0
    #: From `finish` to the extract.
    ready_after_s: float = 0.0
    #: From `finish` to the row in the list.
    list_lag_s: float = 0.0
    #: An idle connection lives so long.
    idle_limit_s: float = 5.0
    #: The most rows on one page, whatever `size` asks for.
    list_page_max: int = 50
    list_order: ListOrder = ListOrder.NEWEST
    #: Whether pages carry `last`; without it only an empty page says where the list ends.
    list_says_last: bool = True
    seed: int = 0
    #: From the login on, whatever was done meanwhile.
    session_ttl_s: float = 3600.0
    finish_answer: FinishAnswer = FinishAnswer.TEXT
    key_answer: KeyAnswer = KeyAnswer.JSON
    duplicate_guid: DuplicateGuid = DuplicateGuid.SECOND
    #: Start to start; 0 switches the limit off.
    min_interval_s: float = 0.0
    #: Calls of an account a Moscow day; 0 switches the limit off.
    daily_quota: int = 0
    #: Whether a point comes back when the registry refuses.
    refund_rejected: bool = False
    maintenance: Maintenance | None = None
    #: How many calls `GET /_simulator/requests` remembers.
    calls_kept: int = 10_000

    def __post_init__(self) -> None:
        for name in ("ready_after_s", "list_lag_s", "min_interval_s", "latency_min_s", "daily_quota"):
            if getattr(self, name) < 0:
                raise errors.BadSettings(f"--{_option(name)} can't be less than 0.")
        for name in ("idle_limit_s", "session_ttl_s", "list_page_max", "calls_kept"):
            if getattr(self, name) <= 0:
                raise errors.BadSettings(f"--{_option(name)} must be more than 0.")
        if self.latency_max_s < self.latency_min_s:
            raise errors.BadSettings("--latency is MIN:MAX in seconds, and MAX can't be less than MIN.")


def _option(name: str) -> str:
    return name.removesuffix("_s").replace("_", "-")
