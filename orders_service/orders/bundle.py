"""The papers of many orders as one ZIP, made while it is sent."""

from __future__ import annotations

import asyncio
import io
import re
import tempfile
import zipfile
from typing import IO, TYPE_CHECKING, Final, cast

from orders_service import errors
from orders_service.orders import download
from orders_service.orders.export.writers import CsvWriter
from orders_service.store.queries import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from orders_service.orders.search import PaperView
    from orders_service.store.db import Database

MAX_ORDERS: Final = 1000
#: The list of what the archive holds, and of what it doesn't and why.
LIST_NAME: Final = "список.csv"

_HEADINGS: Final = ("№ заказа", "Файл", "Что это", "Номер", "SHA-256", "Размер", "Почему нет файла")
_KINDS: Final = {"extract": "выписка", "notice": "уведомление"}
_SPOOL_BYTES: Final = 8 << 20
_PIECE_BYTES: Final = 1 << 20
_UNSAFE: Final = re.compile(r"[^\w.()\-]+")


class _Sink(io.RawIOBase):
    """Takes what is written, and gives it away: it can't be read or sought in, so the archive needs neither."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._pieces.append(piece)
        return len(piece)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


async def bundle(database: Database, order_ids: Sequence[int], *, owned: str | None = None) -> AsyncIterator[bytes]:
    """Yield one ZIP with what came of these orders on paper, and a list of it at its end.

    Each paper is read whole and held against its hash before its first byte is sent. An order that has none, or doesn't
    exist, is told in the list, and so is a paper that can't be read.

    Args:
        owned: The client whose orders are all that may be seen: others are told as such that aren't there.

    Raises:
        InvalidInput: No orders are named, or too many.
        DatabaseUnavailable: The database is away.
    """
    wanted = list(dict.fromkeys(order_ids))
    if not 1 <= len(wanted) <= MAX_ORDERS:
        raise errors.InvalidInput.of("order_ids", f"name 1 to {MAX_ORDERS} orders in one call, not {len(wanted)}.")
    seen = await _find_owned(database, wanted, owned) if owned is not None else set(wanted)
    sink = _Sink()
    rows: list[list[str | int]] = []
    # Members are archives already: they are wrapped, not compressed. In blocks, since a reader that can't seek must see
    # where a member ends.
    archive = zipfile.ZipFile(cast("IO[bytes]", sink), "w", zipfile.ZIP_DEFLATED, compresslevel=0)
    for order_id in wanted:
        with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spooled:
            try:
                if order_id not in seen:
                    raise errors.NotFound("order", order_id)
                paper, stored = await download.find_paper(database, order_id)
                async for piece in download.read_pieces(database, order_id, stored):
                    await asyncio.to_thread(spooled.write, piece)
            except (errors.NotFound, errors.Refused, errors.PaperDamaged, errors.StoreUnavailable) as exc:
                rows.append([order_id, "", "", "", "", "", str(exc)])
                continue
            name = _name(order_id, paper)
            spooled.seek(0)
            with archive.open(name, "w") as member:
                while piece := await asyncio.to_thread(spooled.read, _PIECE_BYTES):
                    member.write(piece)
                    yield sink.take()
        rows.append(
            [
                order_id,
                name,
                _KINDS.get(paper.kind, paper.kind),
                paper.registration_number or "",
                paper.sha256,
                paper.size_bytes,
                paper.reason or "",
            ]
        )
    archive.writestr(LIST_NAME, _list(rows))
    archive.close()
    yield sink.take()


async def _find_owned(database: Database, order_ids: Sequence[int], client: str) -> set[int]:
    async with database.transaction() as connection:
        parameters = {"ids": list(order_ids), "client": client}
        cursor = await connection.execute(load("download")["find_owned"], parameters)
        return {row["id"] for row in await cursor.fetchall()}


def _list(rows: Sequence[Sequence[str | int]]) -> bytes:
    file = io.BytesIO()
    writer = CsvWriter(file, [("", _HEADINGS, ())])
    writer.write(0, rows)
    writer.finish()
    return file.getvalue()


def _name(order_id: int, paper: PaperView) -> str:
    """Return a name that no other member has, and that no file system minds."""
    name = _UNSAFE.sub("_", paper.file_name.replace("\\", "/").rpartition("/")[2])[-100:].lstrip("._")
    return f"{order_id}-{name or paper.kind + '.zip'}"
