"""What a call leaves in the audit: before it is made, and however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.access import audit
from orders_service.api.auth import rules
from orders_service.api.auth.masking import for_audit
from orders_service.api.auth.rules import Trace
from orders_service.api.grpc.status import reason_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from google.protobuf.message import Message

    from orders_service.access.callers import Caller
    from orders_service.access.scribe import Scribe
    from orders_service.api.auth.rules import Rule
    from orders_service.store.db import Database

logger = logging.getLogger(__name__)

#: What is said of a call that was broken off.
_CANCELLED: Final = "CANCELLED"


@dataclasses.dataclass(slots=True)
class Step:
    """A call that leaves a trace, while it is answered; `order_ids` are those that its answer names."""

    deed: audit.Deed
    order_ids: tuple[int, ...] = ()

    def note(self, answer: Message) -> None:
        """Note the orders that the answer names, where it is the first that names any."""
        self.order_ids = self.order_ids or _ids_in(answer)


class Trail:
    """Writes each call's rows: what mustn't be done untold at once, the others by the scribe."""

    def __init__(self, scribe: Scribe) -> None:
        self._scribe = scribe
        self._under_way = 0
        self._all_ended = asyncio.Event()
        self._all_ended.set()

    @contextlib.asynccontextmanager
    async def left(self, database: Database, rule: Rule, deed: audit.Deed) -> AsyncIterator[Step]:
        """Let the block answer the call.

        Raises:
            DatabaseUnavailable: What must be told before couldn't be, so the block isn't entered.
        """
        with self._counted():
            if rule.trace is Trace.WHOLE:
                deed = await self._begin(database, deed)
            step, outcome = Step(deed), _CANCELLED
            try:
                yield step
                outcome = audit.OK
            except Exception as error:
                outcome = reason_of(error)
                raise
            finally:
                await self._end(database, audit.Done(deed=deed, outcome=outcome, order_ids=step.order_ids), rule)

    async def wait_ends(self, *, within_s: float) -> None:
        """Return when every call that is under way has told how it ended; those that take longer are left alone."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._all_ended.wait()

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        self._under_way += 1
        self._all_ended.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._all_ended.set()

    async def _begin(self, database: Database, deed: audit.Deed) -> audit.Deed:
        try:
            return await audit.begin(database, deed)
        except asyncio.CancelledError:
            self._scribe.take(audit.Done(deed=deed, outcome=_CANCELLED))
            raise
        except errors.DatabaseUnavailable as error:
            if error.is_outcome_unknown:
                # The row may stand there, and says by itself that nobody knows what was done: nothing was.
                self._scribe.take(audit.Done(deed=deed, outcome=reason_of(error)))
            raise

    async def _end(self, database: Database, done: audit.Done, rule: Rule) -> None:
        if rule.trace is Trace.BRIEF or done.outcome != audit.OK:
            self._scribe.take(done)
            return
        try:
            await audit.end(database, done)
        except errors.OrdersServiceError:
            # It was done, whatever becomes of the audit: its first row is there, and the second comes later.
            self._scribe.take(done)
        except Exception as error:
            self._scribe.take(done)
            logger.error(
                "How a call left what it was about can't be read for the audit: there it is told without",
                exc_info=error,
                extra={"event": "audit_short", "action": done.deed.action, "actor": done.deed.caller.actor},
            )
        except asyncio.CancelledError:
            self._scribe.take(done)
            raise


def deed_of(rpc: str, rule: Rule, caller: Caller, origin: str, request: Message) -> audit.Deed:
    """Return what the audit keeps of a call that this caller is about to make."""
    account, account_id = rules.account_of(rule, request)
    return audit.Deed(
        caller=caller,
        action=rpc,
        origin=origin,
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
