"""Moves what is to be told from the database to the queue, and looks that the queue still has it.

As with orders: a row is marked in the transaction that holds its lock, after the queue has its job. A crash in between
repeats the enqueue, which is idempotent; a crash before it leaves the row to the next pass. What belongs to an order of
which an earlier one isn't over is put behind that one, and called by whoever ends it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING, Any, Final

from orders_service.queueing.threads import call_in_daemon
from orders_service.store.queries import load
from rosq import EnqueueOutcome, Fate, JobState, NewJob
from rosq.steering import Steering

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orders_service.settings import WebhookSettings
    from orders_service.store.db import Database
    from rosq import Queue

logger = logging.getLogger(__name__)

#: The channel that the schema's triggers notify.
CHANNEL: Final = "webhooks_to_relay"
#: Rows that one transaction locks while it talks to the queue.
BATCH: Final = 500

#: What was put on the queue less than so many seconds ago isn't looked for there.
_MARGIN_S: Final = 10.0
#: Where another process relays at this moment, it is tried again after so many seconds: it may be past what came since.
_BUSY_S: Final = 0.2
_LOCK_KEY: Final = 0x726F_7371_7765_6268
_FINISHED: Final = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.FORGOTTEN})
_SQL: Final = load("webhook_notifications")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    relayed: int
    last_id: int
    is_full: bool


def lane_of(webhook_id: int) -> str:
    """Return the lane of a webhook: one address that is slow or dead holds up no other."""
    return f"webhook-{webhook_id}"


class WebhookRelay:
    """Puts what is to be told on the queue.

    Args:
        wake: Called when a pass found another one under way.
    """

    def __init__(self, database: Database, queue: Queue, settings: WebhookSettings, wake: Callable[[], None]) -> None:
        self._database = database
        self._queue = queue
        self._settings = settings
        self._wake = wake
        self._margin_s = min(_MARGIN_S, settings.sweep_s)

    async def run_once(self) -> int:
        """Relay what is there now; return how many were.

        Raises:
            RosqError: The queue can't take it now; what was enqueued is enqueued again, without effect.
            DatabaseUnavailable: The database is away.
        """
        relayed = after_id = 0
        while True:
            batch = await self._relay_batch(after_id)
            relayed, after_id = relayed + batch.relayed, batch.last_id
            if not batch.is_full:
                break
        if relayed:
            logger.info("Put webhook notifications on the queue", extra={"event": "webhooks_relayed", "count": relayed})
        return relayed

    async def sweep(self) -> int:
        """Have those relayed again that the queue lost, or ended without a word, and forget some that are long over.

        Returns:
            How many the queue had lost, or nobody had called.

        Raises:
            RosqError: The queue can't be asked now.
            DatabaseUnavailable: The database is away.
        """
        lost = after_id = 0
        while ids := await self._page(after_id):
            after_id = ids[-1]
            jobs = await call_in_daemon(self._queue.find_jobs, list(map(str, ids)))
            gone = [one for one in ids if (job := jobs.get(str(one))) is None or not job.is_live]
            if gone:
                async with self._database.transaction() as connection:
                    values = {"ids": gone, "margin_s": self._margin_s}
                    lost += (await connection.execute(_SQL["relay_again"], values)).rowcount
        async with self._database.transaction() as connection:
            lost += (await connection.execute(_SQL["call_forgotten"])).rowcount
            await connection.execute(_SQL["forget_old"], {"keep_s": self._settings.keep_s, "limit": BATCH})
        return lost

    async def bring_forward(self, webhook_id: int) -> None:
        """Let what waits for another try of this webhook be tried now: its address is back.

        A crash midway leaves the rest to its own time.

        Raises:
            RosqError: The queue can't be asked now.
            DatabaseUnavailable: The database is away.
        """
        after_id = count = 0
        while True:
            values = {"webhook_id": webhook_id, "after_id": after_id, "limit": BATCH}
            async with self._database.transaction() as connection:
                cursor = await connection.execute(_SQL["page_of_a_webhook"], values)
                ids = [row["id"] for row in await cursor.fetchall()]
            if not ids:
                break
            after_id = ids[-1]
            count += await call_in_daemon(self._promote, ids)
        extra = {"event": "webhook_back", "webhook_id": webhook_id, "count": count}
        logger.info("A client's address takes what it is told again", extra=extra)

    def _promote(self, ids: Sequence[int]) -> int:
        queue = self._queue
        with Steering(queue.redis_settings, queue.name, by="webhooks", reason="its address is back") as steering:
            seen = steering.see(list(map(str, ids))).values()
            changed = steering.promote([job for job in seen if job.state is JobState.DELAYED])
        return sum(one.fate is Fate.DONE for one in changed)

    async def _relay_batch(self, after_id: int) -> _Batch:
        async with self._database.transaction() as connection:
            cursor = await connection.execute(_SQL["try_lock_relay"], {"key": _LOCK_KEY})
            row = await cursor.fetchone()
            if row is None or not row["is_mine"]:
                asyncio.get_running_loop().call_later(_BUSY_S, self._wake)
                return _Batch(relayed=0, last_id=after_id, is_full=False)
            cursor = await connection.execute(_SQL["take_unrelayed"], {"after_id": after_id, "limit": BATCH})
            rows = await cursor.fetchall()
            if not rows:
                return _Batch(relayed=0, last_id=after_id, is_full=False)
            cursor = await connection.execute(_SQL["find_behind"], {"ids": [row["id"] for row in rows]})
            behind = {row["id"] for row in await cursor.fetchall()}
            if behind:
                await connection.execute(_SQL["mark_behind"], {"ids": list(behind)})
            first = [row for row in rows if row["id"] not in behind]
            if first:
                await call_in_daemon(self._enqueue, first)
                await connection.execute(_SQL["mark_relayed"], {"ids": [row["id"] for row in first]})
        return _Batch(relayed=len(first), last_id=rows[-1]["id"], is_full=len(rows) == BATCH)

    def _enqueue(self, rows: Sequence[dict[str, Any]]) -> None:
        """Give each a live job."""
        jobs = [
            NewJob(job_id=str(row["id"]), data={"notification_id": row["id"]}, lane=lane_of(row["webhook_id"]))
            for row in rows
        ]
        for job, answer in zip(jobs, self._queue.enqueue_many(jobs), strict=True):
            if answer.outcome is not EnqueueOutcome.CREATED and answer.state in _FINISHED:
                # It is sent again, or its job ended without a word.
                self._queue.reopen(job)

    async def _page(self, after_id: int) -> list[int]:
        values = {"after_id": after_id, "margin_s": self._margin_s, "limit": BATCH}
        async with self._database.transaction() as connection:
            cursor = await connection.execute(_SQL["page_of_relayed"], values)
            return [row["id"] for row in await cursor.fetchall()]
