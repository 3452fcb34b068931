"""Lets calls in: who calls, how often, whether he may, and what the audit keeps of it.

Whatever serves the contract passes each call through here: `find_caller` with what came with it, then `passing` around
the answer, which is given with `current()` being the caller.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.access import audit
from orders_service.access.book import TokenBook
from orders_service.access.callers import Caller, Role, calling
from orders_service.access.pace import Pace
from orders_service.access.scribe import Scribe
from orders_service.api.auth import rules
from orders_service.api.auth.masking import for_audit, mask
from orders_service.api.auth.rules import Rule, Trace
from orders_service.store.queries import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from google.protobuf.message import Message

    from orders_service.store.db import Database

logger = logging.getLogger(__name__)

_SQL: Final = load("access")
#: Lines in the log about one machine that shows no token, or a wrong one: some at once, then one a minute.
_WRONG_PER_S: Final = 1 / 60
_WRONG_AT_ONCE: Final = 5.0
#: How a token is sent, as in HTTP.
_SCHEME: Final = "bearer "


@dataclasses.dataclass(slots=True)
class Passage:
    """A call that was let in: `answered` takes what it is answered with, and returns what its caller may see of it."""

    caller: Caller
    rule: Rule
    order_ids: tuple[int, ...] = ()

    def answered(self, answer: Message) -> Message:
        """Note what the audit wants to know of the answer, and mask it for a viewer."""
        if self.rule.trace is Trace.BRIEF and not self.order_ids:
            self.order_ids = _ids_in(answer)
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
        self._database = database
        self._book = TokenBook(database, is_required=is_token_required, clock=clock)
        self._calls = Pace(rate, burst=max(1.0, 2 * rate), clock=clock)
        self._wrong = Pace(_WRONG_PER_S, burst=_WRONG_AT_ONCE, clock=clock)
        #: Writes rows of the audit; to be run beside the calls.
        self.scribe = Scribe(database)

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
        # Whoever needs no token is on this machine, where the limit would stand in the way of nobody else.
        if caller.token_id is not None and (wait_s := self._calls.take(caller.key)):
            raise errors.TooManyCalls(wait_s)
        return caller

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
        try:
            rule = rules.authorize(caller, rpc, request, await self._find_owners(caller, rpc, request))
        except errors.Forbidden as error:
            logger.warning(
                "A call was refused: its caller may not make it",
                extra={"event": "call_forbidden", "method": rpc, "actor": caller.actor, "reason": error.reason},
            )
            raise
        passage = Passage(caller, rule)
        if rule.trace not in (Trace.WHOLE, Trace.BRIEF):
            with calling(caller):
                yield passage
            return
        deed = _deed(rpc, rule, caller, peer, request)
        if rule.trace is Trace.WHOLE:
            deed = await audit.begin(self._database, deed)
        outcome = "CANCELLED"
        try:
            with calling(caller):
                yield passage
            outcome = audit.OK
        except Exception as error:
            outcome = type(error).__name__
            raise
        finally:
            await self._end(audit.Done(deed=deed, outcome=outcome, order_ids=passage.order_ids), rule)

    async def check_stays(self, authorization: str | None, peer: str) -> None:
        """Return while the caller of a long answer is still let in.

        Raises:
            Unauthenticated: Its token was revoked or has ended meanwhile.
            DatabaseUnavailable: It can't be looked up now.
        """
        await self._book.find_caller(_token_of(authorization), machine_of(peer))

    async def _find_owners(self, caller: Caller, rpc: str, request: Message) -> Mapping[int, str]:
        if caller.owned is None:
            return {}
        ids = rules.order_ids_of(rules.check_role(caller, rpc), request)
        if not ids:
            return {}
        async with self._database.transaction() as connection:
            cursor = await connection.execute(_SQL["find_owners"], {"ids": list(ids)})
            return {row["id"]: row["client"] for row in await cursor.fetchall()}

    async def _end(self, done: audit.Done, rule: Rule) -> None:
        if rule.trace is Trace.BRIEF or done.outcome != audit.OK:
            self.scribe.take(done)
            return
        try:
            await audit.end(self._database, done)
        except errors.DatabaseUnavailable:
            # It was done, whatever becomes of the audit: its first row is there, and the second comes later.
            self.scribe.take(done)


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


def _deed(rpc: str, rule: Rule, caller: Caller, peer: str, request: Message) -> audit.Deed:
    account, account_id = rules.account_of(rule, request)
    return audit.Deed(
        caller=caller,
        action=rpc,
        origin=machine_of(peer),
        order_ids=rules.order_ids_of(rule, request),
        account=None if account is None or "\0" in account else account[:200],
        account_id=account_id,
        reason=rules.reason_of(request).replace("\0", "\ufffd")[:2000],
        request=for_audit(request),
    )


def _ids_in(answer: Message) -> tuple[int, ...]:
    """Return the orders that were accepted, as the answers of the calls that accept them have them."""
    fields = answer.DESCRIPTOR.fields_by_name
    if "orders" in fields:
        return tuple(one.order_id for one in answer.orders[: audit.MAX_ORDERS])  # type: ignore[attr-defined]
    return (answer.order.order_id,) if "order" in fields else ()  # type: ignore[attr-defined]
