"""Fetching what came of an order on paper."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from orders_service import errors
from orders_service.orders.accept import create_orders
from orders_service.orders.download import find_paper, read_pieces
from orders_service.orders.search import get_order
from orders_service.orders.validation import WantedOrder

if TYPE_CHECKING:
    from orders_service.orders.search import PaperView
    from orders_service.store.db import Database as ServiceDatabase
    from tests.postgres import Database


def order(run: Any, *numbers: str) -> list[int]:
    wanted = [WantedOrder(cad_num=number, idempotency_key=str(uuid.uuid4())) for number in numbers]
    return [one.order_id for one in run(lambda db: create_orders(db, wanted))]


def store_extract(database: Database, order_id: int, data: bytes, kind: str = "extract", pieces: int = 3) -> None:
    """Put the order where its paper has come, as a worker's reports would."""
    size = max(1, -(-len(data) // pieces))
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    with database.connect() as connection, connection.transaction():
        connection.execute("insert into rosreestr_users (username) values ('a') on conflict do nothing")
        (extract_id,) = connection.execute(
            "insert into extracts (sha256, size_bytes) values (%s, %s) returning id",
            (hashlib.sha256(data).hexdigest(), len(data)),
        ).fetchone()  # type: ignore[misc]
        for position, chunk in enumerate(chunks):
            connection.execute("insert into extract_chunks values (%s, %s, %s)", (extract_id, position, chunk))
        connection.execute(
            "insert into order_extracts (order_id, extract_id, kind, file_name) values (%s, %s, %s, 'Выписка.zip')",
            (order_id, extract_id, kind),
        )
        if kind == "extract":
            connection.execute(
                "update orders set state = 'completed', rosreestr_order_num = '80-' || id, "
                "rosreestr_user_id = (select id from rosreestr_users where username = 'a'), "
                "bound_at = now(), extract_id = %s, finished_at = now() where id = %s",
                (extract_id, order_id),
            )
        elif kind == "notice":
            connection.execute(
                "update orders set state = 'failed', error = 'Отказ', finished_at = now() where id = %s", (order_id,)
            )


async def fetch(db: ServiceDatabase, order_id: int) -> tuple[PaperView, bytes]:
    paper, stored = await find_paper(db, order_id)
    return paper, b"".join([piece async for piece in read_pieces(db, order_id, stored)])


def test_an_extract_comes_whole_in_pieces(run: Any, fresh_database: Database) -> None:
    (order_id,) = order(run, "77:01:0001001:1")
    data = bytes(range(256)) * 20_000
    store_extract(fresh_database, order_id, data)

    paper, fetched = run(lambda db: fetch(db, order_id))

    assert fetched == data
    assert (paper.kind, paper.size_bytes, paper.file_name) == ("extract", len(data), "Выписка.zip")
    assert run(lambda db: get_order(db, order_id)).papers == (paper,)


def test_an_order_without_an_extract_says_how_far_it_is(run: Any, fresh_database: Database) -> None:
    (order_id,) = order(run, "77:01:0001001:1")

    with pytest.raises(errors.Refused, match="has no extract: it is «Добавлен в очередь»; come back later") as refused:
        run(lambda db: find_paper(db, order_id))

    assert (refused.value.reason, refused.value.metadata) == (
        "WRONG_STATE",
        {"state": "queued", "order_id": str(order_id)},
    )


def test_a_failed_order_gives_the_notice_but_never_what_was_put_aside(run: Any, fresh_database: Database) -> None:
    noticed, aside = order(run, "77:01:0001001:1", "77:01:0001001:2")
    store_extract(fresh_database, noticed, b"a notice", kind="notice")
    store_extract(fresh_database, aside, b"of another object", kind="quarantined")

    paper, data = run(lambda db: fetch(db, noticed))

    assert (paper.kind, data) == ("notice", b"a notice")
    with pytest.raises(errors.Refused, match="has no extract"):
        run(lambda db: find_paper(db, aside))


@pytest.mark.parametrize(
    "damage", ["delete from extract_chunks where position = 1", "update extract_chunks set data = 'x'"]
)
def test_a_damaged_extract_is_never_given_out_as_whole(run: Any, fresh_database: Database, damage: str) -> None:
    (order_id,) = order(run, "77:01:0001001:1")
    store_extract(fresh_database, order_id, b"the extract of this order")
    with fresh_database.connect() as connection:
        connection.execute(damage.encode())

    with pytest.raises(errors.PaperDamaged):
        run(lambda db: fetch(db, order_id))


def test_a_broken_download_goes_on_from_any_byte(run: Any, fresh_database: Database) -> None:
    (order_id,) = order(run, "77:01:0001001:1")
    data = bytes(range(256)) * 12
    store_extract(fresh_database, order_id, data, pieces=3)

    async def rest(db: ServiceDatabase, offset: int) -> bytes:
        _, stored = await find_paper(db, order_id)
        return b"".join([piece async for piece in read_pieces(db, order_id, stored, offset=offset)])

    for offset in (0, 1, 1023, 1024, 1025, 2048, len(data) - 1, len(data)):
        assert run(lambda db, offset=offset: rest(db, offset)) == data[offset:], offset
    for offset in (-1, len(data) + 1, 2**63 - 1):
        with pytest.raises(errors.InvalidInput, match="offset: must be from 0 to 3072"):
            run(lambda db, offset=offset: rest(db, offset))


def test_a_client_chooses_among_the_papers_of_his_order_but_what_was_put_aside(
    run: Any, fresh_database: Database
) -> None:
    mine, other = order(run, "77:01:0001001:1", "77:01:0001001:2")
    papers = {"extract": b"the extract", "quarantined": b"of another object", "notice": b"a notice"}
    for kind, data in papers.items():
        store_extract(fresh_database, mine, data, kind=kind)
    hashes = {kind: hashlib.sha256(data).hexdigest() for kind, data in papers.items()}

    for kind in ("notice", "extract"):
        assert run(lambda db, kind=kind: find_paper(db, mine, hashes[kind]))[0].kind == kind
    assert run(lambda db: find_paper(db, mine))[0].kind == "extract"
    with pytest.raises(errors.Refused, match="was put aside for a person"):
        run(lambda db: find_paper(db, mine, hashes["quarantined"]))
    for order_id, sha256 in ((other, hashes["extract"]), (mine, "0" * 64)):
        with pytest.raises(errors.NotFound, match="There is no paper") as unknown:
            run(lambda db, order_id=order_id, sha256=sha256: find_paper(db, order_id, sha256))
        assert unknown.value.metadata == {"sha256": sha256, "order_id": str(order_id)}
    with pytest.raises(errors.NotFound, match="There is no order 99"):
        run(lambda db: find_paper(db, 99, hashes["extract"]))
