"""«Мои заявки»: the list of what this account's role ordered, and the download of what is ready."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from worker.simulator import errors, people
from worker.simulator.books import READY
from worker.simulator.clock import MOSCOW, epoch_ms
from worker.simulator.faults.effects import CutAnswer
from worker.simulator.gate import Call, Endpoint
from worker.simulator.papers import odd
from worker.simulator.papers.archive import Archive
from worker.simulator.settings import ListOrder

if TYPE_CHECKING:
    from worker.simulator.books import Application
    from worker.simulator.rows import LiteralRow


def _list(call: Call) -> Response:
    page, size = _number(call, "page", 0, least=0), _number(call, "size", 10, least=1)
    wanted = _Filter(call)
    shape = call.take_shape()
    if shape == "no_content":
        return JSONResponse({"timestamp": epoch_ms(call.simulator.clock.now())})
    if shape == "link":
        return JSONResponse({"link": f"{call.origin()}/login"})
    rows = call.simulator.books.list_applications(call.account.username, call.oid)
    if shape != "unfiltered":
        rows = [row for row in rows if wanted.fits(row)]
    rows = [] if shape == "empty" else _ordered(call, rows)
    printed = [] if shape == "empty" else _with_odd_rows(call, wanted, [_row(call, row) for row in rows])
    # The portal's own limit makes the pages smaller, so that no row falls between two of them.
    size = min(size, call.simulator.settings.list_page_max)
    shown = printed[page * size : (page + 1) * size]
    pages = -(-len(printed) // size)
    body: dict[str, object] = {
        "content": shown,
        "number": page,
        "size": size,
        "numberOfElements": None if shape == "null_count" else len(shown),
        "totalElements": len(printed),
        "totalPages": pages,
        "first": page == 0,
        "empty": not shown,
    }
    if call.simulator.settings.list_last:
        body["last"] = page + 1 >= pages
    return JSONResponse(body)


class _Filter:
    """What the body asks for; an empty text or null asks for everything."""

    def __init__(self, call: Call) -> None:
        self._request_number = _text(call, "requestNumber")
        # To the letter: the list knows the portal's spelling only.
        self._cadastral_number = _text(call, "cadastralNumber")
        self._start = _day(call, "startDate")
        self._end = _day(call, "endDate")

    def fits(self, row: Application) -> bool:
        """Whether the row is asked for."""
        day = row.created_at.astimezone(MOSCOW).date()
        return (
            self._request_number in ("", row.request_number)
            and self._cadastral_number in ("", row.cadastral_number)
            and (self._start is None or day >= self._start)
            and (self._end is None or day <= self._end)
        )

    def shows(self, row: LiteralRow) -> bool:
        """Whether a row to the letter is asked for; it has no day."""
        return row.fits(self._request_number, self._cadastral_number)

    def is_open_to(self, cadastral_number: str) -> bool:
        """Whether something without a number is asked for."""
        return not self._request_number and self._cadastral_number in ("", cadastral_number)


def _text(call: Call, name: str) -> str:
    value = call.body.get(name)
    if not isinstance(value, str | None):
        raise errors.Refusal(400, f"{name} must be a string or null", field=name)
    return value or ""


def _day(call: Call, name: str) -> date | None:
    """A day as an ISO date or time, or as milliseconds since 1970: which of them the portal takes is not known."""
    value = call.body.get(name)
    if value is None or value == "":
        return None
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, UTC).astimezone(MOSCOW).date()
        parsed = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError) as exc:
        raise errors.Refusal(400, f"{name} must be a date", field=name) from exc
    return parsed.date() if parsed.tzinfo is None else parsed.astimezone(MOSCOW).date()


def _number(call: Call, name: str, default: int, *, least: int) -> int:
    text = call.request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) < least:
        raise errors.Refusal(400, f"{name} must be a whole number from {least}", field=name)
    return int(text)


def _ordered(call: Call, rows: list[Application]) -> list[Application]:
    order = call.simulator.settings.list_order
    if order is ListOrder.SHUFFLED:
        return sorted(rows, key=lambda row: people.digest(call.simulator.settings.seed, "row", row.id))
    return sorted(rows, key=lambda row: (row.created_at, row.id), reverse=order is ListOrder.NEWEST)


def _with_odd_rows(call: Call, wanted: _Filter, rows: list[object]) -> list[object]:
    """The rows with those that a test put before and after them, and with drafts where a setting shows them."""
    simulator = call.simulator
    odd_rows = [row for row in simulator.rows.literal.get(call.account.username, []) if wanted.shows(row)]
    drafts = simulator.books.list_drafts(call.account.username, call.oid) if simulator.settings.list_drafts else []
    unfinished: list[object] = [
        {
            "id": None,
            "requestNumber": None,
            "cadastralNumber": draft.cadastral_number,
            "statusCode": "draft",
            "requestStatus": "Черновик",
            "createDate": None,
        }
        for draft in drafts
        if wanted.is_open_to(draft.cadastral_number)
    ]
    first = [row.content for row in odd_rows if row.is_first]
    return [*first, *unfinished, *rows, *(row.content for row in odd_rows if not row.is_first)]


def _row(call: Call, row: Application) -> object:
    code, text = call.simulator.books.status_of(row)
    printed: dict[str, object] = {
        "id": row.id,
        "requestNumber": row.request_number,
        "cadastralNumber": row.cadastral_number,
        "statusCode": code,
        "requestStatus": text,
        "createDate": epoch_ms(row.created_at),
    }
    return call.simulator.rows.printed(row.id, printed)


def _download(call: Call) -> Response:
    simulator = call.simulator
    row = simulator.books.find_application(call.account.username, call.oid, call.request.path_params["id"])
    if row is None or row.visible_at > simulator.clock.now():
        raise errors.Refusal(404, "Заявка не найдена")
    if simulator.books.status_of(row) != READY:
        raise errors.Refusal(404, "Результат ещё не готов")
    found = simulator.objects.find(row.cadastral_number)
    if found is None:
        raise errors.Refusal(404, "Файл не найден")
    papers = Archive(row, found, call.account.person)
    shape = call.take_shape()
    if shape == "empty_download":
        return _zip(b"", row)
    if shape == "cut_download":
        return CutAnswer(_zip(papers.good(), row), simulator.connections)
    kind = shape or row.paper
    return _zip(papers.good() if kind is None else odd.PACKED[kind](papers), row)


def _zip(content: bytes, row: Application) -> Response:
    disposition = f'attachment; filename="Response-{row.request_number}.zip"'
    return Response(content, media_type="application/zip", headers={"Content-Disposition": disposition})


def _filtered(call: Call) -> object:
    return call.body.get("cadastralNumber")


def _downloaded(call: Call) -> object:
    row = call.simulator.books.find_anybodys(call.request.path_params["id"])
    return row.cadastral_number if row is not None else None


ENDPOINTS = (
    Endpoint(
        name="applications",
        method="POST",
        path="/account-back/applications",
        handler=_list,
        is_json=True,
        about=_filtered,
    ),
    Endpoint(
        name="download",
        method="GET",
        path="/account-back/applications/{id:int}/download",
        handler=_download,
        about=_downloaded,
    ),
)
