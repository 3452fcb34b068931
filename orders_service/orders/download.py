"""What came of an order on paper, piece by piece, checked on its way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.orders.search import PaperView, read_order
from orders_service.store import extracts
from orders_service.store.extracts import StoredFile
from orders_service.store.queries import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from psycopg.rows import DictRow

    from orders_service.store.db import Connection, Database

_QUARANTINED: Final = "quarantined"


async def find_paper(database: Database, order_id: int, sha256: str = "") -> tuple[PaperView, StoredFile]:
    """Return what came of the order on paper, and where its bytes are stored.

    Args:
        sha256: Which of its papers; empty: the extract, else the registry's latest notice instead of one.

    Raises:
        NotFound: There is no such order, or it has no paper of this hash.
        Refused: WRONG_STATE: there is nothing yet, or there never will be (says how far the order is); or the paper was
            put aside for a person, or removed because of its age.
        DatabaseUnavailable: The database is away.
    """
    async with database.transaction() as connection:
        row = await (_find_of_hash(connection, order_id, sha256) if sha256 else _find_clients(connection, order_id))
    if row["kind"] == _QUARANTINED:
        message = f"This paper of order {order_id} was put aside for a person: {row['reason']}"
        raise errors.Refused("WRONG_STATE", message, order_id=str(order_id))
    return _found(order_id, row)


async def find_any_paper(database: Database, order_id: int, sha256: str = "") -> tuple[PaperView, StoredFile]:
    """Return any paper of the order, for an operator.

    Args:
        sha256: Which; empty: the one that was put aside last.

    Raises:
        NotFound: There is no such order, or it has no paper of this hash.
        Refused: WRONG_STATE: nothing was put aside, or it was removed because of its age.
        DatabaseUnavailable: The database is away.
    """
    async with database.transaction() as connection:
        if sha256:
            row = await _find_of_hash(connection, order_id, sha256)
        else:
            cursor = await connection.execute(load("download")["find_quarantined"], {"id": order_id})
            found = await cursor.fetchone()
            if found is None:
                order = await read_order(connection, order_id)
                message = f"Nothing of order {order_id} was put aside: it is «{order.status}»."
                raise errors.Refused("WRONG_STATE", message, state=order.state, order_id=str(order_id))
            row = found
    return _found(order_id, row)


def _found(order_id: int, row: DictRow) -> tuple[PaperView, StoredFile]:
    if row["removed_at"] is not None:
        message = f"The paper of order {order_id} was removed on {row['removed_at']:%Y-%m-%d}, because of its age."
        raise errors.Refused("WRONG_STATE", message, order_id=str(order_id))
    paper = PaperView(
        kind=row["kind"],
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        file_name=row["file_name"],
        registration_number=row["registration_number"],
        reason=row["reason"],
    )
    stored = StoredFile(id=row["extract_id"], sha256=row["sha256"], size_bytes=row["size_bytes"], place=row["place"])
    return paper, stored


async def read_pieces(
    database: Database, order_id: int, stored: StoredFile, *, offset: int = 0
) -> AsyncIterator[bytes]:
    """Yield the paper's bytes in order, from wherever they lie. A slow client holds no connection.

    Args:
        offset: Leave out so many at the beginning. What comes can't be held against the hash then: the client can, with
            what it has already.

    Raises:
        InvalidInput: The offset isn't in the file.
        PaperDamaged: The stored bytes aren't what was stored once: the client has to throw away what it got.
        DatabaseUnavailable: The database, or the store of papers, is away.
    """
    if not 0 <= offset <= stored.size_bytes:
        raise errors.InvalidInput.of("offset", f"must be from 0 to {stored.size_bytes}, the size of the file.")
    try:
        async for piece in extracts.read(database, stored, start=offset):
            yield piece
    except extracts.BytesMissing as exc:
        raise errors.PaperDamaged(order_id) from exc


async def _find_of_hash(connection: Connection, order_id: int, sha256: str) -> DictRow:
    cursor = await connection.execute(load("download")["find_paper_of_hash"], {"id": order_id, "sha256": sha256})
    row = await cursor.fetchone()
    if row is None:
        order = await read_order(connection, order_id)
        raise errors.NotFound(
            "paper", sha256, field="sha256", told=f"{sha256!r} of order {order.id}", order_id=order.id
        )
    return row


async def _find_clients(connection: Connection, order_id: int) -> DictRow:
    """Return the extract, else the latest notice; never what was put aside."""
    cursor = await connection.execute(load("download")["find_paper"], {"id": order_id})
    row = await cursor.fetchone()
    if row is None:
        raise errors.NotFound("order", order_id)
    if row["extract_id"] is None:
        if row["state"] == "completed":
            raise errors.PaperDamaged(order_id)
        state, hold = row["state"], row["hold_reason"]
        what_next = (
            "there will be none."
            if state in ("failed", "cancelled")
            else f"it waits for a person: {hold}"
            if hold
            else "come back later."
        )
        message = f"Order {order_id} has no extract: it is «{row['status']}»; {what_next}"
        raise errors.Refused("WRONG_STATE", message, state=state, order_id=str(order_id))
    return row
