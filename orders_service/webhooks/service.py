"""Webhooks as one process of the service runs them: relay, bell and senders. Without a webhook nothing of it runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Final

import psycopg

from orders_service import errors
from orders_service.queueing.loops import Loop, cancel_all
from orders_service.store import db
from orders_service.store.queries import load
from orders_service.webhooks.posting import Poster
from orders_service.webhooks.relay import CHANNEL, WebhookRelay
from orders_service.webhooks.senders import Senders
from orders_service.webhooks.sending import Sending
from rosq import RosqError

if TYPE_CHECKING:
    from orders_service.crypto import Secretbox
    from orders_service.settings import WebhookSettings
    from orders_service.store.db import Database
    from orders_service.webhooks.sending import WriteBody
    from rosq import Queue

logger = logging.getLogger(__name__)

#: How often it is looked which webhooks there are, and which of them are left in peace.
LOOK_S: Final = 5.0
#: How often it is looked what is to be told: steps of orders ring no bell, since a commit that does holds up others.
_RELAY_S: Final = 0.5
#: The same while one is left in peace.
_LOOK_SOON_S: Final = 1.0
_AWAY: Final = (errors.DatabaseUnavailable, errors.DatabaseUnfit)


class Webhooks:
    """Tells clients of what became of their orders, from the first webhook on."""

    def __init__(
        self,
        database: Database,
        queue: Queue,
        box: Secretbox,
        settings: WebhookSettings,
        write_body: WriteBody,
        *,
        grace_s: float,
        poster: Poster | None = None,
    ) -> None:
        self._database = database
        self._settings = settings
        self._poster = poster or Poster(timeout_s=settings.timeout_s, ca_file=settings.ca_file)
        self._relay_loop = Loop(
            "webhook_relay",
            self._relay_once,
            interval_s=_RELAY_S,
            expected=(*_AWAY, RosqError),
        )
        self._relay = WebhookRelay(database, queue, settings, self._relay_loop.wake)
        sending = Sending(database, box, self._poster, settings, write_body, self._bring_forward)
        self._senders = Senders(queue, sending, settings, grace_s=grace_s)
        self._look_loop = Loop("webhooks", self._look, interval_s=_LOOK_SOON_S, expected=_AWAY)
        self._bell_loop = Loop("webhook_bell", self._listen_once, interval_s=LOOK_S, expected=_AWAY)
        self._looked_at = self._swept_at = 0.0
        self._has_any = self._is_any_paused = False

    async def run(self) -> None:
        """Tell until cancelled; while queue or database is away, keep trying. `stop` first, to let tries end."""
        tasks = [asyncio.create_task(one.run()) for one in (self._look_loop, self._relay_loop, self._bell_loop)]
        try:
            await asyncio.gather(*tasks)
        finally:
            self._senders.request_stop()
            await cancel_all(tasks)
            await self._poster.close()

    async def stop(self) -> None:
        """Let what is being sent end, up to the grace; nothing new is taken."""
        await self._senders.stop()

    def hurry(self) -> None:
        """Leave what is being sent to be sent once more."""
        self._senders.request_stop()

    async def _look(self) -> None:
        """Look which webhooks there are, and which are left in peace."""
        now = time.monotonic()
        if self._looked_at and not self._is_any_paused and now - self._looked_at < LOOK_S - _LOOK_SOON_S / 2:
            return
        async with self._database.transaction() as connection:
            cursor = await connection.execute(load("webhooks")["list_lanes"])
            pauses_s = {row["id"]: row["pause_s"] for row in await cursor.fetchall()}
        self._looked_at = now
        self._has_any = bool(pauses_s)
        self._is_any_paused = any(left_s > 0 for left_s in pauses_s.values())
        if not pauses_s:
            return
        if not self._senders.is_running:
            self._senders.start()
            self._bell_loop.wake()
        self._senders.read(pauses_s)

    async def _relay_once(self) -> None:
        if not self._has_any:
            return
        await self._relay.run_once()
        now = time.monotonic()
        if now - self._swept_at >= self._settings.sweep_s:
            self._swept_at = now
            if await self._relay.sweep():
                self._relay_loop.wake()

    async def _bring_forward(self, webhook_id: int) -> None:
        # Else it comes at its own time.
        with contextlib.suppress(*_AWAY, RosqError):
            await self._relay.bring_forward(webhook_id)

    async def _listen_once(self) -> None:
        """Listen until the connection breaks."""
        if not self._has_any:
            return
        connection = await self._database.connect()
        try:
            await connection.execute(f"listen {CHANNEL}")
            self._bell_loop.condition.report_success()
            # What was committed before the ear was open.
            self._relay_loop.wake()
            async for _ in connection.notifies():
                self._relay_loop.wake()
        except psycopg.OperationalError as exc:
            raise db.unavailable(self._database.settings, exc) from exc
        finally:
            await connection.close()
