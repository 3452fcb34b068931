"""Which caller a token stands for: looked up in the database, and remembered for a few seconds.

A token that is revoked lets nobody in after that time, in every process of the service. While the database is away
nothing is remembered longer: a call would come to nothing anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import logging
import time
from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.access import tokens
from orders_service.access.callers import ANYBODY
from orders_service.access.places import Places

if TYPE_CHECKING:
    from collections.abc import Callable

    from orders_service.access.callers import Caller
    from orders_service.store.db import Database

logger = logging.getLogger(__name__)

#: How long a token that was revoked may still be taken.
KEPT_S: Final = 5.0
#: Looked up at the same time, of tokens that are known and of others: whoever tries tokens out takes no more of the
#: pool's connections, and stands in nobody's way who was let in before.
_LOOK_UPS: Final = 2
#: Of tokens that aren't known so many may wait to be looked up: of one machine, and of all.
_OF_ONE: Final = 100
_OF_ALL: Final = 500
#: Remembered at most; there are never so many in use.
_MAX_KEPT: Final = 10_000
_NOTE_EVERY_S: Final = 60.0

_HOW: Final = (
    "make one with `orders-service tokens add`, and set ORDERS_SERVICE_TOKEN or ORDERS_SERVICE_TOKEN_FILE "
    "(or send the header `authorization: Bearer TOKEN`)."
)


@dataclasses.dataclass(slots=True)
class _Kept:
    token: tokens.TokenView
    until: float
    noted_until: float


class TokenBook:
    """Finds callers by their tokens.

    Args:
        is_required: Everybody needs a token; else only once one was made.
        clock: For tests.
    """

    def __init__(self, database: Database, *, is_required: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._is_closed = is_required
        self._is_open_until = 0.0
        self._clock = clock
        self._kept: dict[bytes, _Kept] = {}
        self._turns = {is_known: asyncio.Semaphore(_LOOK_UPS) for is_known in (True, False)}
        self._new = Places(of_one=_OF_ONE, of_all=_OF_ALL)
        self._under_way: dict[bytes, asyncio.Task[tokens.TokenView | None]] = {}

    async def find_caller(self, secret: str | None, peer: str) -> Caller:
        """Return who calls.

        Args:
            secret: The token that was shown; None: none was.
            peer: From where, for the list of tokens.

        Raises:
            Unauthenticated: A token is needed and there is none, or it is unknown, over or revoked.
            TooManyCalls: Too many tokens that nobody knows came from there at once.
            DatabaseUnavailable: It can't be looked up now.
        """
        if secret is None:
            if await self.is_closed():
                raise errors.Unauthenticated("NO_TOKEN", f"The orders service asks for an access token: {_HOW}")
            return ANYBODY
        if not tokens.is_possible(secret):
            raise errors.Unauthenticated("TOKEN_UNKNOWN", f"What was sent as access token is none: {_HOW}")
        kept = await self._find(secret, peer)
        if kept is None:
            raise errors.Unauthenticated("TOKEN_UNKNOWN", f"The access token isn't known here: {_HOW}")
        token = kept.token
        if token.revoked_at is not None:
            raise errors.Unauthenticated("TOKEN_REVOKED", f"The access token {token.name} was revoked: {_HOW}")
        if token.ends_at is not None and (token.has_ended or token.ends_at <= dt.datetime.now(dt.UTC)):
            at = f"{token.ends_at:%Y-%m-%d %H:%M} UTC"
            raise errors.Unauthenticated("TOKEN_ENDED", f"The access token {token.name} ended at {at}: {_HOW}")
        return token.caller

    async def is_closed(self) -> bool:
        """Whether everybody needs a token. Once it is so, it stays so, whatever becomes of the tokens.

        Raises:
            DatabaseUnavailable: It can't be asked now.
        """
        if self._is_closed or self._clock() < self._is_open_until:
            return self._is_closed
        async with self._database.transaction() as connection:
            self._is_closed = await tokens.is_any_made(connection)
        self._is_open_until = self._clock() + KEPT_S
        return self._is_closed

    async def _find(self, secret: str, peer: str) -> _Kept | None:
        key, now = tokens.digest(secret), self._clock()
        kept = self._kept.get(key)
        if kept is not None and now < kept.until:
            return kept
        # However many calls come at once with one token, it is looked up once.
        task = self._under_way.get(key)
        if task is None:
            is_due = kept is None or now >= kept.noted_until
            task = self._under_way[key] = asyncio.create_task(
                self._look_up(secret, peer, is_known=kept is not None, is_due=is_due)
            )
            task.add_done_callback(lambda ended: self._forget(key, ended))
        token = await asyncio.shield(task)
        if token is None:
            self._kept.pop(key, None)
            return None
        if key not in self._kept and len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
        earlier = self._kept.get(key)
        noted_until = now + _NOTE_EVERY_S if earlier is None or now >= earlier.noted_until else earlier.noted_until
        self._kept[key] = found = _Kept(token=token, until=now + KEPT_S, noted_until=noted_until)
        return found

    def _forget(self, key: bytes, ended: asyncio.Task[tokens.TokenView | None]) -> None:
        self._under_way.pop(key, None)
        if not ended.cancelled():
            ended.exception()  # whoever waited has it; where nobody does any more, it is nobody's trouble

    async def _look_up(self, secret: str, peer: str, *, is_known: bool, is_due: bool) -> tokens.TokenView | None:
        with contextlib.nullcontext() if is_known else self._new.taken(peer):
            async with self._turns[is_known], self._database.transaction() as connection:
                token = await tokens.find_token(connection, secret)
                if token is not None and is_due and token.revoked_at is None and not token.has_ended:
                    await tokens.note_use(connection, token.id, peer)
                return token
