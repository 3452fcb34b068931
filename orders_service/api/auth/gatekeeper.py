"""Lets calls in: who calls, how often, whether he may, and what the audit keeps of it.

Whatever serves the contract passes each call through here: `admitted` around all of it, before anything of its request
is read, then `passing` around the answer, which is given with `current()` being the caller.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.access.book import TokenBook
from orders_service.access.callers import Caller, Role, calling
from orders_service.access.pace import Pace
from orders_service.access.places import Places
from orders_service.access.scribe import Scribe
from orders_service.api.auth import rules
from orders_service.api.auth.masking import mask
from orders_service.api.auth.rules import Rule, Trace
from orders_service.api.auth.trail import Step, Trail, deed_of
from orders_service.store.queries import load
from orders_service.store.share import share_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from google.protobuf.message import Message

    from orders_service.store.db import Database

logger = logging.getLogger(__name__)

_SQL: Final = load("access")
#: Lines in the log about one machine that shows no token, or a wrong one: some at once, then one a minute.
_WRONG_PER_S: Final = 1 / 60
_WRONG_AT_ONCE: Final = 5.0
#: How a token is sent, as in HTTP.
_SCHEME: Final = "bearer "
#: Calls under way at once on all ports of this process: of one token, and of all.
AT_ONCE_OF_ONE: Final = 500
_AT_ONCE: Final = 8000
#: At the end, calls that were broken off may take so long to tell the audit.
_LAST_WORDS_S: Final = 5.0


@dataclasses.dataclass(slots=True)
class Passage:
    """A call that was let in: `answered` takes what it is answered with, and returns what its caller may see of it.

    Attributes:
        step: Of a call whose answers the audit wants to know; None: of no other.
    """

    caller: Caller
    rule: Rule
    step: Step | None = None

    def answered(self, answer: Message) -> Message:
        """Note what the audit wants to know of the answer, and mask it for a viewer."""
        if self.step is not None:
            self.step.note(answer)
        return mask(answer) if self.caller.role is Role.VIEWER else answer


class Gatekeeper:
    """Asks each call who it is and whether it may.

    Args:
        is_token_required: Everybody needs an access token; else only once one was made.
        rate: Calls a second of one caller that has a token; twice as many at once after a rest. 0: without limit.
        clock: For tests.
    """

    def __init__(
        self,
        database: Database,
        *,
        is_token_required: bool,
        rate: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._whole = database
        #: What calls of clients and people have of the pool, with what is asked and written here about them.
        self.share: Database = share_of(database)
        self._book = TokenBook(database, is_required=is_token_required, clock=clock)
        self._calls = Pace(rate, burst=max(1.0, 2 * rate), clock=clock)
        self._wrong = Pace(_WRONG_PER_S, burst=_WRONG_AT_ONCE, clock=clock)
        self._places = Places(of_one=AT_ONCE_OF_ONE, of_all=_AT_ONCE)
        self._few = {
            rpc: Places(of_one=rule.few.of_one, of_all=rule.few.of_all)
            for rpc, rule in rules.RULES.items()
            if rule.few is not None
        }
        #: Writes rows of the audit; to be run beside the calls.
        self.scribe = Scribe(database)
        self._trail = Trail(self.scribe)

    async def find_caller(self, authorization: str | None, peer: str) -> Caller:
        """Return who calls, and count the call.

        Args:
            authorization: What came as `authorization`; None: nothing did.
            peer: The other end of the connection.

        Raises:
            Unauthenticated: There is no token that lets him in.
            TooManyCalls: He calls too often.
            DatabaseUnavailable: It can't be looked up now.
        """
        machine = machine_of(peer)
        try:
            caller = await self._book.find_caller(_token_of(authorization), machine)
        except errors.Unauthenticated as error:
            if not self._wrong.take(machine):
                logger.warning(
                    "A call was refused: nobody knows who makes it",
                    extra={"event": "caller_unknown", "peer": machine, "reason": error.reason},
                )
            raise
        if caller.key is not None and (wait_s := self._calls.take(caller.key)):
            raise errors.TooManyCalls(wait_s)
        return caller

    @contextlib.asynccontextmanager
    async def admitted(self, rpc: str, authorization: str | None, peer: str) -> AsyncIterator[Caller]:
        """Let the block take in a request of this call and answer it, where its caller may make such at all.

        Args:
            rpc: Its name without the package, like `OrdersService/GetOrder`.

        Raises:
            Unauthenticated: There is no token that lets him in.
            Forbidden: His role may not make it.
            TooManyCalls: He calls too often, or too many calls are under way.
            DatabaseUnavailable: He can't be looked up now.
        """
        caller = await self.find_caller(authorization, peer)
        with _told(rpc, caller):
            rules.check_role(caller, rpc)
        few = self._few.get(rpc)
        with self._places.taken(caller.key), contextlib.nullcontext() if few is None else few.taken(caller.key):
            yield caller

    @contextlib.asynccontextmanager
    async def passing(self, rpc: str, caller: Caller, peer: str, request: Message) -> AsyncIterator[Passage]:
        """Let the block answer the call, where the caller may make it.

        Args:
            rpc: Its name without the package, like `OrdersService/GetOrder`.
            request: The request, or the first message of one that is a stream.

        Raises:
            Forbidden, NotFound: As `authorize` says.
            DatabaseUnavailable: The database is away.
        """
        with _told(rpc, caller):
            rule = rules.authorize(caller, rpc, request, await self._find_owners(caller, rpc, request))
        if rule.trace not in (Trace.WHOLE, Trace.BRIEF):
            with calling(caller):
                yield Passage(caller, rule)
            return
        deed = deed_of(rpc, rule, caller, machine_of(peer), request)
        async with self._trail.left(self._pool_of(caller), rule, deed) as step:
            with calling(caller):
                yield Passage(caller, rule, step if rule.trace is Trace.BRIEF else None)

    async def check_stays(self, authorization: str | None, peer: str) -> None:
        """Return while the caller of a long answer is still let in.

        Raises:
            Unauthenticated: Its token was revoked or has ended meanwhile.
            DatabaseUnavailable: It can't be looked up now.
        """
        await self._book.find_caller(_token_of(authorization), machine_of(peer))

    async def finish(self) -> None:
        """Write what is left for the audit, when no call is answered any more.

        Raises:
            DatabaseUnavailable: The database is away.
        """
        await self._trail.wait_ends(within_s=_LAST_WORDS_S)
        await self.scribe.write_all()

    def _pool_of(self, caller: Caller) -> Database:
        """Return what this caller's calls have of the pool: a worker's wait for nobody's but workers'."""
        return self._whole if caller.role is Role.WORKER else self.share

    async def _find_owners(self, caller: Caller, rpc: str, request: Message) -> Mapping[int, str]:
        if caller.owned is None:
            return {}
        ids = rules.order_ids_of(rules.check_role(caller, rpc), request)
        if not ids:
            return {}
        async with self._pool_of(caller).transaction() as connection:
            cursor = await connection.execute(_SQL["find_owners"], {"ids": list(ids)})
            return {row["id"]: row["client"] for row in await cursor.fetchall()}


def machine_of(peer: str) -> str:
    """Return the machine of `ipv4:10.0.0.5:40212`, `ipv6:[::1]:40212` or `unix:`, without the port."""
    kind, _, address = peer.partition(":")
    if kind in ("ipv4", "ipv6"):
        return address.rpartition(":")[0].strip("[]").removeprefix("%5B").removesuffix("%5D") or peer
    return peer


def _token_of(authorization: str | None) -> str | None:
    if not authorization:
        return None
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        # Something else that was sent is no token, rather than none: nobody is let in by a slip.
        return authorization
    return authorization[len(_SCHEME) :].strip()


@contextlib.contextmanager
def _told(rpc: str, caller: Caller) -> Iterator[None]:
    """Log it where the block refuses the call."""
    try:
        yield
    except errors.Forbidden as error:
        logger.warning(
            "A call was refused: its caller may not make it",
            extra={"event": "call_forbidden", "method": rpc, "actor": caller.actor, "reason": error.reason},
        )
        raise
