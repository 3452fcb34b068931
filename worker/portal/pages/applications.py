"""«Мои заявки»: the account's own list, the only witness of what was ordered and the only place of the number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Final

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from orders_service import cadastral
from worker.portal.errors import SessionExpired, UnreadableAnswer
from worker.portal.wire.answers import Answer, decode_json
from worker.portal.wire.shapes import Node
from worker.portal.wire.transport import CLAIMS_PAGE, Call

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from worker.portal.login.session import Session

# A page that comes without its rows is asked for again, each time an interval later.
_PAGE_ATTEMPTS: Final = 3
_ID: Final = re.compile(r"[0-9]{1,19}")
# What an id is kept in.
_MOST_ID: Final = 2**63 - 1
_MAX_FIELD: Final = 200


class ApplicationState(Enum):
    """What a row's pair of status code and text means."""

    READY = "ready"
    #: The registry refused, or failed at it, for good.
    REFUSED = "refused"
    #: Every other pair, the unknown ones too.
    PENDING = "pending"


_FINAL_PAIRS: Final = {
    ("processed", "Выполнено"): ApplicationState.READY,
    ("rejected", "Отказ"): ApplicationState.REFUSED,
    ("error", "Ошибка"): ApplicationState.REFUSED,
}
#: Pairs that are known to be on their way; whatever else stays for long is worth a person's look.
_USUAL_PAIRS: Final = frozenset({("created", "Создана"), ("sent", "Отправлена"), ("processing", "В работе")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """One row of the list."""

    #: 0 where the row shows none that is one: it can't be told from others like it, nor downloaded.
    application_id: int
    #: Opaque; empty where the row shows none (yet).
    request_number: str
    #: In the portal's spelling; empty where the row shows none.
    cad_num: str
    #: `statusCode`, verbatim.
    status_code: str
    #: `requestStatus`, verbatim.
    request_status: str

    @property
    def state(self) -> ApplicationState:
        """What both status fields together mean; one of them alone means nothing."""
        return _FINAL_PAIRS.get(self._pair, ApplicationState.PENDING)

    @property
    def is_status_known(self) -> bool:
        """Whether this pair was ever described; an unknown one counts as pending, and as news."""
        return self._pair in _FINAL_PAIRS or self._pair in _USUAL_PAIRS

    @property
    def is_clear(self) -> bool:
        """Whether it says which object and number it is of. One that doesn't might be anybody's, ours too.

        A draft without an id that names its object is of that object and no other: it keeps nobody else's order.
        """
        has_object = cadastral.find_key(self.cad_num) is not None
        return has_object and (bool(self.request_number) or not self.application_id)

    @property
    def _pair(self) -> tuple[str, str]:
        return (self.status_code.strip(), self.request_status.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One reading of the list, and how much it proves."""

    #: As whom it was read; the list shows nobody else's rows.
    person_oid: str
    #: The filter, empty for none.
    cad_num: str
    #: Each row once, in no order. With a filter: only the rows that really match it.
    rows: tuple[Application, ...]
    #: Whether all pages were read to the end, and nothing hints at rows that weren't shown.
    is_complete: bool
    #: How many rows the portal showed, those that didn't match the filter too.
    rows_in_all: int

    @property
    def is_unfiltered(self) -> bool:
        """Whether no filter was set: only then can a reading say that something is absent."""
        return not self.cad_num

    def rows_of(self, cad_num: str) -> tuple[Application, ...]:
        """Return the rows of one object, whatever the spelling."""
        return tuple(row for row in self.rows if cadastral.same_object(row.cad_num, cad_num))

    def known_ids(self, cad_num: str) -> tuple[int, ...]:
        """Return the ids to journal before the gate: this object's rows, and those that don't say whose they are."""
        return tuple(
            row.application_id
            for row in self.rows
            if row.application_id and (not row.is_clear or cadastral.same_object(row.cad_num, cad_num))
        )

    def unclear_rows(self, known_ids: Collection[int] = ()) -> tuple[Application, ...]:
        """Return the rows that may be anybody's, without the known ones. While there are any, nothing is absent."""
        return tuple(row for row in self.rows if not row.is_clear and row.application_id not in known_ids)


def list_applications(session: Session, *, cad_num: str = "") -> Listing:
    """Read the whole list, or what it shows of one object, page by page until it ends.

    Args:
        cad_num: In the portal's spelling; empty reads all, which alone can prove that something isn't there.

    Raises:
        What `Session.call` raises; an unreadable page is asked for three times. No partial listing is returned then.
    """
    # A session never changes its person, not even when it is renewed between two pages.
    person_oid = session.person_oid()
    pages = _Pages(session, cad_num=cad_num)
    shown = tuple(pages)
    return Listing(
        person_oid=person_oid,
        cad_num=cad_num,
        # The filter is a wish: an unfiltered list was seen to come back.
        rows=tuple(row for row in shown if cadastral.same_object(row.cad_num, cad_num)) if cad_num else shown,
        is_complete=pages.is_complete,
        rows_in_all=len(shown),
    )


def find_application(session: Session, request_number: str) -> Application | None:
    """Return the row with exactly this number, or None while the list doesn't show it (it may lag).

    The caller still compares the object: a number is only text.

    Raises:
        UnreadableAnswer: Two rows have this number, or the list can't be read.
        What `Session.call` raises.
    """
    if not request_number.strip():
        raise ValueError("An empty number is no filter: the list would answer with every row.")
    found = [row for row in _Pages(session, request_number=request_number) if row.request_number == request_number]
    if len(found) > 1:
        raise UnreadableAnswer(
            f"The account's list shows {len(found)} rows with the number {request_number}.",
            retry_after_s=session.transport.pacer.note_outage("applications"),
        )
    if found and not found[0].application_id:
        raise UnreadableAnswer(
            f"The account's list shows {request_number} without an id: its paper can't be asked for."
        )
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class _Page:
    rows: tuple[Application, ...]
    is_last: bool
    #: What the portal says that there are in all, where it says so.
    total: int | None


class _Pages:
    """Walks the pages to the end: an empty one, or one that says `last: true`. A page may be shorter than asked."""

    def __init__(self, session: Session, *, cad_num: str = "", request_number: str = "") -> None:
        self._session = session
        self._cad_num = cad_num
        self._request_number = request_number
        self.is_complete = False

    def __iter__(self) -> Iterator[Application]:
        # Rows without an id are told apart by all that they say: a page that comes twice doesn't make them two.
        seen: set[int | Application] = set()
        totals: set[int] = set()
        is_shifted = False
        for number in range(self._session.transport.settings.list_max_pages):
            page = self._read_page(number)
            fresh = [row for row in page.rows if (row.application_id or row) not in seen]
            is_shifted = is_shifted or len(fresh) < len(page.rows)
            if page.total is not None:
                totals.add(page.total)
            seen.update(row.application_id or row for row in fresh)
            yield from fresh
            if page.is_last or not page.rows:
                # Rows that come, go or move while the pages are read push others past us. One total on all pages, and
                # as many rows, says that none was missed; without totals a row that came twice says that one may be.
                self.is_complete = totals == {len(seen)} if totals else not is_shifted
                return
            if not fresh:
                # The same rows again: the page number is ignored, and there is no end to wait for.
                return

    def _read_page(self, number: int) -> _Page:
        settings = self._session.transport.settings
        call = Call(
            step="applications",
            method="POST",
            path="/account-back/applications",
            params={"page": str(number), "size": str(settings.list_page_size)},
            body={
                "requestNumber": self._request_number,
                "cadastralNumber": self._cad_num,
                "startDate": None,
                "endDate": None,
            },
            referer=CLAIMS_PAGE,
        )
        for attempt in Retrying(
            retry=retry_if_exception_type(_PageIncomplete), stop=stop_after_attempt(_PAGE_ATTEMPTS), reraise=True
        ):
            with attempt:
                page = self._session.call(call, _read_page)
        return page


class _PageIncomplete(UnreadableAnswer):
    """A page came without its rows, or with some of them missing: the portal does that, and does better when asked
    again."""


def _read_page(answer: Answer) -> _Page:
    try:
        return _read_rows(answer)
    except UnreadableAnswer as exc:
        raise _PageIncomplete(str(exc), excerpt=exc.excerpt) from exc


def _read_rows(answer: Answer) -> _Page:
    page = Node(decode_json(answer), "applications:")
    if page.has("link") and not page.has("content"):
        raise SessionExpired("The account's session is over: the list answers with a link.")
    rows = tuple(_read_row(item) for item in page.field("content").items())
    if page.has("numberOfElements") and page.field("numberOfElements").integer() != len(rows):
        raise UnreadableAnswer("The portal's answer can't be read: a page of applications lacks some of its rows.")
    last = page.find("last")
    total = page.find("totalElements")
    return _Page(
        rows=rows,
        is_last=last is not None and last.boolean(),
        total=None if total is None else total.integer(),
    )


def _read_row(row: Node) -> Application:
    """Read a row, whatever stands in it: one odd row must not keep the account from reading all others.

    What can't be read is left out, and the row is unclear then: it may be anybody's, until it says whose it is.
    """
    return Application(
        application_id=_read_id(row),
        request_number=_read_text(row, "requestNumber").strip(),
        cad_num=_read_text(row, "cadastralNumber").strip(),
        status_code=_read_text(row, "statusCode"),
        request_status=_read_text(row, "requestStatus"),
    )


def _read_id(row: Node) -> int:
    value = row.value.get("id") if isinstance(row.value, dict) else None
    if isinstance(value, str) and _ID.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _MOST_ID:
        return 0
    return value


def _read_text(row: Node, name: str) -> str:
    value = row.value.get(name) if isinstance(row.value, dict) else None
    is_text = isinstance(value, str | int | Decimal) and not isinstance(value, bool)
    return str(value)[:_MAX_FIELD] if is_text else ""
