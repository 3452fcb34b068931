"""A job as Redis handed it out: the bare facts, before anything is made of them."""

from __future__ import annotations

from typing import NamedTuple


class HandOut(NamedTuple):
    """A job as it was handed out: what Redis told of it, and when it was asked."""

    job_id: str
    #: What it carries, as `rosq.store.codec` packs it.
    text: str
    lane: str
    fence: int
    token: str
    attempt: int
    crashes: int
    #: The lane's entry that stands for it; Redis' own id.
    entry_id: str
    #: When it was asked for, by `boot_time_s`: its lease counts from then.
    asked_s: float
    #: The same, or when the sleep ended that it was asked for with: its run time counts from then.
    started_s: float
    #: Whether Redis knows this delivery. One that tests make up is settled by nobody.
    is_real: bool = True
