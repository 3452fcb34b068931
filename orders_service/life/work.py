"""One transaction of an order's life: statements, moves, history, and log lines that come after the commit."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Final, LiteralString

from orders_service import errors
from orders_service.domain import decisions
from orders_service.domain.states import OrderState, is_allowed
from orders_service.store import queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from psycopg.rows import DictRow

    from orders_service.domain.orders import Order
    from orders_service.store.db import Connection, Database

logger = logging.getLogger(__name__)

#: A transition and its line of history are one statement. One that writes its own line is run as it is.
_TELLS: Final = "insert into order_events"
_MOVE: Final[LiteralString] = """with moved as ({} returning id)
insert into order_events (order_id, actor, kind, from_state, to_state, reason)
select id, %(actor)s, %(kind)s, %(from_state)s::order_state, %(to_state)s::order_state, %(reason)s
from moved"""
#: How old a sign of life may be, where a caller has no settings at hand.
DEFAULT_LEASE_S: Final = 30.0


class Work:
    """A transaction under way.

    Attributes:
        connection: The transaction's connection.
        lease_s: An order whose last sign of life is older is in nobody's hand.
        has_changed: Something was written of the order since it was read, which may have to be read again.
    """

    def __init__(self, connection: Connection, lease_s: float) -> None:
        self.connection = connection
        self.lease_s = lease_s
        self.has_changed = False
        self._order_sql: Final = queries.load("life_order")
        self._lines: list[tuple[int, str, Mapping[str, object]]] = []
        self._kept_lines: int | None = None

    async def find(self, sql: LiteralString, **values: object) -> DictRow | None:
        """Run a statement and return its first row."""
        cursor = await self.connection.execute(sql, values)
        return await cursor.fetchone()

    async def get(self, sql: LiteralString, **values: object) -> DictRow:
        """Run a statement that always has a row, and return it."""
        row = await self.find(sql, **values)
        if row is None:
            raise errors.Inconsistent("A statement that always answers didn't.")
        return row

    async def list(self, sql: LiteralString, **values: object) -> list[DictRow]:
        """Run a statement and return all its rows."""
        cursor = await self.connection.execute(sql, values)
        return await cursor.fetchall()

    async def run(self, sql: LiteralString, **values: object) -> int:
        """Run a statement and return how many rows it changed, or answered."""
        self.has_changed = True
        return (await self.connection.execute(sql, values)).rowcount

    async def add(self, sql: LiteralString, **values: object) -> None:
        """Run a statement that writes beside the order, so that what was read of it is still true."""
        await self.connection.execute(sql, values)

    async def change(self, name: str, order: Order, **values: object) -> None:
        """Run one conditional update of `life_order.sql` or `life_decision.sql` on this order.

        Raises:
            Refused: WRONG_STATE, where the update's own conditions don't hold; nothing was changed.
        """
        if await self.run(self._statement(name), **_of(order, values)) != 1:
            raise _cant_change(order, name)

    async def change_and_read(self, name: str, order: Order, **values: object) -> DictRow:
        """Run a conditional update that answers with a row, and return it.

        Raises:
            Refused: As for `change`.
        """
        row = await self.find(self._statement(name), **_of(order, values))
        if row is None:
            raise _cant_change(order, name)
        self.has_changed = True
        return row

    async def move(self, name: str, order: Order, to: OrderState, *, actor: str, reason: str, **values: object) -> None:
        """Move the order along an edge of the table of transitions: one conditional update, one line of history.

        Raises:
            Refused: WRONG_STATE, where the table has no such edge or the update's conditions don't hold.
        """
        if not is_allowed(order.state, to):
            raise wrong_state(order, f"Order {order.id} is {order.state}: from there it can't become {to}.")
        sql = self._statement(name)
        told: dict[str, object] = {
            "actor": actor,
            "kind": "transition",
            "from_state": order.state.value,
            "to_state": to.value,
            "reason": reason,
        }
        if await self.run(sql if _TELLS in sql else _MOVE.format(sql), **(_of(order, values) | told)) != 1:
            raise _cant_change(order, name)
        self.log(
            logging.INFO,
            "An order moved on",
            event="order_moved",
            order_id=order.id,
            from_state=order.state.value,
            to_state=to.value,
            actor=actor,
        )

    async def note(self, order: Order, kind: str, *, actor: str, reason: str) -> None:
        """Write a line of the order's history that isn't a transition."""
        await self._add_event(order.id, actor, kind, reason)

    async def note_news(self, order: Order, kind: str, *, actor: str, reason: str) -> None:
        """Write a line of the history, unless the latest one says the very same.

        An order may be looked at for days, each time with the same result: its history stays readable.
        """
        last = await self.find(self._order_sql["find_last_event"], order_id=order.id)
        if last is None or last != {"kind": kind, "actor": actor, "reason": reason}:
            await self.note(order, kind, actor=actor, reason=reason)

    async def hold(
        self, order: Order, reason: str, *, actor: str, is_alarm: bool = False, level: int = logging.WARNING
    ) -> None:
        """Stop work on the order until a person decides; the first reason stays, and says what he can do.

        Args:
            is_alarm: Something that must not happen did: money may have been paid twice, or for nothing.
            level: Of the log line; an alarm's is ERROR.
        """
        await self._hold(order.id, reason, actor=actor, is_alarm=is_alarm, level=level)

    async def ask(self, order: Order, reason: str, *, actor: str, is_alarm: bool = False) -> bool:
        """Hold the order for this reason, unless a person was told the very same before; False: he was.

        Who resumes an order knows why it was held: what he was shown doesn't stop it again.
        """
        if await self.find(self._order_sql["find_told"], order_id=order.id, reason=reason) is not None:
            return False
        await self.hold(order, reason, actor=actor, is_alarm=is_alarm)
        return True

    async def hold_unread(self, order_id: int, reason: str, *, actor: str) -> None:
        """Hold an order with an alarm without reading it: it is its own row that makes the trouble.

        An order that is over can't be held: it is told once, as each pass over it would tell the same alarm again.
        """
        told = await self.find(self._order_sql["find_told_unread"], order_id=order_id, reason=reason)
        if told is None:
            await self._hold(order_id, reason, actor=actor, is_alarm=True, level=logging.ERROR)

    async def _hold(self, order_id: int, reason: str, *, actor: str, is_alarm: bool, level: int) -> None:
        if is_alarm:
            level = logging.ERROR
            await self._add_event(order_id, actor, "alarm", reason)
            self.log(level, "An order raises an alarm", event="order_alarm", order_id=order_id, error=reason)
        # The statement looks at state and hold itself: the caller's order may be older than what he did to it.
        found = await self.get(self._order_sql["find_state"], order_id=order_id)
        choice = decisions.tell_choice(order_id, OrderState(found["state"]), was_sent=found["was_sent"])
        text = f"{reason.rstrip('. ')}. {choice}"
        if await self.run(self._order_sql["hold"], order_id=order_id, reason=text) == 1:
            await self._add_event(order_id, actor, "hold", reason)
            self.log(level, "An order waits for a person", event="order_held", order_id=order_id, error=reason)

    def log(self, level: int, message: str, **extra: object) -> None:
        """Log this once the transaction is committed, and never otherwise."""
        self._lines.append((level, message, extra))

    @contextlib.asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Run the block so that an exception takes back all of it, log lines too, and nothing else."""
        lines = len(self._lines)
        try:
            async with self.connection.transaction():
                yield
        except BaseException:
            del self._lines[lines:]
            raise

    async def keep(self) -> None:
        """Let what was done so far stand even if what follows is refused.

        A decision weighs the facts that wait before it is judged. What follows from them is true whether or not the
        decision is refused, and a refusal may be the last thing that is ever heard of the order's holder.
        """
        await self.connection.execute("savepoint kept")
        self._kept_lines = len(self._lines)

    async def fall_back(self) -> bool:
        """Take back what was done since `keep`; False where there was none."""
        if self._kept_lines is None:
            return False
        await self.connection.execute("rollback to savepoint kept")
        del self._lines[self._kept_lines :]
        return True

    def flush_log(self) -> None:
        """Write the log lines; for `working`, after the commit."""
        for level, message, extra in self._lines:
            logger.log(level, message, extra=extra)

    async def _add_event(self, order_id: int, actor: str, kind: str, reason: str) -> None:
        await self.add(self._order_sql["add_event"], order_id=order_id, actor=actor, kind=kind, reason=reason)

    def _statement(self, name: str) -> LiteralString:
        return self._order_sql[name] if name in self._order_sql else queries.load("life_decision")[name]


@contextlib.asynccontextmanager
async def working(db: Database, lease_s: float = DEFAULT_LEASE_S) -> AsyncIterator[Work]:
    """Run the block in one transaction; its log lines are written after the commit.

    An exception takes back all of it; a refusal only what came after `Work.keep`.

    Raises:
        DatabaseUnavailable: PostgreSQL is away; nothing was stored, unless it says that the outcome isn't known.
    """
    refusal: errors.OrdersServiceError | None = None
    async with db.transaction() as connection:
        work = Work(connection, lease_s)
        try:
            yield work
        except (errors.Refused, errors.InvalidInput) as exc:
            if not await work.fall_back():
                raise
            refusal = exc
    work.flush_log()
    if refusal is not None:
        raise refusal


def _of(order: Order, values: dict[str, object]) -> dict[str, object]:
    return {"order_id": order.id, "state": order.state.value} | values


def _cant_change(order: Order, name: str) -> errors.Refused:
    return wrong_state(order, f"Order {order.id} can't be changed so from {order.state} ({name}).")


def wrong_state(order: Order, message: str, **metadata: str) -> errors.Refused:
    """Make the refusal of an order that stands elsewhere."""
    return errors.Refused("WRONG_STATE", message, state=order.state.value, **metadata)
