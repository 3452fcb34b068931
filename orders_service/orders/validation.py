"""The rules of what a client may ask for, checked for all orders before any is stored."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Final

from orders_service import cadastral, errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAX_ORDERS: Final = 10_000
#: How many characters a text of an order may have.
TEXT_LIMITS: Final = {"idempotency_key": 200, "recipient": 500, "comment": 2000}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WantedOrder:
    """What a client asks for, as it came."""

    cad_num: str
    idempotency_key: str
    recipient: str = ""
    comment: str = ""
    is_urgent: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AcceptableOrder:
    """What keeps all rules.

    Attributes:
        cad_num: In its strict spelling.
        cad_key: The same for every spelling of the object.
        request_hash: The same for the same request: tells a repeat from another order under the same key.
    """

    cad_num: str
    cad_key: str
    idempotency_key: str
    recipient: str | None
    comment: str | None
    is_urgent: bool
    request_hash: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BrokenRule:
    """A rule that a field of a wanted order breaks.

    Attributes:
        other_order_id: The order that has the key already, with other content; None: it isn't about that.
    """

    field: str
    rule: str
    other_order_id: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A wanted order that can't be accepted, by its place in the call, with everything that is wrong with it."""

    index: int
    rules: tuple[BrokenRule, ...]


def check_length(count: int) -> None:
    """Refuse to take none in one call, or too many.

    Raises:
        InvalidInput: So many can't be.
    """
    if not 1 <= count <= MAX_ORDERS:
        raise errors.InvalidInput.of("orders", f"give 1 to {MAX_ORDERS} orders in one call, not {count}.")


def check(wanted: Sequence[WantedOrder]) -> tuple[dict[int, AcceptableOrder], list[BadRow]]:
    """Check every order; return those that keep all rules by their place, and the others, both as they came.

    A key may come twice with the same content: that is one order, asked for twice.

    Raises:
        InvalidInput: There are none, or too many.
    """
    check_length(len(wanted))
    acceptable: dict[int, AcceptableOrder] = {}
    bad: list[BadRow] = []
    first_by_key: dict[str, int] = {}
    for index, order in enumerate(wanted):
        broken = list(_broken_rules(order))
        cad_num = ""
        try:
            cad_num = cadastral.parse(order.cad_num)
        except cadastral.CadNumError as exc:
            broken.insert(0, ("cad_num", str(exc)))
        if not broken:
            acceptable[index] = _acceptable(order, cad_num)
            first = first_by_key.setdefault(order.idempotency_key, index)
            if acceptable[first].request_hash != acceptable[index].request_hash:
                del acceptable[index]
                rule = f"is the key of orders[{first}] too, with other content: use another."
                broken.append(("idempotency_key", rule))
        if broken:
            bad.append(BadRow(index=index, rules=tuple(BrokenRule(field=field, rule=rule) for field, rule in broken)))
    return acceptable, bad


def violations_of(bad: Iterable[BadRow], *, is_single: bool = False) -> list[errors.Violation]:
    """Return what is wrong as violations of a request: by paths like `orders[3].cad_num`, or `order.cad_num`."""
    return [
        errors.Violation(field=f"{'order' if is_single else f'orders[{row.index}]'}.{rule.field}", rule=rule.rule)
        for row in bad
        for rule in row.rules
    ]


def _broken_rules(order: WantedOrder) -> Iterable[tuple[str, str]]:
    if not order.idempotency_key.strip():
        yield "idempotency_key", "is required: a name of your own for this order; the same again orders nothing twice."
    texts = {field: str(getattr(order, field)) for field in TEXT_LIMITS}
    yield from broken_texts(texts)


def broken_texts(texts: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Yield each text of an order that may not stand as it is, by its field, with the rule as the end of a sentence."""
    for field, text in texts.items():
        if len(text) > TEXT_LIMITS[field]:
            yield field, f"may have up to {TEXT_LIMITS[field]} characters, not {len(text)}."
        if "\0" in text:
            yield field, "may not hold a NUL character."


def _acceptable(order: WantedOrder, cad_num: str) -> AcceptableOrder:
    # Only what is set: a field that a later version knows doesn't make another request of an old one.
    content: dict[str, object] = {"cad_num": cad_num}
    if order.recipient:
        content["recipient"] = order.recipient
    if order.comment:
        content["comment"] = order.comment
    if order.is_urgent:
        content["is_urgent"] = True
    return AcceptableOrder(
        cad_num=cad_num,
        cad_key=cadastral.comparison_key(cad_num),
        idempotency_key=order.idempotency_key,
        recipient=order.recipient or None,
        comment=order.comment or None,
        is_urgent=order.is_urgent,
        request_hash=hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest(),
    )
