"""Looking after stored files: where they are, moving them, removing old ones, holding them against their hashes."""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from typing import IO, TYPE_CHECKING, Final, cast

from orders_service import errors
from orders_service.store.extracts.files import BytesMissing, StoredFile, is_whole, read, write_chunks
from orders_service.store.extracts.places import DATABASE, key_of, open_place
from orders_service.store.queries import load

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator
    from typing import LiteralString

    from orders_service.store.db import Connection, Database

logger = logging.getLogger(__name__)

_PAGE: Final = 100
_SPOOL_BYTES: Final = 8 << 20
_NEVER_CAME: Final = (
    "It was announced, and its bytes never came: a worker that broke off brings them again. Where an order has it as "
    "its paper all the same, restore a backup."
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlaceView:
    """How much lies in a place; the empty one holds what was removed, or, where `is_removed` isn't set, never came."""

    place: str
    is_removed: bool
    files: int
    size_bytes: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one file: `error` is empty where all of it went well, and else says what stands."""

    file: StoredFile
    error: str = ""


async def list_places(db: Database) -> list[PlaceView]:
    """Return how much lies where.

    Raises:
        DatabaseUnavailable: The database is away.
    """
    async with db.transaction() as connection:
        rows = await (await connection.execute(_sql("list_places"))).fetchall()
    return [PlaceView(**row) for row in rows]


async def move(db: Database, target: str) -> AsyncIterator[Outcome]:
    """Bring every file that lies elsewhere to this place, one by one; safe to break off and to run again.

    A file is read whole and held against its hash, stored at the target and read back from there, then its row points
    there, and only then it is removed from where it was; never where both are one storage under two names. A
    crash before that last step leaves it in both. Downloads that are under way go on.

    Raises:
        DatabaseUnavailable: The database is away.
    """
    shared: dict[tuple[str, str], bool] = {}
    async for file in _pages(db, "list_elsewhere", place=target):
        try:
            outcome = await _move(db, file, target, shared)
        except (BytesMissing, errors.StoreUnavailable) as exc:
            outcome = Outcome(file=file, error=str(exc))
        except OSError as exc:
            told = f"It can't be put down on the way ({exc.strerror}): make room in the folder for temporary files."
            outcome = Outcome(file=file, error=told)
        if outcome is not None and outcome.error:
            logger.warning(
                "An extract can't be moved",
                extra={"event": "extract_not_moved", "sha256": file.sha256, "error": outcome.error},
            )
        if outcome is not None:
            yield outcome


async def retire(db: Database, before: dt.datetime, *, is_dry_run: bool = False) -> AsyncIterator[Outcome]:
    """Remove the bytes of files of which every order was over before a time. What is known of them stays: hash, size,
    summary, history. It can't be undone.

    Raises:
        DatabaseUnavailable: The database is away.
    """
    async for file in _pages(db, "list_old", before=before):
        if is_dry_run:
            yield Outcome(file=file)
            continue
        try:
            if await _retire(db, file, before):
                yield Outcome(file=file)
        except errors.StoreUnavailable as exc:
            yield Outcome(file=file, error=str(exc))


async def check(db: Database) -> AsyncIterator[Outcome]:
    """Read every stored file, and hold it against its hash; and tell those whose bytes never came.

    Raises:
        DatabaseUnavailable: The database is away.
    """
    async for file in _pages(db, "list_all"):
        try:
            async for _ in read(db, file):
                pass
        except (BytesMissing, errors.StoreUnavailable) as exc:
            yield Outcome(file=file, error=str(exc))
        else:
            yield Outcome(file=file)
    async for file in _pages(db, "list_without_bytes"):
        yield Outcome(file=file, error=_NEVER_CAME)


async def _move(db: Database, file: StoredFile, target: str, shared: dict[tuple[str, str], bool]) -> Outcome | None:
    """Move one file; None: somebody else has moved it there.

    Args:
        shared: What is known of places that are one storage under two names, by the old place and the folder in it.
    """
    assert file.place is not None
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spooled:
        async for piece in read(db, file):
            spooled.write(piece)
        content = cast("IO[bytes]", spooled)
        if target != DATABASE:
            place = open_place(target)
            await place.write(file.sha256, content)
            if not await place.holds(file.sha256, file.size_bytes):
                raise BytesMissing(dataclasses.replace(file, place=target))
            key = (file.place, file.sha256[:2])
            if key not in shared:
                shared[key] = file.place != DATABASE and await place.shares(open_place(file.place), file.sha256)
        async with db.transaction() as connection:
            if not await _take(connection, file):
                return await _tell_taken(connection, file, target)
            if target == DATABASE:
                await write_chunks(connection, file.id, content)
                if not await is_whole(connection, file):
                    raise BytesMissing(dataclasses.replace(file, place=target))
            if file.place == DATABASE:
                await connection.execute(_sql("remove_chunks"), {"extract_id": file.id})
            values = {"id": file.id, "place": target, "old_place": file.place}
            await connection.execute(_sql("set_place"), values)
    if file.place == DATABASE or shared.get((file.place, file.sha256[:2])):
        return Outcome(file=file)
    try:
        # The row points to the target: whoever reads finds it there.
        await open_place(file.place).delete(file.sha256)
    except errors.StoreUnavailable as exc:
        left = f"It lies in {target} now, but is still in {file.place}, too: remove {key_of(file.sha256)} there. {exc}"
        return Outcome(file=file, error=left)
    return Outcome(file=file)


async def _tell_taken(connection: Connection, file: StoredFile, target: str) -> Outcome | None:
    """Tell of a file that somebody else moved or removed meanwhile; None: it came to the target just the same.

    What was brought to the target stays there: whoever brings the same content anew may count on it already.
    """
    row = await (await connection.execute(_sql("find"), {"sha256": file.sha256})).fetchone()
    if target == DATABASE or row is None or row["place"] == target:
        return None
    told = f"Somebody else moved or removed it meanwhile: {key_of(file.sha256)} in {target} may be nobody's now."
    return Outcome(file=file, error=told)


async def _retire(db: Database, file: StoredFile, before: dt.datetime) -> bool:
    async with db.transaction() as connection:
        if not await _take(connection, file):
            return False
        row = await (await connection.execute(_sql("has_young_orders"), {"id": file.id, "before": before})).fetchone()
        if row is None or row["has"]:
            return False
        # Whoever brings the same content now waits for this transaction, and stores it anew.
        if file.place == DATABASE:
            await connection.execute(_sql("remove_chunks"), {"extract_id": file.id})
        elif file.place is not None:
            await open_place(file.place).delete(file.sha256)
        await connection.execute(_sql("remove"), {"id": file.id})
    logger.info("Removed an old extract", extra={"event": "extract_removed", "sha256": file.sha256})
    return True


async def _take(connection: Connection, file: StoredFile) -> bool:
    """Lock the file's row; False where it isn't where it was any more."""
    row = await (await connection.execute(_sql("take"), {"id": file.id, "place": file.place})).fetchone()
    return row is not None


async def _pages(db: Database, name: str, **values: object) -> AsyncIterator[StoredFile]:
    after_id = 0
    while True:
        async with db.transaction() as connection:
            cursor = await connection.execute(_sql(name), {"after_id": after_id, "limit": _PAGE, **values})
            rows = await cursor.fetchall()
        for row in rows:
            yield StoredFile(id=row["id"], sha256=row["sha256"], size_bytes=row["size_bytes"], place=row["place"])
        if len(rows) < _PAGE:
            return
        after_id = rows[-1]["id"]


def _sql(name: str) -> LiteralString:
    return load("extracts")[name]
