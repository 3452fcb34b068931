"""The connection dies before any statement and before the commit: nothing of the call stands, its repeat succeeds."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import hashlib
import uuid
from typing import TYPE_CHECKING, Any, cast

import pytest

from orders_service import errors
from orders_service.domain import facts
from orders_service.domain.orders import NewSubmission
from orders_service.life import claiming, deciding, keeping_facts, papers, reporting, submitting, unattended
from tests.integration.orders_service.life.bench import ABSENT_AFTER_S, BALANCE, CAD_NUM, PERSON, Bench, row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from orders_service.domain.orders import Holder
    from orders_service.store.db import Connection, Database

    Call = Callable[[Database], Awaitable[object]]

#: Calls run a dozen or two statements; a test that never gets through would else run for ever.
MAX_STATEMENTS = 80


class DyingConnection:
    """A connection whose server process is ended just before the statement of this number."""

    def __init__(self, connection: Connection, kill: Callable[[int], None], at: int) -> None:
        self._connection = connection
        self._kill = kill
        self._left = at

    def die_if_due(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._kill(self._connection.info.backend_pid)

    async def execute(self, *args: Any) -> object:
        self.die_if_due()
        return await self._connection.execute(*args)

    def transaction(self) -> object:
        return self._connection.transaction()


class DyingDatabase:
    """A database whose connection dies before the statement of this number; `has_died` tells whether it came to it."""

    def __init__(self, bench: Bench, at: int) -> None:
        self._bench = bench
        self._at = at
        self.has_died = False

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[DyingConnection]:
        async with self._bench.db.transaction() as connection:
            dying = DyingConnection(connection, self._kill, self._at)
            yield dying
            dying.die_if_due()  # before the commit
            self._at = dying._left

    def _kill(self, pid: int) -> None:
        self.has_died = True
        self._bench.one("select pg_terminate_backend(%(pid)s, 5000)", pid=pid)


def whole(bench: Bench) -> dict[str, object]:
    """Every row that any of the calls may write."""
    tables = (
        "rosreestr_users",
        "orders",
        "order_events",
        "submissions",
        "sends",
        "facts",
        "readings",
        "order_extracts",
        "decisions",
    )
    rows: dict[str, object] = {table: bench.all(f"select * from {table} order by 1, 2") for table in tables}
    return rows | {"extracts": bench.all("select * from extracts"), "chunks": bench.all("select * from extract_chunks")}


def reading(bench: Bench, *rows: facts.ApplicationRow) -> facts.ListReading:
    return facts.ListReading(
        begun_at=bench.now(),
        person_oid=PERSON,
        is_unfiltered=True,
        is_complete=True,
        balance=BALANCE,
        rows=rows,
        rows_in_all=len(rows),
    )


def submission() -> NewSubmission:
    return NewSubmission(
        super_package_guid=uuid.uuid4(),
        statement_guid=uuid.uuid4(),
        package_guid=uuid.uuid4(),
        draft_guid=uuid.uuid4(),
        person_oid=PERSON,
        access_key="key",
        balance=BALANCE,
        portal_cad_num=CAD_NUM,
        known_application_ids=(1,),
    )


@dataclasses.dataclass(frozen=True)
class Case:
    """A call, and what it leads to. `holder` is the order's, with the state in which the call comes."""

    prepare: Callable[[Bench], Holder]
    call: Callable[[Bench, Holder], Call]
    state: str


def _almost_absent(bench: Bench) -> Holder:
    holder = bench.sent()
    gate_at = bench.age(holder.order_id, 1.5)
    for fifth in range(1, 5):
        bench.read(holder, begun_at=gate_at + dt.timedelta(seconds=ABSENT_AFTER_S * fifth / 5 + 1))
    return holder


def _with_late_row(bench: Bench) -> Holder:
    holder = bench.sent()
    bench.claim(holder.order_id)
    bench.read(holder, row(901, "N-1"))
    bench.execute("update orders set seen_at = null")
    return bench.delivery(holder.order_id)


def _long_sent(bench: Bench) -> Holder:
    """An order whose paid call can't be on its way any more."""
    holder = bench.sent()
    bench.age(holder.order_id, 0.1)
    return holder


def _by_number(bench: Bench, holder: Holder) -> Call:
    on = bench.basis(holder.order_id)
    return lambda db: deciding.settle_by_number(db, on, "N-1", is_unseen=True)


def _as_absent(bench: Bench, holder: Holder) -> Call:
    on = bench.basis(holder.order_id)
    return lambda db: deciding.settle_as_absent(db, on)


def _abandoned(bench: Bench) -> Holder:
    holder = bench.uploaded()
    bench.execute("update orders set seen_at = null")
    return holder


def _tell(fact: Callable[[Bench], facts.Fact]) -> Callable[[Bench, Holder], Call]:
    def call(bench: Bench, holder: Holder) -> Call:
        told = fact(bench)
        sends = bench.sends(holder.order_id)
        return lambda db: keeping_facts.record_fact(db, holder, told, send_id=sends[-1]["send_id"])

    return call


