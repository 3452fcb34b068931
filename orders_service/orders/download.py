"""The extract of an order, piece by piece, checked on its way out."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.orders.search import PaperView
from orders_service.store.queries import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from orders_service.store.db import Database

#: A message may have 4 MiB at most clients.
_MAX_PIECE_BYTES: Final = 1 << 20


async def find_paper(database: Database, order_id: int) -> tuple[PaperView, int]:
    """Return what came of the order on paper, and the id under which its bytes are stored: the extract, or the
    registry's notice instead of one.

    Raises:
        NotFound: There is no such order.
        Refused: WRONG_STATE: there is nothing yet, or there never will be; says how far the order is.
        DatabaseUnavailable: The database is away.
    """
    async with database.transaction() as connection:
        cursor = await connection.execute(load("download")["find_paper"], {"id": order_id})
        row = await cursor.fetchone()
    if row is None:
        raise errors.NotFound("order", order_id)
    if row["extract_id"] is None:
        if row["state"] == "completed":
            raise errors.ExtractMissing(order_id)
        state, hold = row["state"], row["hold_reason"]
        what_next = (
            "there will be none."
            if state in ("failed", "cancelled")
            else f"it waits for a person: {hold}"
            if hold
            else "come back later."
        )
        message = f"Order {order_id} has no extract: it is «{row['status']}»; {what_next}"
        raise errors.Refused("WRONG_STATE", message, state=state)
    paper = PaperView(
        kind=row["kind"],
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        file_name=row["file_name"],
        registration_number=row["registration_number"],
        reason=row["reason"],
    )
    return paper, row["extract_id"]


async def read_pieces(database: Database, order_id: int, paper: PaperView, extract_id: int) -> AsyncIterator[bytes]:
    """Yield the paper's bytes in order. Each piece is read in a transaction of its own: a slow client holds none.

    Raises:
        ExtractMissing: The stored bytes aren't what was stored once: the client has to throw away what it got.
        DatabaseUnavailable: The database is away.
    """
    digest = hashlib.sha256()
    position = size_bytes = 0
    while size_bytes < paper.size_bytes:
        async with database.transaction() as connection:
            parameters = {"extract_id": extract_id, "position": position}
            cursor = await connection.execute(load("download")["find_chunk"], parameters, binary=True)
            row = await cursor.fetchone()
        if row is None:
            raise errors.ExtractMissing(order_id)
        data = bytes(row["data"])
        digest.update(data)
        size_bytes += len(data)
        position += 1
        for start in range(0, len(data), _MAX_PIECE_BYTES):
            yield data[start : start + _MAX_PIECE_BYTES]
    if size_bytes != paper.size_bytes or digest.hexdigest() != paper.sha256:
        raise errors.ExtractMissing(order_id)
