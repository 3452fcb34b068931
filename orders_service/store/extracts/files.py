"""Keeping and reading the bytes of a paper, wherever they lie."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
from typing import IO, TYPE_CHECKING, Final

from orders_service import errors
from orders_service.store.extracts.places import DATABASE, open_place
from orders_service.store.queries import load

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from typing import LiteralString

    from psycopg.rows import DictRow

    from orders_service.store.db import Connection, Database

#: How much stands in one row, is read at once, and goes into one message: most clients take 4 MiB.
PIECE_BYTES: Final = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A row of `extracts`.

    Attributes:
        place: Where its bytes lie; None: nowhere.
    """

    id: int
    sha256: str
    size_bytes: int
    place: str | None


async def prepare(db: Database, target: str, sha256: str, size_bytes: int, file: IO[bytes]) -> None:
    """Bring the bytes to a place outside of the database, before the transaction that makes a paper of them.

    So a slow store holds no row of an order. For the database itself there is nothing to do. A crash leaves a row
    without a place, which the repeat goes on with, and `upkeep.check` tells where none comes.

    Raises:
        StoreUnavailable: The store can't be written to now.
        DatabaseUnavailable: The database is away.
    """
    if target == DATABASE:
        return
    async with db.transaction() as connection:
        stored = await _add(connection, sha256, size_bytes)
    if stored.place is None:
        await open_place(target).write(sha256, file)
        async with db.transaction() as connection:
            await connection.execute(_sql("set_place"), {"id": stored.id, "place": target, "old_place": None})


async def keep(connection: Connection, target: str, sha256: str, size_bytes: int, file: IO[bytes]) -> int:
    """Return the id of the stored content, in the transaction that makes a paper of it; stored once, whatever comes.

    Until the transaction ends, nobody removes it.

    Raises:
        StoreUnavailable: It was removed since it was prepared: bring it again.
    """
    stored = await _add(connection, sha256, size_bytes)
    if stored.place is None:
        if target != DATABASE:
            raise errors.StoreUnavailable("The extract was removed from its store a moment ago: bring it again.")
        await write_chunks(connection, stored.id, file)
        await connection.execute(_sql("set_place"), {"id": stored.id, "place": DATABASE, "old_place": None})
    return stored.id


async def read(db: Database, stored: StoredFile, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
    """Yield the bytes from `start` up to `end` in pieces; a slow reader holds no connection.

    Whole, they are held against the hash; of a range only the length is known to be right.

    Raises:
        BytesMissing: They aren't there, or aren't what was stored once: what came must be thrown away.
        StoreUnavailable, DatabaseUnavailable: The place can't be reached now.
    """
    end = stored.size_bytes if end is None else min(end, stored.size_bytes)
    digest = hashlib.sha256()
    position = start
    async with contextlib.aclosing(_read(db, stored, start, end)) as pieces:
        async for piece in pieces:
            position += len(piece)
            digest.update(piece)
            # The last piece is held back until the whole is known to be right.
            if position >= end and (position > end or not _is_right(stored, digest, start, end)):
                raise BytesMissing(stored)
            yield piece
    if position != end:
        raise BytesMissing(stored)


class BytesMissing(errors.OrdersServiceError):
    """The bytes of a stored file aren't there, or aren't what was stored once."""

    def __init__(self, stored: StoredFile) -> None:
        super().__init__(
            f"The file {stored.sha256} isn't stored whole in {stored.place or 'any place'}: restore a backup."
        )
        self.stored = stored


def _is_right(stored: StoredFile, digest: hashlib._Hash, start: int, end: int) -> bool:
    is_whole = start == 0 and end == stored.size_bytes
    return not is_whole or digest.hexdigest() == stored.sha256


async def _read(db: Database, stored: StoredFile, start: int, end: int) -> AsyncGenerator[bytes]:
    """Yield the range from where it lies; one that is moved meanwhile is looked for once more."""
    place = stored.place
    while start < end:
        if place is None:
            raise BytesMissing(stored)
        piece = (
            await _read_chunk(db, stored.id, start, end - start)
            if place == DATABASE
            else await open_place(place).read(stored.sha256, start, min(PIECE_BYTES, end - start))
        )
        if piece:
            start += len(piece)
            yield piece
            continue
        async with db.transaction() as connection:
            row = await (await connection.execute(_sql("find"), {"sha256": stored.sha256})).fetchone()
        if row is None or row["place"] == place:
            raise BytesMissing(stored)
        place = row["place"]


async def is_whole(connection: Connection, stored: StoredFile) -> bool:
    """Whether the database has the bytes that were stored once, as the transaction that is open sees them."""
    digest = hashlib.sha256()
    position = 0
    while piece := await _find_piece(connection, stored.id, position, PIECE_BYTES):
        digest.update(piece)
        position += len(piece)
    return digest.hexdigest() == stored.sha256


async def _read_chunk(db: Database, extract_id: int, start: int, length: int) -> bytes:
    async with db.transaction() as connection:
        return await _find_piece(connection, extract_id, start, min(PIECE_BYTES, length))


async def _find_piece(connection: Connection, extract_id: int, start: int, length: int) -> bytes:
    values = {"extract_id": extract_id, "start": start, "length": length}
    row = await (await connection.execute(_sql("find_piece"), values, binary=True)).fetchone()
    return bytes(row["data"]) if row is not None else b""


async def _add(connection: Connection, sha256: str, size_bytes: int) -> StoredFile:
    """Return the row of the content, made where there is none, locked against removal."""
    while True:
        row = await (await connection.execute(_sql("find_to_use"), {"sha256": sha256})).fetchone()
        if row is not None:
            return _stored(row)
        # Whoever stores the same content at this moment is waited for here.
        await connection.execute(_sql("add"), {"sha256": sha256, "size_bytes": size_bytes})


async def write_chunks(connection: Connection, extract_id: int, file: IO[bytes]) -> None:
    """Store the bytes in the database, in rows of one piece each."""
    file.seek(0)
    position = 0
    while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
        await connection.execute(_sql("add_chunk"), {"extract_id": extract_id, "position": position, "data": piece})
        position += 1


def _stored(row: DictRow) -> StoredFile:
    return StoredFile(id=row["id"], sha256=row["sha256"], size_bytes=row["size_bytes"], place=row["place"])


def _sql(name: str) -> LiteralString:
    return load("extracts")[name]
