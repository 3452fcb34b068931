"""Facts: what the portal showed. As they are told, and as they are kept in `facts.content`."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias, TypeVar, get_type_hints

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping

    Content: TypeAlias = Mapping[str, object]

T = TypeVar("T")

#: The version of the forms below. It is raised with each change that an older service would read wrongly.
VERSION: Final = 1


class NewerFact(ValueError):
    """It was written by a newer version of the service: that one can read it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationRow:
    """A row of the account's list, in the portal's spelling."""

    application_id: int
    order_number: str
    cad_num: str
    status_code: str
    request_status: str

    @property
    def portal_status(self) -> str:
        """Both status fields, verbatim, in one line."""
        return f"{self.status_code} / {self.request_status}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FinishAnswer:
    """What finish answered. Proves nothing about money; its number only says which row to expect."""

    kind: ClassVar[str] = "finish_answer"

    #: 0: no answer came.
    http_status: int
    text: str
    #: Empty: none.
    expected_number: str

    def content(self) -> Content:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """The send's own sender says that no byte of the paid call left."""

    kind: ClassVar[str] = "not_sent"

    reason: str

    def content(self) -> Content:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PortalRefusal:
    """The portal refused a step other than finish."""

    kind: ClassVar[str] = "refusal"

    step: str
    http_status: int
    text: str

    def content(self) -> Content:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ListReading:
    """A reading of the account's list after the gate.

    Attributes:
        begun_at: An earlier answer's time of the service: the first page was asked for after it.
        balance: Orders left; None: it couldn't be read.
        rows: Those of this object, known ones too.
        rows_in_all: How many rows the list had.
    """

    kind: ClassVar[str] = "reading"

    begun_at: dt.datetime
    person_oid: str
    is_unfiltered: bool
    is_complete: bool
    balance: int | None
    rows: tuple[ApplicationRow, ...]
    rows_in_all: int

    def content(self) -> Content:
        content = dataclasses.asdict(self)
        content["begun_at"] = self.begun_at.isoformat()
        content["rows"] = [dataclasses.asdict(row) for row in self.rows]
        return content


Fact: TypeAlias = FinishAnswer | NotSent | PortalRefusal | ListReading
#: What this version can read.
KINDS: Final = frozenset(told.kind for told in (FinishAnswer, NotSent, PortalRefusal, ListReading))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeptFact:
    """A fact as it is kept, with who saw it.

    Attributes:
        send_id: The send that it is about; None: the order had none then.
    """

    id: int
    send_id: uuid.UUID | None
    kind: str
    recorded_at: dt.datetime
    username: str
    fence: int
    fence_token: str
    content: Content
    version: int = VERSION

    @property
    def actor(self) -> str:
        """Who saw it, as the history names him."""
        return f"worker:{self.username}"


def from_content(kind: str, content: Content, version: int = VERSION) -> Fact:
    """Read a fact as it was kept. A field that isn't known here was written by a newer version, and is passed over.

    Raises:
        NewerFact: Its version, or its kind, is one of those to come.
        ValueError: A field is missing, or of another type.
    """
    if version > VERSION:
        raise NewerFact(f"it is of version {version}, and this service reads up to {VERSION}")
    if not isinstance(content, dict):
        raise ValueError(f"it is a {type(content).__name__}, not an object")
    values = dict(content)
    match kind:
        case FinishAnswer.kind:
            return _read(FinishAnswer, values)
        case NotSent.kind:
            return _read(NotSent, values)
        case PortalRefusal.kind:
            return _read(PortalRefusal, values)
        case ListReading.kind:
            values["begun_at"] = begun_at = dt.datetime.fromisoformat(str(values.get("begun_at")))
            if begun_at.tzinfo is None:
                raise ValueError(f"its time {begun_at.isoformat()} has no zone")
            rows = values.get("rows")
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise ValueError("its rows aren't a list of objects")
            values["rows"] = tuple(_read(ApplicationRow, row) for row in rows)
            return _read(ListReading, values)
    raise NewerFact(f"this service knows no facts of kind {kind!r}")


def _read(kind: type[T], values: dict[str, object]) -> T:
    """Make a value of these fields, each of the type that it says."""
    hints = get_type_hints(kind, localns={"dt": dt})
    given: dict[str, object] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name not in values:
            raise ValueError(f"its field {field.name} is missing")
        value, hint = values[field.name], hints[field.name]
        wanted = tuple if field.name == "rows" else hint
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise ValueError(f"its field {field.name} is {value!r}")
        given[field.name] = value
    return kind(**given)
