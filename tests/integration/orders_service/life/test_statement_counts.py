"""A worker's report is eight statements at most, as PostgreSQL counts them: each is a round trip with the order locked.

Counted is everything, the pool's look whether its connection lives, BEGIN and COMMIT too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from orders_service.domain import facts
from tests.integration.orders_service.life.bench import Bench, row
from tests.postgres import apply_schema, embedded_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orders_service.domain.orders import Holder
    from tests.postgres import EmbeddedPostgres

MOST = 8
#: What happens once in the life of an order closes its send beside.
MORE = {"nothing sent": 9, "reading that adopts": 10}
_STATEMENT = re.compile(r"^\[orders-service\] LOG:  (?:statement|execute [^:]*): ?(.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def counted() -> Iterator[tuple[EmbeddedPostgres, Bench]]:
    """A server that logs each statement with who sent it."""
    with embedded_postgres(log_statement="all", log_line_prefix="[%a] ") as server:
        database = server.create_database("counted")
        apply_schema(database)
        with Bench(database) as bench:
            bench.add_account("first")
            yield server, bench


def again(bench: Bench, holder: Holder) -> Holder:
    """Put down, and in hand once more: with a claim that isn't the first."""
    bench.release(holder)
    return bench.delivery(holder.order_id)


#: Each report of a worker: what must be before, and the report itself.
REPORTS: dict[str, tuple[Callable[[Bench, str], Holder], Callable[[Bench, Holder], object]]] = {
    "claim": (
        lambda bench, cad_num: bench.delivery(bench.add_order(cad_num)),
        lambda bench, holder: bench.run(bench.claim_async(holder)),
    ),
    "claim of an order in the middle": (
        lambda bench, cad_num: again(bench, bench.registered(f"N-{cad_num}", int(cad_num[-3:]), cad_num=cad_num)),
        lambda bench, holder: bench.run(bench.claim_async(holder)),
    ),
    "intent": (
        lambda bench, cad_num: bench.claim(bench.add_order(cad_num)),
        lambda bench, holder: bench.intend(holder),
    ),
    "upload": (
        lambda bench, cad_num: (holder := bench.claim(bench.add_order(cad_num)), bench.intend(holder))[0],
        lambda bench, holder: bench.upload(holder),
    ),
    "gate": (lambda bench, cad_num: bench.uploaded(cad_num=cad_num), lambda bench, holder: bench.gate(holder)),
    "answer": (lambda bench, cad_num: bench.sent(cad_num=cad_num), lambda bench, holder: bench.answer(holder, "N-9")),
    "nothing sent": (
        lambda bench, cad_num: bench.sent(cad_num=cad_num),
        lambda bench, holder: bench.tell(holder, facts.NotSent(reason="closed")),
    ),
    "reading": (
        lambda bench, cad_num: (holder := bench.sent(cad_num=cad_num), bench.read(holder))[0],
        lambda bench, holder: bench.read(holder, rows_in_all=7),
    ),
    "reading that adopts": (
        lambda bench, cad_num: bench.sent(cad_num=cad_num),
        lambda bench, holder: bench.read(holder, row(555, "N-555", bench.order(holder.order_id)["cad_num"])),
    ),
    "check": (
        lambda bench, cad_num: bench.registered(f"N-{cad_num}", int(cad_num[-3:]), cad_num=cad_num),
        lambda bench, holder: bench.check(holder),
    ),
    "release": (
        lambda bench, cad_num: bench.uploaded(cad_num=cad_num),
        lambda bench, holder: bench.release(holder),
    ),
    "failure": (lambda bench, cad_num: bench.uploaded(cad_num=cad_num), lambda bench, holder: bench.fail(holder)),
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_few_statements(counted: tuple[EmbeddedPostgres, Bench], name: str) -> None:
    server, bench = counted
    prepare, report = REPORTS[name]
    holder = prepare(bench, f"77:01:0001001:{200 + list(REPORTS).index(name)}")
    before = len(server.log)

    report(bench, holder)

    statements = _STATEMENT.findall(server.log[before:])
    assert len(statements) >= 3, "the log shows them"
    assert len(statements) <= MORE.get(name, MOST), statements
