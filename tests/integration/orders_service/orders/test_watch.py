"""Watching orders: every step once and in order, however transactions come to their ends."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Any

import pytest

from orders_service import errors
from orders_service.orders import watch as watching
from orders_service.orders.accept import create_orders
from orders_service.orders.validation import WantedOrder
from orders_service.orders.watch import Told, Watch, Wish
from orders_service.store.queries import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from orders_service.store.db import Database
    from tests.postgres import Database as TestDatabase

    Run = Callable[[Callable[[Database], Awaitable[Any]]], Any]

SOON_S = 30
#: From the first step of all.
ALL = Wish(after_event_id=0)


class Writer:
    """A transaction that writes steps, and ends when the test says so."""

    def __init__(self, database: TestDatabase) -> None:
        self._connection = database.connect(autocommit=False)

    def write(self, order_id: int, reason: str = "") -> int:
        row = self._connection.execute(
            "insert into order_events (order_id, actor, kind, reason) values (%s, 'test', 'check', %s) returning id",
            (order_id, reason),
        ).fetchone()
        assert row is not None
        return int(row[0])

    def touch(self) -> None:
        """Become a transaction that writes, without a step."""
        self._connection.execute("select pg_current_xact_id()")

    def commit(self) -> None:
        self._connection.commit()

    def rollback(self) -> None:
        self._connection.rollback()

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def writers(fresh_database: TestDatabase) -> Iterator[Callable[[], Writer]]:
    """Transactions, closed at the end."""
    made: list[Writer] = []

    def make() -> Writer:
        made.append(Writer(fresh_database))
        return made[-1]

    yield make
    for writer in made:
        writer.close()


@pytest.fixture
def orders(fresh_database: TestDatabase) -> tuple[int, int]:
    """Two orders, of two clients, without a step."""
    with fresh_database.connect() as connection:
        rows = connection.execute(
            "insert into orders (client, cad_num) values ('crm', '77:01:0001001:1'), ('shop', '77:01:0001001:2') "
            "returning id"
        ).fetchall()
    return rows[0][0], rows[1][0]


@contextlib.asynccontextmanager
async def followed(watch: Watch, wish: Wish) -> AsyncIterator[Any]:
    async with contextlib.aclosing(watch.follow(wish)) as told:
        await anext(told)
        yield told


async def take(watch: Watch, wish: Wish, count: int) -> list[int]:
    """The ids of the next steps that one who watches is told; he leaves then."""
    async with followed(watch, wish) as told:
        return [await next_step(told) for _ in range(count)]


async def next_step(told: Any) -> int:
    while True:
        one: Told = await asyncio.wait_for(anext(told), SOON_S)
        if one.step is not None:
            return one.event_id


@contextlib.asynccontextmanager
async def running(database: Database) -> AsyncIterator[Watch]:
    """A watch that follows the end."""
    watch = Watch(database)
    tasks = [asyncio.create_task(watch.run())]
    try:
        yield watch
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def ids_of(database: TestDatabase) -> list[int]:
    with database.connect() as connection:
        return [row[0] for row in connection.execute("select id from order_events order by id").fetchall()]


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_what_is_committed_behind_an_open_transaction_waits_for_it_and_then_all_is_told(
    run: Run, writers: Callable[[], Writer], orders: tuple[int, int], end: str
) -> None:
    async def work(database: Database) -> tuple[int, list[int], list[int]]:
        watch, early, late = Watch(database), writers(), writers()
        first, second = early.write(orders[0]), late.write(orders[1])
        assert first < second
        late.commit()
        async with followed(watch, ALL) as told:
            reading = asyncio.ensure_future(next_step(told))
            await asyncio.sleep(0)
            before = await watch.run_once()
            getattr(early, end)()
            await watch.run_once()
            found = [await reading]
            if end == "commit":
                found.append(await next_step(told))
        return before, found, [first, second] if end == "commit" else [second]

    before, found, expected = run(work)
    assert before == 0, "the greater id isn't told while a smaller may come"
    assert found == expected


def test_a_transaction_without_a_step_holds_back_what_it_might_still_write_before(
    run: Run, writers: Callable[[], Writer], orders: tuple[int, int]
) -> None:
    async def work(database: Database) -> list[int]:
        watch, early, late = Watch(database), writers(), writers()
        early.touch()
        one = late.write(orders[0])
        late.commit()
        async with followed(watch, ALL) as told:
            assert await watch.run_once() == 0
            other = early.write(orders[1])
            early.commit()
            await watch.run_once()
            assert one < other
            return [await next_step(told), await next_step(told), one, other]

    *told, one, other = run(work)
    assert sorted(told) == [one, other]


def test_steps_of_one_order_are_told_in_their_order_whichever_transaction_began_first(
    run: Run, writers: Callable[[], Writer], orders: tuple[int, int]
) -> None:
    """A reading of a list is one transaction about many orders: it may have begun long before it comes to this one."""

    async def work(database: Database) -> list[int]:
        watch, early, late = Watch(database), writers(), writers()
        early.touch()
        one = late.write(orders[0])
        late.commit()
        two = early.write(orders[0])
        early.commit()
        async with followed(watch, ALL) as told:
            await watch.run_once()
            assert [await next_step(told), await next_step(told)] == [one, two]
        return [one, two]

    one, two = run(work)
    assert one < two


def test_in_a_storm_of_transactions_each_step_is_told_once_to_everybody_and_from_anywhere_on(
    run: Run, writers: Callable[[], Writer], orders: tuple[int, int], fresh_database: TestDatabase
) -> None:
    chance = random.Random(11)

    def storm(steps: int) -> None:
        """Up to eight open transactions, each of which writes, commits or gives up at random."""
        slots = [writers() for _ in range(8)]
        owner: dict[int, Writer] = {}
        for _ in range(steps):
            writer = chance.choice(slots)
            match chance.randrange(5):
                case 0:
                    writer.commit()
                    owner = {order: one for order, one in owner.items() if one is not writer}
                case 1 if chance.random() < 0.3:
                    writer.rollback()
                    owner = {order: one for order, one in owner.items() if one is not writer}
                case 2:
                    writer.touch()
                case _:
                    # As the use cases do: whoever writes a step of an order has its row.
                    order = chance.choice(orders)
                    if owner.setdefault(order, writer) is writer:
                        writer.write(order)
        for writer in slots:
            writer.commit()

    async def work(database: Database) -> tuple[list[int], list[int], dict[int, list[int]]]:
        async with running(database) as watch, followed(watch, ALL) as live:
            for _ in range(6):
                await asyncio.to_thread(storm, 150)
            written = ids_of(fresh_database)
            told = [await next_step(live) for _ in written]
            afterwards = await take(watch, ALL, len(written))
            suffixes = {
                told[at]: await take(watch, Wish(after_event_id=told[at]), len(told) - at - 1)
                for at in chance.sample(range(len(told)), 12)
            }
        return told, afterwards, suffixes

    told, afterwards, suffixes = run(work)
    assert len(told) > 50
    assert sorted(told) == ids_of(fresh_database), "none left out, none twice"
    assert afterwards == told, "the same for whoever comes later"
    for event_id, suffix in suffixes.items():
        assert suffix == told[told.index(event_id) + 1 :]
    with fresh_database.connect() as connection:
        of: dict[int, int] = dict(connection.execute("select id, order_id from order_events").fetchall())
    for order in orders:
        own = [event_id for event_id in told if of[event_id] == order]
        assert own == sorted(own)


def test_who_watches_from_now_on_is_told_of_what_comes_and_where_he_was_before_it(
    run: Run, writers: Callable[[], Writer], orders: tuple[int, int]
) -> None:
    async def work(database: Database) -> tuple[int, int, list[int]]:
        writer = writers()
        before = writer.write(orders[0])
        writer.commit()
        async with running(database) as watch, contextlib.aclosing(watch.follow(Wish())) as told:
            began = (await anext(told)).event_id
            after = writer.write(orders[0])
            writer.commit()
            assert await next_step(told) == after
            # He broke off before he was told anything: he goes on with what he was told at first.
            return before, began, await take(watch, Wish(after_event_id=began), 1) + [after]

    before, began, (again, after) = run(work)
    assert (began, again) == (before, after)


def test_a_slow_one_holds_no_connection_and_nothing_grows_for_him(
    run: Run, writers: Callable[[], Writer], orders: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_KEPT", 10)
    monkeypatch.setattr(watching, "_PAGE", 7)

    async def work(database: Database) -> tuple[list[list[int]], list[int], int]:
        watch, writer = Watch(database), writers()
        async with contextlib.AsyncExitStack() as slow:
            # More than the pool has connections.
            told = [await slow.enter_async_context(followed(watch, ALL)) for _ in range(20)]
            written = []
            for _ in range(30):
                written += [writer.write(orders[0]) for _ in range(5)]
                writer.commit()
                await watch.run_once()
            kept = len(watch._steps)
            async with database.transaction() as connection:
                await connection.execute("select 1")
            return [[await next_step(one) for _ in written] for one in told], written, kept

    found, written, kept = run(work)
    assert all(one == written for one in found)
    assert kept <= 20


def test_everybody_is_told_of_what_he_wishes_and_may_see_alone(
    run: Run, writers: Callable[[], Writer], orders: tuple[int, int]
) -> None:
    async def work(database: Database) -> None:
        async with running(database) as watch:
            writer = writers()
            of_crm = [writer.write(orders[0]) for _ in range(3)]
            of_shop = [writer.write(orders[1]) for _ in range(3)]
            of_crm += [writer.write(orders[0])]
            writer.commit()
            first = Wish(after_event_id=0, client="crm")
            assert await take(watch, first, 4) == of_crm
            assert await take(watch, Wish(after_event_id=0, order_ids=frozenset({orders[1]})), 3) == of_shop
            # Another's order, by name: silence, as of one that isn't there.
            for order_id in (orders[1], 999_999):
                wish = Wish(after_event_id=0, order_ids=frozenset({order_id, orders[0]}), client="crm")
                assert await take(watch, wish, 4) == of_crm

    run(work)


def test_a_step_that_never_was_is_refused_and_so_are_too_many_orders(run: Run) -> None:
    async def ask(database: Database, wish: Wish) -> None:
        with pytest.raises(errors.InvalidInput):
            await anext(Watch(database).follow(wish))

    run(lambda database: ask(database, Wish(after_event_id=77)))
    run(lambda database: ask(database, Wish(order_ids=frozenset(range(1001)))))


def test_who_is_told_nothing_gets_a_sign_of_life_and_the_last_one_at_a_stop(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "ALIVE_S", 0.1)

    async def work(database: Database) -> list[Told]:
        async with running(database) as watch, followed(watch, Wish()) as told:
            alive = [await asyncio.wait_for(anext(told), SOON_S) for _ in range(3)]
            watch.stop()
            return alive + [one async for one in told]

    found = run(work)
    assert len(found) >= 3
    assert {one.step for one in found} == {None}


def test_without_the_bell_steps_are_told_all_the_same(
    run: Run, writers: Callable[[], Writer], orders: tuple[int, int], fresh_database: TestDatabase
) -> None:
    async def work(database: Database) -> None:
        watch = Watch(database)
        following = asyncio.create_task(watch.run())
        try:
            async with followed(watch, Wish()) as told:
                writer = writers()
                written = writer.write(orders[0])
                writer.commit()
                assert await next_step(told) == written
        finally:
            following.cancel()
            await asyncio.wait([following])

    run(work)


def test_steps_of_another_cluster_are_told_as_what_they_are_and_not_in_a_wrong_order(
    run: Run, writers: Callable[[], Writer], orders: tuple[int, int], fresh_database: TestDatabase
) -> None:
    """As after pg_restore: there transactions had other numbers."""
    writer = writers()
    first, second = writer.write(orders[0]), writer.write(orders[0])
    writer.commit()
    with fresh_database.connect() as connection:
        connection.execute("update order_events set written_in = '900000000'")

    async def refused(database: Database) -> None:
        watch = Watch(database)
        for wish in (Wish(), Wish(after_event_id=0), Wish(after_event_id=second)):
            with pytest.raises(errors.DatabaseUnfit, match="set written_in = null"):
                await anext(watch.follow(wish))

    run(refused)
    with fresh_database.connect() as connection:
        connection.execute("update order_events set written_in = null")

    async def told(database: Database) -> None:
        async with running(database) as watch:
            assert await take(watch, ALL, 2) == [first, second]

    run(told)


def test_the_next_steps_are_found_by_their_place(fresh_database: TestDatabase, orders: tuple[int, int]) -> None:
    with fresh_database.connect() as connection:
        connection.execute(
            "insert into order_events (order_id, actor, kind) select %s, 'test', 'check' from generate_series(1, 9000)",
            (orders[0],),
        )
        connection.execute("analyze order_events")
        for statement, values in (
            ("list_after", {"written_in": "1", "id": 0, "limit": 500, "client": None}),
            ("find_end", {}),
        ):
            rows = connection.execute(f"explain {load('watch')[statement]}".encode(), values).fetchall()
            plan = "\n".join(row[0] for row in rows)
            assert "order_events_by_place" in plan, plan
            assert "Seq Scan on order_events" not in plan, plan


def test_accepting_orders_asks_for_no_place_one_by_one(run: Run, fresh_database: TestDatabase) -> None:
    """Ten thousand first steps bring their place along."""
    with fresh_database.connect() as connection:
        connection.execute("drop trigger order_event_is_placed on order_events")
    wanted = [WantedOrder(cad_num=f"77:01:0001001:{n}", idempotency_key=f"k{n}") for n in range(1, 4)]
    run(lambda database: create_orders(database, wanted))

    with fresh_database.connect() as connection:
        rows = connection.execute("select count(*), count(written_in) from order_events").fetchone()
    assert rows == (3, 3)
