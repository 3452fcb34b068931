"""Trouble of the database is nobody's order: no order is held for it, and all go on when it is over.

Each step that is done for an order by itself × each SQLSTATE that a statement meets whatever its row is, and some that
come of a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from orders_service import errors
from orders_service.domain import facts
from orders_service.life import keeping_facts, unattended

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.orders_service.life.bench import Bench

#: What the database answers, by what it means, and as what it is told.
OF_THE_DATABASE: Final[dict[str, tuple[str, type[Exception]]]] = {
    "no such table": ("42P01", errors.NotMigrated),
    "no such column": ("42703", errors.NotMigrated),
    "no such function": ("42883", errors.NotMigrated),
    "no such object": ("42704", errors.NotMigrated),
    "no such schema": ("3F000", errors.NotMigrated),
    "a right that is missing": ("42501", errors.RightMissing),
    "a plan of a schema that is gone": ("0A000", errors.DatabaseUnavailable),
    "a full disk": ("53100", errors.DatabaseUnavailable),
    "a deadlock": ("40P01", errors.DatabaseUnavailable),
    "a server that takes no changes": ("25006", errors.DatabaseUnavailable),
    "a server that stops": ("57P01", errors.DatabaseUnavailable),
}
OF_THE_ROW: Final = {"a number out of range": "22003", "a check": "23514", "a trigger's own": "P0001"}


def prepare_weighing(bench: Bench) -> int:
    holder = bench.sent()
    bench.claim(holder.order_id)
    bench.read(holder)
    bench.execute("update orders set seen_at = null")
    return holder.order_id


def prepare_telling(bench: Bench) -> int:
    return bench.sent().order_id


def tell(bench: Bench, order_id: int) -> None:
    order = bench.order(order_id)
    bench.read(bench.delivery(order_id, fence=order["fence"], token=order["fence_token"]))


def prepare_unbinding(bench: Bench) -> int:
    order_id = bench.uploaded().order_id
    bench.execute("update orders set seen_at = now() - interval '1 h'")
    return order_id


def prepare_failing(bench: Bench) -> int:
    order_id = bench.uploaded().order_id
    bench.execute("update orders set seen_at = null")
    return order_id


def fail(bench: Bench, order_id: int) -> None:
    fence = bench.order(order_id)["fence"]
    bench.run(unattended.fail_by_queue(bench.db, order_id, fence=fence, error="x"))


#: Each step: what must be before, the step, at which change the database answers, and how it looks when it is done.
STEPS: Final[dict[str, tuple[Callable[[Bench], int], Callable[[Bench, int], Any], str, str]]] = {
    "weighing what waits": (
        prepare_weighing,
        lambda bench, _: bench.run(unattended.weigh_unheld_facts(bench.db)),
        "insert on readings for each row",
        "select 1 from facts where weighed_at is not null",
    ),
    "keeping a fact": (
        prepare_telling,
        tell,
        "insert on readings for each row",
        "select 1 from facts where weighed_at is not null",
    ),
    "unbinding": (
        prepare_unbinding,
        lambda bench, _: bench.run(unattended.unbind_abandoned(bench.db)),
        "update on orders for each row when (new.state = 'queued')",
        "select 1 from orders where state = 'queued'",
    ),
    "failing with the job": (
        prepare_failing,
        fail,
        "update on orders for each row when (new.state = 'failed')",
        "select 1 from orders where state = 'failed'",
    ),
}


def break_down(bench: Bench, when: str, sqlstate: str) -> None:
    bench.execute(
        "create function break_down() returns trigger language plpgsql as "
        f"$$ begin raise exception 'as it is told' using errcode = '{sqlstate}'; end $$"
    )
    bench.execute(f"create trigger breaks before {when} execute function break_down()")


def mend(bench: Bench) -> None:
    bench.execute("drop function break_down cascade")


@pytest.mark.parametrize("trouble", OF_THE_DATABASE)
@pytest.mark.parametrize("step", STEPS)
def test_no_order_is_held_for_trouble_of_the_database(bench: Bench, step: str, trouble: str) -> None:
    prepare, act, when, done = STEPS[step]
    sqlstate, told = OF_THE_DATABASE[trouble]
    order_id = prepare(bench)
    break_down(bench, when, sqlstate)

    with pytest.raises(told):
        act(bench, order_id)

    assert bench.order(order_id)["hold_reason"] is None
    assert bench.events(order_id, "alarm") == []
    mend(bench)
    act(bench, order_id)
    assert bench.find(done), "and it goes on"


@pytest.mark.parametrize("trouble", OF_THE_ROW)
@pytest.mark.parametrize("step", ["weighing what waits", "keeping a fact", "unbinding"])
def test_an_order_whose_row_makes_the_trouble_is_held(bench: Bench, step: str, trouble: str) -> None:
    prepare, act, when, _ = STEPS[step]
    order_id = prepare(bench)
    break_down(bench, when, OF_THE_ROW[trouble])

    act(bench, order_id)

    assert bench.order(order_id)["hold_reason"] is not None
    assert len(bench.events(order_id, "alarm")) == 1


def test_a_fact_whose_weighing_is_refused_is_kept_and_a_person_is_told(bench: Bench) -> None:
    """What follows from it can't be done; what was seen is true all the same."""
    holder = bench.sent()
    bench.execute("create function skip() returns trigger language plpgsql as $$ begin return null; end $$")
    bench.execute(
        "create trigger skips before update on orders for each row when (new.state = 'processing') "
        "execute function skip()"
    )

    told = bench.run(
        keeping_facts.record_fact(
            bench.db,
            holder,
            facts.NotSent(reason="closed"),
            send_id=bench.sends(holder.order_id)[0]["send_id"],
        )
    )

    assert not told.is_weighed
    assert len(bench.all("select 1 as one from facts")) == 1
    assert "can't be weighed" in bench.order(holder.order_id)["hold_reason"]
