"""Store what came of an order on paper: by content, once, and only whole."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import logging
import re
import tempfile
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from orders_service import cadastral, errors
from orders_service.domain.states import OrderState
from orders_service.domain.summary import SummaryUnreadable, read_summary
from orders_service.life import guard, loading, reporting
from orders_service.life.claiming import holding
from orders_service.life.work import Work, working
from orders_service.store import extracts, queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

    from orders_service.domain.account import Account
    from orders_service.domain.facts import ApplicationRow
    from orders_service.domain.orders import Holder, Order, OrderInHand
    from orders_service.store.db import Database

logger = logging.getLogger(__name__)

_SQL: Final = queries.load("life_paper")

EXTRACT: Final = "extract"
NOTICE: Final = "notice"
QUARANTINED: Final = "quarantined"
KINDS: Final = frozenset({EXTRACT, NOTICE, QUARANTINED})

MAX_BYTES: Final = 256 << 20
#: Up to here a file that is coming in stays in memory.
_SPOOL_BYTES: Final = 8 << 20
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_DEFAULT_NOTICE: Final = "Уведомление об отсутствии сведений"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewPaper:
    """What a worker brings.

    Attributes:
        kind: extract, notice (the registry's answer instead of one) or quarantined (put aside for a person).
        cad_num: The object named in its XML; must be the ordered one, but for what was put aside.
        reason: For a notice what it says, for a quarantined one why.
        row: The order's own row of the list, by which the paper was ready; None: not told.
    """

    kind: str
    sha256: str
    size_bytes: int
    file_name: str
    cad_num: str
    registration_number: str
    formed_on: str
    reason: str
    row: ApplicationRow | None = None


async def store_paper(
    db: Database, holder: Holder, paper: NewPaper, pieces: AsyncIterable[bytes], *, place: str = extracts.DATABASE
) -> OrderInHand:
    """Take in a file whole, check size and hash, and store it with what follows from it, in one transaction.

    An extract completes a registered order, a notice fails it and is kept for the client, a quarantined one is kept and
    the order is held. A crash midway leaves nothing of it. The repeat of a stored one answers the same.

    Args:
        pieces: The file's bytes in order; not asked for where the holder or the header is refused.
        place: Where new bytes go, as the settings say.

    Raises:
        StoreUnavailable: They can't be stored there now.
        InvalidInput: Kind, size, hash, name or cadastral number don't fit.
        Refused: ACCOUNT_UNKNOWN; STALE_EPOCH; ORDER_UNKNOWN; STALE_FENCE; ORDER_ON_HOLD; WRONG_STATE.
    """
    _check_header(paper)
    # Looked at before the bytes travel, and again with the order locked.
    async with working(db) as work:
        _, order = await guard.take(work, holder)
        if await _is_stored(work, order, paper):
            return await loading.answer(work, order, order.rosreestr_user_id)
        _check_fits(order, paper)
        await guard.touch(work, order, holder)
    async with _spooled(paper, pieces) as file:
        summary = await asyncio.to_thread(_summarize, file, holder.order_id) if paper.kind == EXTRACT else None
        await extracts.prepare(db, place, paper.sha256, paper.size_bytes, file)
        async with working(db) as work:
            account, order = await guard.take(work, holder)
            if not await _is_stored(work, order, paper):
                _check_fits(order, paper)
                extract_id = await extracts.keep(work.connection, place, paper.sha256, paper.size_bytes, file)
                await _store_for_order(work, order, holder, account, paper, extract_id, summary)
            return await loading.answer(work, order, account.id)


async def _is_stored(work: Work, order: Order, paper: NewPaper) -> bool:
    """Whether this very file was brought for the order as this very thing: then this is a repeat."""
    row = await work.find(_SQL["find_paper"], order_id=order.id, sha256=paper.sha256)
    if row is None or row["kind"] != paper.kind:
        return False
    # What was put aside, and a person had tried again, is news when it comes once more.
    return order.state.is_final or order.hold_reason is not None


def _check_header(paper: NewPaper) -> None:
    violations = []
    if paper.kind not in KINDS:
        violations.append(errors.Violation(field="header.kind", rule=f"must be one of {', '.join(sorted(KINDS))}."))
    if not _SHA256.fullmatch(paper.sha256):
        violations.append(errors.Violation(field="header.sha256", rule="must be 64 hexadecimal digits in lower case."))
    if not 0 < paper.size_bytes <= MAX_BYTES:
        violations.append(errors.Violation(field="header.size_bytes", rule=f"must be from 1 to {MAX_BYTES}."))
    if not paper.file_name.strip():
        violations.append(errors.Violation(field="header.file_name", rule="is required."))
    if paper.kind == QUARANTINED and not paper.reason.strip():
        violations.append(errors.Violation(field="header.reason", rule="must say why it is put aside."))
    if violations:
        raise errors.InvalidInput(violations)


def _check_fits(order: Order, paper: NewPaper) -> None:
    """Refuse a paper of an order that isn't registered, or of another object: never stored as this one's result."""
    guard.check_open(order, OrderState.REGISTERED)
    is_named = paper.kind == EXTRACT or (paper.kind == NOTICE and paper.cad_num)
    if is_named and cadastral.find_key(paper.cad_num) != order.cad_key:
        raise errors.InvalidInput.of(
            "header.cad_num",
            f"is {paper.cad_num or 'empty'}, the order's is {order.cad_num}: bring it as quarantined.",
        )


@contextlib.asynccontextmanager
async def _spooled(paper: NewPaper, pieces: AsyncIterable[bytes]) -> AsyncIterator[BinaryIO]:
    """Yield the file, read to its end and checked; it is gone afterwards."""
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as file:
        digest = hashlib.sha256()
        size_bytes = 0
        async for piece in pieces:
            size_bytes += len(piece)
            if size_bytes > paper.size_bytes:
                raise errors.InvalidInput.of("chunk", f"brings more than the {paper.size_bytes} bytes of the header.")
            digest.update(piece)
            await asyncio.to_thread(file.write, piece)
        if size_bytes != paper.size_bytes:
            raise errors.InvalidInput.of(
                "header.size_bytes", f"is {paper.size_bytes}, and {size_bytes} bytes came: it was cut on its way."
            )
        if digest.hexdigest() != paper.sha256:
            raise errors.InvalidInput.of(
                "header.sha256", "isn't that of the bytes that came: they changed on their way."
            )
        yield cast("BinaryIO", file)


def _summarize(file: BinaryIO, order_id: int) -> str | None:
    """Return the summary of an extract as it is kept; None where it has none: no paid paper is refused for that."""
    try:
        return json.dumps(read_summary(file).as_json(), ensure_ascii=False)
    except SummaryUnreadable as exc:
        logger.warning(
            "An extract has no summary", extra={"event": "summary_unread", "order_id": order_id, "error": str(exc)}
        )
    except Exception:
        logger.exception("An extract's summary failed", extra={"event": "summary_failed", "order_id": order_id})
    return None


async def _store_for_order(
    work: Work, order: Order, holder: Holder, account: Account, paper: NewPaper, extract_id: int, summary: str | None
) -> None:
    reason = paper.reason.strip()
    # Only told to people: a row that isn't this order's is left out, and never in the way of a paid paper.
    if paper.row is not None and paper.row.order_number == order.number:
        await work.change("note_ready", order, portal_status=paper.row.portal_status, **holding(holder, account))
    await work.run(
        _SQL["add_paper"],
        order_id=order.id,
        extract_id=extract_id,
        kind=paper.kind,
        file_name=paper.file_name,
        registration_number=paper.registration_number,
        formed_on=paper.formed_on,
        reason=reason,
        summary=summary,
    )
    match paper.kind:
        case "extract":
            await work.move(
                "complete",
                order,
                OrderState.COMPLETED,
                actor=account.actor,
                reason=f"extract {paper.registration_number or paper.sha256[:12]}",
                extract_id=extract_id,
                **holding(holder, account),
            )
        case "notice":
            await reporting.fail(work, order, holder, account, reason or _DEFAULT_NOTICE)
        case _:
            await work.note(order, "quarantined", actor=account.actor, reason=reason)
            await work.hold(order, f"The paper was put aside: {reason}", actor=account.actor)
