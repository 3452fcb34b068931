"""What came of an order on paper, piece by piece, checked on its way out."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.orders.search import PaperView, read_order
from orders_service.store.queries import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from psycopg.rows import DictRow

    from orders_service.store.db import Connection, Database

#: A message may have 4 MiB at most clients.
_MAX_PIECE_BYTES: Final = 1 << 20
_QUARANTINED: Final = "quarantined"


async def find_paper(database: Database, order_id: int, sha256: str = "") -> tuple[PaperView, int]:
    """Return what came of the order on paper, and the id under which its bytes are stored.

    Args:
        sha256: Which of its papers; empty: the extract, else the registry's latest notice instead of one.

    Raises:
        NotFound: There is no such order, or it has no paper of this hash.
        Refused: WRONG_STATE: there is nothing yet, or there never will be (says how far the order is); or the paper was
            put aside for a person.
        DatabaseUnavailable: The database is away.
    """
    async with database.transaction() as connection:
        row = await (_find_of_hash(connection, order_id, sha256) if sha256 else _find_clients(connection, order_id))
    paper = PaperView(
        kind=row["kind"],
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        file_name=row["file_name"],
        registration_number=row["registration_number"],
        reason=row["reason"],
    )
    return paper, row["extract_id"]


async def read_pieces(
    database: Database, order_id: int, paper: PaperView, extract_id: int, *, offset: int = 0
) -> AsyncIterator[bytes]:
    """Yield the paper's bytes in order. Each piece is read in a transaction of its own: a slow client holds none.

    Args:
        offset: Leave out so many at the beginning. What comes can't be held against the hash then: the client can, with
            what it has already.

    Raises:
        InvalidInput: The offset isn't in the file.
        PaperDamaged: The stored bytes aren't what was stored once: the client has to throw away what it got.
        DatabaseUnavailable: The database is away.
    """
    if not 0 <= offset <= paper.size_bytes:
        raise errors.InvalidInput.of("offset", f"must be from 0 to {paper.size_bytes}, the size of the file.")
    async with database.transaction() as connection:
        cursor = await connection.execute(load("download")["list_chunks"], {"extract_id": extract_id})
        chunks = [(row["position"], row["size_bytes"]) for row in await cursor.fetchall()]
    if sum(size for _, size in chunks) != paper.size_bytes:
        raise errors.PaperDamaged(order_id)
    digest = hashlib.sha256()
    begin = 0
    for position, size in chunks:
        end = begin + size
        if end > offset:
            data = await _read_chunk(database, extract_id, position)
            if len(data) != size:
                raise errors.PaperDamaged(order_id)
            digest.update(data)
            for start in range(max(0, offset - begin), size, _MAX_PIECE_BYTES):
                yield data[start : start + _MAX_PIECE_BYTES]
        begin = end
    if offset == 0 and digest.hexdigest() != paper.sha256:
        raise errors.PaperDamaged(order_id)


async def _read_chunk(database: Database, extract_id: int, position: int) -> bytes:
    async with database.transaction() as connection:
        parameters = {"extract_id": extract_id, "position": position}
        cursor = await connection.execute(load("download")["find_chunk"], parameters, binary=True)
        row = await cursor.fetchone()
    return bytes(row["data"]) if row is not None else b""


async def _find_of_hash(connection: Connection, order_id: int, sha256: str) -> DictRow:
    cursor = await connection.execute(load("download")["find_paper_of_hash"], {"id": order_id, "sha256": sha256})
    row = await cursor.fetchone()
    if row is None:
        order = await read_order(connection, order_id)
        raise errors.NotFound("paper", f"{sha256!r} of order {order.id}", field="sha256")
    if row["kind"] == _QUARANTINED:
        message = f"This paper of order {order_id} was put aside for a person: {row['reason']}"
        raise errors.Refused("WRONG_STATE", message, order_id=str(order_id))
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
