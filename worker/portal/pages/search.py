"""Finding the object: what the portal knows under a cadastral number, and whether that is the ordered one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from orders_service import cadastral
from worker.portal.errors import UnreadableAnswer
from worker.portal.wire.answers import Answer, decode_json
from worker.portal.wire.shapes import Node
from worker.portal.wire.transport import SEARCH_PAGE, Call

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.portal.login.session import Session

_AREA_CODE = "05"
_SQUARE_METRE = "012002001000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Characteristic:
    """The object's size, as the statement repeats it: an area, or of a structure also a length or a depth."""

    #: In the portal's own digits; "0" where it shows none.
    value: str = "0"
    unit_code: str = _SQUARE_METRE


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundObject:
    """One object that the search found."""

    #: In the portal's spelling, which the statement and the list's filter use from here on.
    cad_num: str
    #: For example 002001003000, a room.
    object_type: str
    address: str = ""
    characteristic: Characteristic = field(default_factory=Characteristic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The object's card: the only place that shows whether it still exists."""

    cad_num: str
    object_type: str
    #: "1" is «Актуально».
    status: str
    #: When it was struck off, as the portal prints it; empty: it wasn't.
    cancelled: str

    @property
    def is_annulled(self) -> bool:
        """Whether the object was struck off («Погашено»): a person decides whether its extract is wanted."""
        return self.status != "1" or bool(self.cancelled)


@dataclass(frozen=True, slots=True)
class NotFound:
    """The portal doesn't know the number. Asked once more later before it is final."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """What was found isn't exactly the ordered object: nothing is ordered, a person decides."""

    reason: str


class _Named(Protocol):
    @property
    def cad_num(self) -> str: ...


N = TypeVar("N", bound=_Named)


def judge(found: Sequence[N], cad_num: str) -> N | NotFound | Undecided:
    """Say whether exactly the ordered object was found. Spellings are compared by key, never by text."""
    if not found:
        return NotFound()
    if len(found) > 1:
        return Undecided(f"По номеру {cad_num} портал показывает несколько объектов: {len(found)}.")
    if not cadastral.same_object(found[0].cad_num, cad_num):
        return Undecided(f"По номеру {cad_num} портал показывает другой объект: {found[0].cad_num}.")
    return found[0]


def search(session: Session, cad_num: str) -> tuple[FoundObject, ...]:
    """Return all that the portal finds under the number; empty only where it says so in the right shape.

    Raises:
        What `Session.call` raises.
    """
    return session.call(
        _call("search", "/account-back/on/with-addresses", cad_num),
        lambda answer: _read_elements(answer, _read_found),
    )


def read_cards(session: Session, cad_num: str) -> tuple[Card, ...]:
    """Return the cards under the number, with their standing.

    Raises:
        What `Session.call` raises.
    """
    return session.call(_call("card", "/account-back/on", cad_num), lambda answer: _read_elements(answer, _read_card))


def _call(step: str, path: str, cad_num: str) -> Call:
    return Call(
        step=step,
        method="POST",
        path=path,
        body={"filterType": "cadastral", "cadNumbers": [cad_num]},
        referer=SEARCH_PAGE,
    )


R = TypeVar("R")


def _read_elements(answer: Answer, read: Callable[[Node], R]) -> tuple[R, ...]:
    found = Node(decode_json(answer), f"{answer.step}:")
    elements = tuple(read(element) for element in found.field("elements").items())
    # "Not found" is believed only in its whole shape.
    count = found.find("count") if elements else found.field("count")
    if count is not None and count.integer() != len(elements):
        raise UnreadableAnswer(
            f"The portal's answer can't be read: {answer.step} counts {count.integer()} objects and shows"
            f" {len(elements)}."
        )
    return elements


def _read_found(element: Node) -> FoundObject:
    return FoundObject(
        cad_num=element.field("cadastralNumber").text(),
        object_type=element.field("objectType").text(),
        address=element.find_text("address"),
        characteristic=_read_characteristic(element),
    )


def _read_characteristic(element: Node) -> Characteristic:
    node = element.find("mainCharacters")
    characteristics = [] if node is None else list(node.items())
    # The area where there is one; a pipeline has a length instead, in its own unit.
    characteristics.sort(key=lambda item: item.find_text("code") != _AREA_CODE)
    for item in characteristics:
        value = item.find_text("value")
        if value:
            return Characteristic(value=value, unit_code=item.find_text("unitCode") or _SQUARE_METRE)
    return Characteristic()


def _read_card(element: Node) -> Card:
    return Card(
        cad_num=element.field("cadNumber").text(),
        object_type=element.find_text("objType"),
        status=element.field("status").scalar(),
        cancelled=element.find_text("cancelDate"),
    )
