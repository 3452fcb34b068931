"""What the tests of an order's life stand on: short words for a worker's calls, and a look at the rows."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import hashlib
import itertools
import uuid
from typing import TYPE_CHECKING, Any, Self, TypeVar

import psycopg
import pytest
from psycopg.rows import dict_row

from orders_service import errors
from orders_service.domain import facts
from orders_service.domain.decisions import Basis
from orders_service.domain.orders import Holder, NewSubmission, OrderInHand
from orders_service.life import cases, claiming, deciding, keeping_facts, opening, papers, reporting, submitting
from orders_service.settings import DatabaseSettings
from orders_service.store.db import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

    from tests import postgres

T = TypeVar("T")

CAD_NUM = "77:01:0001001:1001"
#: The time of absence that the tests use; nobody waits for it.
ABSENT_AFTER_S = 3600.0
PERSON = "1000000001"
BALANCE = 50


def person_of(username: str) -> str:
    """Who an account is at the portal: each somebody else."""
    return PERSON if username == "first" else f"{PERSON}-{username}"


def row(application_id: int, number: str, cad_num: str = CAD_NUM, status: str = "В работе") -> facts.ApplicationRow:
    """A row of the account's list."""
    return facts.ApplicationRow(
        application_id=application_id,
        order_number=number,
        cad_num=cad_num,
        status_code="processing",
        request_status=status,
    )


@contextlib.contextmanager
def refused(reason: str, **metadata: str) -> Iterator[None]:
    """Expect a refusal with this reason and, among others, this metadata."""
    with pytest.raises(errors.Refused) as caught:
        yield
    assert caught.value.reason == reason, caught.value
    assert caught.value.metadata.items() >= metadata.items()


