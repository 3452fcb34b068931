"""One try to tell a client: looked up, counted, sent, and written down how it ended.

A try is counted before it is made and ends after the answer. A sender that dies in between is followed by another one,
which sends the same again under the same `webhook-id`: at least once, never lost. An order's changes are told in their
order: the next one is called only by the transaction that ends the one before.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import random
import time
from typing import TYPE_CHECKING, Any, Final

from orders_service.crypto import CryptoError
from orders_service.orders.search import EventView, OrderView, read_order
from orders_service.store.queries import load
from orders_service.webhooks import signing
from orders_service.webhooks.manage import PURPOSE, sealed_for, switch_off_in
from orders_service.webhooks.notifications import message_id
from orders_service.webhooks.posting import NotTaken, Parcel, Poster

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orders_service.crypto import Secretbox
    from orders_service.settings import WebhookSettings
    from orders_service.store.db import Connection, Database

    #: From the notification's id, the event and the order as it stands, to what is sent.
    WriteBody = Callable[[str, EventView, OrderView], bytes]
    #: Told of a webhook whose address takes something again.
    OnReturn = Callable[[int], Awaitable[None]]

logger = logging.getLogger(__name__)

#: How a word about it is signed in the audit, where nobody did it.
_ACTOR: Final = "webhooks"
_GONE: Final = 410
#: Another try, where the reason lies with us.
_OWN_PAUSE_S: Final = 60.0
#: An earlier one of the order is under way.
_BEHIND_PAUSE_S: Final = 5.0
_SPREAD: Final = 1.1
_SQL: Final = load("webhook_notifications")


class Later(Exception):
    """It is to be tried again after so many seconds."""

    def __init__(self, pause_s: float) -> None:
        super().__init__(pause_s)
        self.pause_s = pause_s


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """A try that was counted, and may be made."""

    id: int
    webhook_id: int
    order_id: int
    attempt: int
    age_s: float
    url: str = dataclasses.field(repr=False)
    is_private_allowed: bool
    secrets: tuple[str, ...] = dataclasses.field(repr=False)
    body: bytes = dataclasses.field(repr=False)


class Sending:
    """Makes tries."""

    def __init__(
        self,
        database: Database,
        box: Secretbox,
        poster: Poster,
        settings: WebhookSettings,
        write_body: WriteBody,
        on_return: OnReturn,
    ) -> None:
        self._database = database
        self._box = box
        self._poster = poster
        self._settings = settings
        self._write_body = write_body
        self._on_return = on_return

    async def begin(self, notification_id: int) -> Try | None:
        """Count a try, and return what it needs; None: there is nothing to send any more.

        Raises:
            Later: Not now.
            DatabaseUnavailable: The database is away.
        """
        async with self._database.transaction() as connection:
            row = await _one(connection, "look", id=notification_id)
            if row is None or row["state"] in ("delivered", "given_up"):
                return None
            why = _why_never(row, self._settings)
            if why is not None:
                await self._end(connection, notification_id, row, state="given_up", error=why)
                return None
            if row["is_behind"]:
                raise Later(_BEHIND_PAUSE_S)
            if row["pause_s"] > 0:
                raise Later(row["pause_s"])
        # Some 50 ms for a secret that wasn't seen yet: not with a connection in hand.
        secrets = await asyncio.to_thread(self._open_secrets, row)
        async with self._database.transaction() as connection:
            order = await read_order(connection, row["order_id"])
            counted = await _one(connection, "begin_try", id=notification_id)
        if counted is None:
            return None
        return Try(
            id=notification_id,
            webhook_id=row["webhook_id"],
            order_id=row["order_id"],
            attempt=counted["attempts"],
            age_s=row["age_s"],
            url=row["url"],
            is_private_allowed=row["is_private_allowed"],
            secrets=secrets,
            body=self._write_body(message_id(notification_id), _event(row), order),
        )

    async def make(self, begun: Try) -> None:
        """Send, and write down how it ended.

        Raises:
            Later: It wasn't taken, and is tried again.
            DatabaseUnavailable: How it ended isn't written down: it is sent again.
        """
        timestamp = int(time.time())
        headers = {
            "content-type": "application/json",
            "user-agent": "orders-service webhooks",
            "webhook-id": message_id(begun.id),
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signing.sign(begun.secrets, message_id(begun.id), timestamp, begun.body),
        }
        parcel = Parcel(url=begun.url, body=begun.body, headers=headers, is_private_allowed=begun.is_private_allowed)
        try:
            status = await self._poster.post(parcel)
        except NotTaken as error:
            await self._note_not_taken(begun, error)
        else:
            await self._note_taken(begun, status)

    async def _note_taken(self, begun: Try, status: int) -> None:
        async with self._database.transaction() as connection:
            health = await _one(connection, "note_taken", webhook_id=begun.webhook_id)
            row = {"webhook_id": begun.webhook_id, "order_id": begun.order_id}
            await self._end(connection, begun.id, row, state="delivered", http_status=status)
        logger.info("A client was told", extra={"event": "webhook_delivered", **_facts(begun)})
        if health is not None and health["failed_s"] > self._settings.away_after_s:
            await self._on_return(begun.webhook_id)

    async def _note_not_taken(self, begun: Try, error: NotTaken) -> None:
        why, is_over = str(error), self._is_over(begun)
        off_reason = None
        async with self._database.transaction() as connection:
            values = {
                "webhook_id": begun.webhook_id,
                "error": why,
                "pause_s": error.pause_s,
                "rest_s": self._settings.rest_s,
            }
            health = await _one(connection, "note_not_taken", **values)
            assert health is not None, "webhooks stay"
            if error.status == _GONE:
                off_reason = "Its address answered that it is gone for good (410)."
            elif is_over and health["failing_s"] >= self._settings.off_after_s:
                off_reason = f"Nothing was taken there for {health['failing_s'] / 3600:.0f} h. Last: {why}"
            if off_reason is not None:
                is_off = await switch_off_in(
                    connection, begun.webhook_id, reason=off_reason, by=_ACTOR, origin="service"
                )
                off_reason = off_reason if is_off else None
            row = {"webhook_id": begun.webhook_id, "order_id": begun.order_id}
            outcome: dict[str, Any] = {"http_status": error.status, "error": why}
            if is_over:
                await self._end(connection, begun.id, row, state="given_up", **outcome)
            else:
                await connection.execute(_SQL["note_failed_try"], {"id": begun.id, **outcome})
        facts = {**_facts(begun), "error": why}
        if off_reason is not None:
            # A person must look: from now on this client isn't told of anything.
            extra = {"event": "webhook_switched_off", "webhook_id": begun.webhook_id, "error": off_reason}
            logger.error("A webhook was switched off", extra=extra)
        if is_over:
            logger.warning("A client isn't told: that was given up", extra={"event": "webhook_given_up", **facts})
            return
        # What failed together doesn't come back together.
        pause_s = self._settings.pauses_s[begun.attempt - 1] * random.uniform(1.0, _SPREAD)
        logger.info("A client couldn't be told", extra={"event": "webhook_not_taken", **facts, "delay_s": pause_s})
        raise Later(max(pause_s, error.pause_s))

    async def _end(self, connection: Connection, notification_id: int, row: dict[str, Any], **outcome: Any) -> None:
        values = {"http_status": None, "error": None, **outcome}
        await connection.execute(_SQL["end_notification"], {"id": notification_id, **values})
        following = {"webhook_id": row["webhook_id"], "order_id": row["order_id"]}
        await connection.execute(_SQL["call_next"], following)

    def _is_over(self, begun: Try) -> bool:
        return begun.attempt > len(self._settings.pauses_s) or begun.age_s >= self._settings.give_up_after_s

    def _open_secrets(self, row: dict[str, Any]) -> tuple[str, ...]:
        sealed = [row["secret_sealed"], row["previous_secret_sealed"]]
        whose = sealed_for(row["token_id"])
        try:
            return tuple(self._box.open(one, username=whose, purpose=PURPOSE) for one in sealed if one is not None)
        except CryptoError as exc:
            logger.error(
                "The secret of a webhook can't be opened: nothing is sent there",
                extra={"event": "webhook_secret_unreadable", "webhook_id": row["webhook_id"], "error": str(exc)},
            )
            raise Later(_OWN_PAUSE_S) from exc


def _why_never(row: dict[str, Any], settings: WebhookSettings) -> str | None:
    """Return why nothing is sent any more; None: it is."""
    if row["off_reason"] is not None:
        return f"Switched off: {row['off_reason']}"
    if not row["is_token_in_use"]:
        return "The token was revoked, or has ended."
    if row["attempts"] > len(settings.pauses_s):
        return f"Tried {row['attempts']} times; how the last try ended isn't known."
    return None


def _event(row: dict[str, Any]) -> EventView:
    return EventView(
        id=row["event_id"],
        at=row["at"],
        actor=row["actor"],
        kind=row["kind"],
        from_state=row["from_state"],
        to_state=row["to_state"],
        reason=row["reason"],
    )


def _facts(begun: Try) -> dict[str, object]:
    return {
        "webhook_id": begun.webhook_id,
        "notification": begun.id,
        "order_id": begun.order_id,
        "attempt": begun.attempt,
    }


async def _one(connection: Connection, statement: str, **values: Any) -> dict[str, Any] | None:
    cursor = await connection.execute(_SQL[statement], values)
    return await cursor.fetchone()