def _gate(bench: Bench, holder: Holder) -> Call:
    send_id = uuid.uuid4()
    return lambda db: submitting.pass_gate(
        db, holder, send_id, absent_after_s=ABSENT_AFTER_S, is_portal_on_loopback=False
    )


def _intend(bench: Bench, holder: Holder) -> Call:
    new = submission()
    return lambda db: submitting.record_intent(db, holder, new)


def _paper(bench: Bench, holder: Holder) -> Call:
    data = b"PK" * (1 << 20)  # two rows

    async def pieces() -> AsyncIterator[bytes]:
        yield data

    new = papers.NewPaper(
        kind="extract",
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        file_name="a.zip",
        cad_num=CAD_NUM,
        registration_number="",
        formed_on="",
        reason="",
    )
    return lambda db: papers.store_paper(db, holder, new, pieces())


def _known(bench: Bench, holder: Holder) -> Holder:
    """Who the account is was learnt before: that is a transaction of its own, and stands."""
    bench.execute("update rosreestr_users set person_oid = %(oid)s", oid=PERSON)
    return holder


CASES = {
    "claim": Case(
        lambda bench: bench.delivery(bench.add_order()),
        lambda bench, holder: lambda db: claiming.claim_order(db, holder),
        "processing",
    ),
    "claim that weighs a late row": Case(
        _with_late_row, lambda bench, holder: lambda db: claiming.claim_order(db, holder), "registered"
    ),
    "intent": Case(lambda bench: _known(bench, bench.claim(bench.add_order())), _intend, "processing"),
    "upload": Case(
        lambda bench: (holder := bench.claim(bench.add_order()), bench.intend(holder))[0],
        lambda bench, holder: lambda db: submitting.record_upload(db, holder),
        "processing",
    ),
    "gate": Case(lambda bench: bench.uploaded(), _gate, "unconfirmed"),
    "answer": Case(
        lambda bench: bench.sent(),
        _tell(lambda bench: facts.FinishAnswer(http_status=200, text="N-1", expected_number="N-1")),
        "unconfirmed",
    ),
    "not sent": Case(lambda bench: bench.sent(), _tell(lambda bench: facts.NotSent(reason="closed")), "processing"),
    "adoption": Case(lambda bench: bench.sent(), _tell(lambda bench: reading(bench, row(901, "N-1"))), "registered"),
    "fifth reading": Case(_almost_absent, _tell(reading), "processing"),
    "alarm": Case(
        lambda bench: bench.sent(),
        _tell(lambda bench: reading(bench, row(901, "N-1"), row(902, "N-2"))),
        "unconfirmed",
    ),
    "not found": Case(
        lambda bench: bench.claim(bench.add_order()),
        lambda bench, holder: lambda db: reporting.record_not_found(db, holder, recheck_s=60),
        "queued",
    ),
    "release": Case(
        lambda bench: bench.uploaded(),
        lambda bench, holder: lambda db: claiming.release_order(db, holder, reason="", delay_s=60),
        "queued",
    ),
    "failure": Case(
        lambda bench: bench.uploaded(),
        lambda bench, holder: lambda db: reporting.fail_order(db, holder, reason="нет", is_portal_verdict=False),
        "failed",
    ),
    "check": Case(
        lambda bench: bench.registered(),
        lambda bench, holder: (
            lambda db: reporting.record_check(db, holder, row=row(901, "N-1", status="Новое"), next_check_s=60)
        ),
        "registered",
    ),
    "extract": Case(lambda bench: bench.registered(), _paper, "completed"),
    "a person's number": Case(
        _long_sent,
        _by_number,
        "registered",
    ),
    "a person's absence": Case(
        _long_sent,
        _as_absent,
        "processing",
    ),
    "a job that failed": Case(
        _abandoned,
        lambda bench, holder: lambda db: unattended.fail_by_queue(db, holder.order_id, fence=holder.fence, error="x"),
        "failed",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_crash_anywhere_in_a_call_leaves_nothing_and_the_repeat_succeeds(bench: Bench, name: str) -> None:
    case = CASES[name]
    holder = case.prepare(bench)
    call = case.call(bench, holder)
    before = whole(bench)
    crashes = 0

    for at in range(1, MAX_STATEMENTS):
        dying = DyingDatabase(bench, at)
        try:
            bench.run(_run(call, cast("Database", dying)))
        except errors.DatabaseUnavailable:
            assert dying.has_died
        if not dying.has_died:
            break
        crashes += 1
        assert without_signs_of_life(whole(bench)) == without_signs_of_life(before), f"statement {at}"
    else:
        raise AssertionError("the call never got through")

    assert crashes > 4
    assert bench.state(holder.order_id) == case.state


async def _run(call: Call, db: Database) -> object:
    return await call(db)


def without_signs_of_life(rows: dict[str, object]) -> dict[str, object]:
    """Bringing a paper takes two transactions, and the first, which only looks, is a sign of life that stands."""
    orders = cast("list[dict[str, object]]", rows["orders"])
    return rows | {"orders": [{**order, "seen_at": None} for order in orders]}