class Bench:
    """Runs use cases of `orders_service.life` one after the other, on an event loop of its own."""

    def __init__(self, database: postgres.Database) -> None:
        self.database = database
        settings = DatabaseSettings.from_env(database.env())
        self.db = Database(dataclasses.replace(settings, pool_size=8))
        self._runner = asyncio.Runner()
        self._fences = itertools.count(1_000)
        self._admin = psycopg.connect(database.conninfo, autocommit=True, row_factory=dict_row)
        self._epochs: dict[str, int] = {}

    def __enter__(self) -> Self:
        self.run(self.db.open())
        return self

    def __exit__(self, *exc: object) -> None:
        self.run(self.db.close())
        self._runner.close()
        self._admin.close()

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        """Run one use case to its end."""
        return self._runner.run(call)

    # What operators and clients do.

    def add_account(self, username: str, **columns: object) -> int:
        """Add an account that may take orders, and open it."""
        values = {"username": username, "declarant_category": "357013000000"} | columns
        names = ", ".join(values)
        places = ", ".join(f"%({name})s" for name in values)
        account = self.one(f"insert into rosreestr_users ({names}) values ({places}) returning id, is_active", **values)
        if account["is_active"]:
            self.open(username)
        return int(account["id"])

    def open(self, username: str = "first") -> int:
        """Open an account and remember the epoch for its deliveries."""
        return self.run(self.open_async(username))

    async def open_async(self, username: str) -> int:
        """The same, beside other calls."""
        opened = await opening.open_account(self.db, username, "test:1")
        self._epochs[username] = opened.account.epoch
        return opened.account.epoch

    async def wait_for_blocked(self, count: int = 1) -> None:
        """Return when so many transactions of the use cases wait for a lock."""
        deadline = asyncio.get_running_loop().time() + 10
        while True:
            waiting = self.one(
                "select count(*) as waiting from pg_stat_activity "
                "where datname = current_database() and wait_event_type = 'Lock'"
            )
            if waiting["waiting"] >= count:
                return
            assert asyncio.get_running_loop().time() < deadline, f"{waiting['waiting']} wait, expected {count}"
            await asyncio.sleep(0.01)

    def add_order(self, cad_num: str = CAD_NUM, **columns: object) -> int:
        """Accept an order."""
        values = {"cad_num": cad_num} | columns
        names = ", ".join(values)
        places = ", ".join(f"%({name})s" for name in values)
        return int(self.one(f"insert into orders ({names}) values ({places}) returning id", **values)["id"])

    # What a worker does.

    def delivery(self, order_id: int, username: str = "first", **changes: object) -> Holder:
        """A new delivery of the order's job: a greater fence, a token of its own."""
        holder = Holder(
            username=username,
            epoch=self._epochs.get(username, 0),
            order_id=order_id,
            fence=next(self._fences),
            token=uuid.uuid4().hex,
        )
        return dataclasses.replace(holder, **changes)  # type: ignore[arg-type]

    def claim(self, order_id: int, username: str = "first") -> Holder:
        """Take the order in hand with a new delivery."""
        holder = self.delivery(order_id, username)
        self.run(claiming.claim_order(self.db, holder))
        return holder

    async def claim_async(self, holder: Holder) -> OrderInHand:
        """The same with this delivery, beside other calls."""
        return await claiming.claim_order(self.db, holder)

    def intend(self, holder: Holder, **changes: object) -> OrderInHand:
        """Write the intent."""
        return self.run(submitting.record_intent(self.db, holder, self.submission(holder, **changes)))

    def submission(self, holder: Holder, **changes: object) -> NewSubmission:
        """What the holder means to submit."""
        new = NewSubmission(
            super_package_guid=uuid.uuid4(),
            statement_guid=uuid.uuid4(),
            package_guid=uuid.uuid4(),
            draft_guid=uuid.uuid4(),
            person_oid=person_of(holder.username),
            access_key="key",
            balance=BALANCE,
            portal_cad_num=CAD_NUM,
            known_application_ids=(),
        )
        return dataclasses.replace(new, **changes)  # type: ignore[arg-type]

    def upload(self, holder: Holder) -> OrderInHand:
        """Journal the upload."""
        return self.run(submitting.record_upload(self.db, holder))

    def gate(self, holder: Holder, send_id: uuid.UUID | None = None, **changes: Any) -> OrderInHand:
        """Pass the gate."""
        arguments = {"absent_after_s": ABSENT_AFTER_S, "is_portal_on_loopback": False} | changes
        return self.run(submitting.pass_gate(self.db, holder, send_id or uuid.uuid4(), **arguments))

    def tell(self, holder: Holder, fact: facts.Fact, send_id: uuid.UUID | None = None) -> keeping_facts.RecordedFact:
        """Record a fact; by default about the open send, else the latest."""
        if send_id is None and not isinstance(fact, facts.PortalRefusal):
            send = self.find(
                "select send_id from sends where order_id = %(id)s order by outcome is not null, gate_at desc limit 1",
                id=holder.order_id,
            )
            send_id = send["send_id"] if send else None
        return self.run(keeping_facts.record_fact(self.db, holder, fact, send_id=send_id))

    def read(self, holder: Holder, *rows: facts.ApplicationRow, **changes: Any) -> keeping_facts.RecordedFact:
        """Record a reading of the list, begun now, that counts unless it is told otherwise."""
        values: dict[str, Any] = {
            "begun_at": self.now(),
            "person_oid": person_of(holder.username),
            "is_unfiltered": True,
            "is_complete": True,
            "balance": BALANCE,
            "rows": rows,
            "rows_in_all": len(rows),
        } | changes
        return self.tell(holder, facts.ListReading(**values))

    def answer(self, holder: Holder, number: str = "", status: int = 200) -> keeping_facts.RecordedFact:
        """Record what finish answered."""
        return self.tell(holder, facts.FinishAnswer(http_status=status, text=number, expected_number=number))

    def check(self, holder: Holder, **changes: Any) -> OrderInHand:
        """Record that a registered order isn't ready."""
        arguments: dict[str, Any] = {"row": None, "next_check_s": 60.0} | changes
        return self.run(reporting.record_check(self.db, holder, **arguments))

    def release(self, holder: Holder, delay_s: float = 0.0) -> OrderInHand:
        """Put the order down."""
        return self.run(claiming.release_order(self.db, holder, reason="test", delay_s=delay_s))

    def fail(self, holder: Holder, reason: str = "нет", *, is_portal_verdict: bool = False) -> OrderInHand:
        """Say that the order can't be fulfilled."""
        return self.run(reporting.fail_order(self.db, holder, reason=reason, is_portal_verdict=is_portal_verdict))

    # What a person does.

    def basis(self, order_id: int, actor: str = "ivan", reason: str = "") -> Basis:
        """What a person names who has just looked at the order."""
        case = self.run(cases.read_case(self.db, order_id))
        return Basis(order_id=order_id, send_id=case.send_id, case_no=case.case_no, actor=actor, reason=reason)

    def case(self, order_id: int) -> cases.Case:
        """What a person is shown."""
        return self.run(cases.read_case(self.db, order_id))

    def by_number(self, on: int | Basis, number: str, **named: Any) -> None:
        """Say under which number the order stands."""
        self.run(deciding.settle_by_number(self.db, self._basis(on), number, **named))

    def as_absent(self, on: int | Basis, *rows: int, despite: tuple[str, ...] = ()) -> None:
        """Say that the order isn't at the portal, and that these rows aren't its own."""
        self.run(deciding.settle_as_absent(self.db, self._basis(on), application_ids=rows, despite=despite))

    def resume(self, on: int | Basis) -> None:
        """Lift the hold."""
        self.run(deciding.resume(self.db, self._basis(on)))

    def give_up(self, on: int | Basis) -> None:
        """End the order."""
        basis = self._basis(on)
        self.run(deciding.give_up(self.db, dataclasses.replace(basis, reason=basis.reason or "не нужен")))

    def _basis(self, on: int | Basis) -> Basis:
        return self.basis(on) if isinstance(on, int) else on

    # Whole ways.

    def uploaded(self, username: str = "first", **columns: object) -> Holder:
        """An order in hand, one step before the gate."""
        holder = self.claim(self.add_order(**columns), username)  # type: ignore[arg-type]
        self.intend(holder)
        self.upload(holder)
        return holder

    def sent(self, username: str = "first", **columns: object) -> Holder:
        """An order in hand that passed the gate a moment ago."""
        holder = self.uploaded(username, **columns)
        self.gate(holder)
        return holder

    def registered(self, number: str = "N-1", application_id: int = 901, **columns: object) -> Holder:
        """An order in hand with its number."""
        holder = self.sent(**columns)  # type: ignore[arg-type]
        cad_num = str(columns.get("cad_num", CAD_NUM))
        self.read(holder, row(application_id, number, cad_num))
        assert self.state(holder.order_id) == "registered"
        return holder

    def completed(self, **columns: object) -> Holder:
        """An order with its extract."""
        holder = self.registered(**columns)  # type: ignore[arg-type]
        data = b"PK..."

        async def pieces() -> AsyncIterator[bytes]:
            yield data

        new = papers.NewPaper(
            kind="extract",
            sha256=hashlib.sha256(data).hexdigest(),
            size_bytes=len(data),
            file_name="extract.zip",
            cad_num=str(columns.get("cad_num", CAD_NUM)),
            registration_number="",
            formed_on="",
            reason="",
        )
        self.run(papers.store_paper(self.db, holder, new, pieces()))
        assert self.state(holder.order_id) == "completed"
        return holder

    def age(self, order_id: int, hours: float) -> dt.datetime:
        """Move the whole journal of an order into the past; return the open or latest gate's time."""
        by = dt.timedelta(hours=hours)
        for table, columns in (
            ("sends", ("gate_at", "settled_at", "answered_at", "decided_at", "balance_at")),
            ("facts", ("recorded_at",)),
        ):
            sets = ", ".join(f"{column} = {column} - %(by)s" for column in columns)
            self.execute(f"update {table} set {sets} where order_id = %(id)s", by=by, id=order_id)
        self.execute(
            "update readings set read_at = read_at - %(by)s "
            "where send_id in (select send_id from sends where order_id = %(id)s)",
            by=by,
            id=order_id,
        )
        gate = self.one("select gate_at from sends where order_id = %(id)s order by gate_at desc limit 1", id=order_id)
        at: dt.datetime = gate["gate_at"]
        return at

    def make_absent(self, holder: Holder) -> None:
        """Let five readings over the whole time show nothing."""
        gate_at = self.age(holder.order_id, 1.5)
        for fifth in range(1, 6):
            self.read(holder, begun_at=gate_at + dt.timedelta(seconds=ABSENT_AFTER_S * fifth / 5 + 1))

    # A look at the rows.

    def now(self) -> dt.datetime:
        """The database's clock."""
        at: dt.datetime = self.one("select clock_timestamp() as now")["now"]
        return at

    def find(self, query: str, **values: object) -> dict[str, Any] | None:
        """The first row of a query, if any."""
        return self._admin.execute(query, values).fetchone()

    def one(self, query: str, **values: object) -> dict[str, Any]:
        """The first row of a query."""
        found = self.find(query, **values)
        assert found is not None, query
        return found

    def all(self, query: str, **values: object) -> list[dict[str, Any]]:
        """All rows of a query."""
        return self._admin.execute(query, values).fetchall()

    def execute(self, query: str, **values: object) -> None:
        """Run a statement behind the use cases' back."""
        self._admin.execute(query, values)

    def order(self, order_id: int) -> dict[str, Any]:
        """The order's row."""
        return self.one("select * from orders where id = %(id)s", id=order_id)

    def state(self, order_id: int) -> str:
        """Where the order stands."""
        return str(self.order(order_id)["state"])

    def sends(self, order_id: int) -> list[dict[str, Any]]:
        """The order's sends, oldest first."""
        return self.all("select * from sends where order_id = %(id)s order by gate_at", id=order_id)

    def events(self, order_id: int, kind: str) -> list[dict[str, Any]]:
        """The order's history of one kind."""
        return self.all(
            "select * from order_events where order_id = %(id)s and kind = %(kind)s order by id", id=order_id, kind=kind
        )

    def voids(self) -> list[str | None]:
        """Why each weighed reading proves nothing, oldest first; None: it counts."""
        return [reading["void_reason"] for reading in self.all("select void_reason from readings order by id")]

    def snapshot(self, order_id: int) -> dict[str, Any]:
        """Everything about an order that a refused call must not change, but for its sign of life."""
        order = self.order(order_id)
        del order["seen_at"]
        return {
            "order": order,
            "submissions": self.all("select * from submissions where order_id = %(id)s", id=order_id),
            "sends": self.sends(order_id),
            "events": self.all("select * from order_events where order_id = %(id)s order by id", id=order_id),
            "papers": self.all("select * from order_extracts where order_id = %(id)s", id=order_id),
        }
