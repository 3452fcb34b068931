"""What was handed out and isn't settled: every pending entry, with a verdict."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from redis import exceptions as redis_errors

from rosq.connection.reading import read_hashes
from rosq.connection.translating import is_missing
from rosq.inspect.ages import find_set_back, is_overlong, left_s
from rosq.inspect.view import View, at, server_now
from rosq.names import RECOVERY_CONSUMER
from rosq.store.fields import read_whole, to_datetime
from rosq.store.keys import GROUP

if TYPE_CHECKING:
    from datetime import datetime

    from rosq.store.keys import Keys

_FIELDS = ("entry_id", "state", "worker", "lease_until_ms", "crashes", "attempts")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PendingView:
    """A pending entry."""

    lane: str
    entry_id: str
    job_id: str | None
    #: The consumer that it is pending with; `~recovery` while it is being given back.
    owner: str
    idle_s: float
    #: Hand-outs of this entry; a job that was given back has a new one.
    deliveries: int
    lease_left_s: float | None
    crashes: int
    #: healthy, lost (its lease stands, its holder is gone), expired (it is about to be given back), overlong (its lease
    #: stands for longer than a lease can: the server's clock was set back; if its holder is dead, nobody takes it until
    #: the clock has caught up), orphan (no job knows it: whoever comes across it drops it), vanished (the entry was
    #: deleted while it was pending)
    verdict: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PendingList(View):
    """What `rosq inspect pending` shows."""

    pending: list[PendingView]
    count: int
    #: By how many seconds the server's clock was set back, as far as can be seen; null: it wasn't.
    clock_set_back_s: float | None

    @property
    def orphans(self) -> int:
        """How many of those shown break an invariant."""
        return sum(each.verdict == "orphan" for each in self.pending)


def list_pending(client: Any, keys: Keys, *, limit: int) -> PendingList:
    """List what is pending, lane by lane, oldest first."""
    now = at(server_now(client))
    set_back_s = find_set_back(client, keys, now)
    shown: list[PendingView] = []
    count = 0
    for lane in sorted(client.smembers(keys.lanes)):
        stream = keys.lane(lane)
        try:
            count += int(client.xpending(stream, GROUP)["pending"])
            entries = client.xpending_range(stream, GROUP, "-", "+", limit - len(shown)) if len(shown) < limit else []
        except redis_errors.ResponseError as error:
            if is_missing(error):
                continue
            raise
        shown += [view for entry in entries if (view := _view(client, keys, lane, entry, now, set_back_s))]
    return PendingList(
        view="pending", queue=keys.queue, seen_at=now, pending=shown, count=count, clock_set_back_s=set_back_s
    )


def _view(
    client: Any, keys: Keys, lane: str, entry: dict[str, Any], now: datetime, set_back_s: float | None
) -> PendingView | None:
    entry_id = entry["message_id"]
    found = client.xrange(keys.lane(lane), entry_id, entry_id)
    job_id = found[0][1].get("job_id", "") if found else None
    fields: dict[str, Any] = dict.fromkeys(_FIELDS)
    if job_id is not None:
        pipe = client.pipeline(transaction=False)
        pipe.hmget(keys.job(job_id), _FIELDS)
        [values] = read_hashes(pipe)
        fields = dict(zip(_FIELDS, values or [None] * len(_FIELDS), strict=True))
    lease_left_s = left_s(to_datetime(fields["lease_until_ms"]), now)
    owner = entry["consumer"]
    if job_id is None or fields["entry_id"] != entry_id:
        if not client.xpending_range(keys.lane(lane), GROUP, entry_id, entry_id, 1):
            # Settled between the two steps of this look.
            return None
        verdict = "vanished" if job_id is None else "orphan"
    elif lease_left_s is None or lease_left_s <= 0 or owner == RECOVERY_CONSUMER:
        verdict = "expired"
    else:
        token, lease_ms = client.hmget(keys.worker(owner), "token", "lease_ms")
        verdict = "healthy" if token else "lost"
        if is_overlong(lease_left_s, lease_ms if token else None, set_back_s):
            verdict = "overlong"
    return PendingView(
        lane=lane,
        entry_id=entry_id,
        job_id=job_id,
        owner=owner,
        idle_s=entry["time_since_delivered"] / 1000,
        deliveries=entry["times_delivered"],
        lease_left_s=lease_left_s,
        crashes=read_whole(fields["crashes"]) or 0,
        verdict=verdict,
    )
