"""Watching orders: each step of theirs told once, in order, from a given one on, to however many who watch.

Steps are read up to the first transaction that isn't over: nothing can come any more between those that were told. One
reader in the process follows the end and keeps the last steps; whoever is further behind reads pages of his own. Nobody
who watches holds a connection, or anything else that grows while he takes nothing.
"""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from orders_service import errors
from orders_service.orders.search import EventView
from orders_service.queueing.loops import Loop
from orders_service.store.queries import load

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from orders_service.store.db import Database

#: Orders that one may name.
MAX_ORDERS: Final = 1000
#: Who is told nothing for so long gets a sign of life, with how far he has come.
ALIVE_S: Final = 15.0
#: Steps that one statement reads.
_PAGE: Final = 500
#: Of those that were told last, so many are kept for all.
_KEPT: Final = 5_000
#: Who is further behind than that waits for his turn to read.
_READERS: Final = 3
#: Between two looks at the end, while somebody watches. The database rings no bell: a commit that notifies holds one
#: lock of the whole server until it is on disk, and the gate's would wait for all others'.
_LOOK_S: Final = 0.1

_SQL: Final = load("watch")


class Place(NamedTuple):
    """Where a step stands among all of them."""

    written_in: int
    event_id: int


_BEGIN: Final = Place(0, 0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of an order's life, with whose order it is."""

    place: Place
    order_id: int
    client: str
    event: EventView


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one who watches is told.

    Attributes:
        event_id: From here he goes on later; 0: from the first step of all.
        step: None: a sign of life.
    """

    event_id: int
    step: Step | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one who watches wants to be told.

    Attributes:
        after_event_id: Steps after this one; None: from now on; 0: from the first of all.
        order_ids: Of these orders; empty: of all that he may see.
        client: The client whose orders are all that he may see; None: those of all.
    """

    after_event_id: int | None = None
    order_ids: frozenset[int] = frozenset()
    client: str | None = None

    def covers(self, step: Step) -> bool:
        """Whether he is told of this step."""
        return (self.client is None or step.client == self.client) and (
            not self.order_ids or step.order_id in self.order_ids
        )


class Watch:
    """Tells steps to those who watch. `run` is to be run beside the calls.

    Args:
        share: What those who are behind have of the pool; None: all of it.
        clock: For tests.
    """

    def __init__(
        self, database: Database, share: Database | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._share = share or database
        self._clock = clock
        away = (errors.DatabaseUnavailable, errors.DatabaseUnfit)
        self._loop = Loop("watch", self.run_once, interval_s=_LOOK_S, expected=away)
        self._readers = asyncio.Semaphore(_READERS)
        self._watchers = 0
        self._is_stopping = False
        #: Steps after `_floor` up to `_end`, none missing.
        self._steps: list[Step] = []
        self._floor = self._end = _BEGIN
        self._is_following = False
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Follow the end of the steps, until cancelled."""
        await self._loop.run()

    def stop(self) -> None:
        """Let those who watch go: each is told how far he has come."""
        self._is_stopping = True
        self._tell()

    async def run_once(self) -> int:
        """Read the steps that can be told since the last look; return how many.

        Raises:
            DatabaseUnavailable: The database is away.
            DatabaseUnfit: Its steps were written by another server.
        """
        if not self._watchers:
            # Nobody wants to know. Whoever comes begins anew.
            self._is_following = False
            return 0
        if not self._is_following:
            self._floor = self._end = await self._find_end(self._database)
            self._steps = []
            self._is_following = True
            self._tell()
        count = 0
        while steps := await self._read(self._database, "list_after", self._end, {"client": None}):
            self._steps += steps
            self._end = steps[-1].place
            count += len(steps)
            if len(self._steps) > 2 * _KEPT:
                self._floor = self._steps[-_KEPT - 1].place
                del self._steps[:-_KEPT]
            self._tell()
        return count

    async def follow(self, wish: Wish) -> AsyncGenerator[Told]:
        """Yield at once from where it goes on, then each step that is wished for, and a sign of life after each pause.

        Ends when the service stops.

        Raises:
            InvalidInput: There is no such step, or too many orders are named.
            DatabaseUnfit: The steps were written by another server.
            DatabaseUnavailable: The database is away. Go on later, after what was told last.
        """
        if len(wish.order_ids) > MAX_ORDERS:
            rule = f"may name up to {MAX_ORDERS} orders, not {len(wish.order_ids)}: watch all of them."
            raise errors.InvalidInput.of("order_ids", rule)
        self._watchers += 1
        try:
            place = await self._find_begin(wish)
            yield Told(event_id=place.event_id)
            told_at = self._clock()
            while True:
                changed = self._changed
                steps, place = await self._next(place, wish)
                for step in steps:
                    yield Told(event_id=step.place.event_id, step=step)
                    told_at = self._clock()
                left_s = told_at + ALIVE_S - self._clock()
                if left_s <= 0 or self._is_stopping:
                    yield Told(event_id=place.event_id)
                    told_at = self._clock()
                if self._is_stopping:
                    return
                if not self._is_following:
                    self._loop.wake()
                if self._is_following and place < self._end:
                    # Others' turn, however much there is that he doesn't wish for.
                    await asyncio.sleep(0)
                    continue
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, left_s)):
                        await changed.wait()
        finally:
            self._watchers -= 1

    async def _find_begin(self, wish: Wish) -> Place:
        # Also where he names a step: behind a restore he would be told nothing, and not why.
        end = await self._find_end(self._share)
        if wish.after_event_id is None:
            return end
        if wish.after_event_id == 0:
            return _BEGIN
        async with self._share.transaction() as connection:
            cursor = await connection.execute(_SQL["find_place"], {"id": wish.after_event_id})
            row = await cursor.fetchone()
        if row is None:
            raise errors.InvalidInput.of(
                "after_event_id", "is no step's: take event_id as it came, or 0 for the first."
            )
        return _place(row)

    async def _find_end(self, database: Database) -> Place:
        async with database.transaction() as connection:
            cursor = await connection.execute(_SQL["find_end"])
            row = await cursor.fetchone()
        assert row is not None
        if row["is_foreign"]:
            raise errors.DatabaseUnfit(
                "The steps of orders come from a server with other transactions, as after a restore by pg_restore: put "
                "them in order once by `update order_events set written_in = null`."
            )
        return _place(row)

    async def _next(self, place: Place, wish: Wish) -> tuple[Sequence[Step], Place]:
        """Return the next steps that are wished for, some at most, and how far they were looked for."""
        if not self._is_following:
            return (), place
        if place >= self._floor:
            begin = bisect.bisect_right(self._steps, place, key=lambda step: step.place)
            looked_at = self._steps[begin : begin + _PAGE]
            return [step for step in looked_at if wish.covers(step)], looked_at[-1].place if looked_at else place
        end = self._end
        async with self._readers:
            if not wish.order_ids:
                looked_at = await self._read(self._share, "list_after", place, {"client": wish.client})
                return [step for step in looked_at if wish.covers(step)], looked_at[-1].place if looked_at else end
            more = {"order_ids": list(wish.order_ids)}
            looked_at = await self._read(self._share, "list_of_orders_after", place, more)
        is_all = len(looked_at) < _PAGE
        reached = max([end, *(step.place for step in looked_at)]) if is_all else looked_at[-1].place
        return [step for step in looked_at if wish.covers(step)], reached

    async def _read(self, database: Database, statement: str, after: Place, more: dict[str, Any]) -> list[Step]:
        parameters = {"written_in": str(after.written_in), "id": after.event_id, "limit": _PAGE, **more}
        async with database.transaction() as connection:
            cursor = await connection.execute(_SQL[statement], parameters)
            return [_step(row) for row in await cursor.fetchall()]

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _place(row: dict[str, Any]) -> Place:
    return Place(int(row["written_in"]), row["id"])


def _step(row: dict[str, Any]) -> Step:
    place = Place(int(row.pop("written_in")), row["id"])
    return Step(place=place, order_id=row.pop("order_id"), client=row.pop("client"), event=EventView(**row))
