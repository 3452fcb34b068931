"""The rules of what a client may ask for, checked for all orders before any is stored."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Final

from orders_service import cadastral, errors

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_ORDERS: Final = 10_000
MAX_KEY: Final = 200
MAX_RECIPIENT: Final = 500
MAX_COMMENT: Final = 2000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WantedOrder:
    """What a client asks for, as it came."""

    cad_num: str
    idempotency_key: str = ""
    recipient: str = ""
    comment: str = ""
    is_urgent: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AcceptableOrder:
    """What keeps all rules.

    Attributes:
        cad_num: In its strict spelling.
        request_hash: The same for the same request: tells a repeat from another order under the same key.
    """

    cad_num: str
    idempotency_key: str | None
    recipient: str | None
    comment: str | None
    is_urgent: bool
    request_hash: str


def validate(wanted: Sequence[WantedOrder]) -> list[AcceptableOrder]:
    """Check every order, and return them in the order they came.

    A key may come twice with the same content: that is one order, asked for twice.

    Raises:
        InvalidInput: Names every broken rule by its path, like `orders[3].cad_num`.
    """
    if not 1 <= len(wanted) <= MAX_ORDERS:
        raise errors.InvalidInput.of("orders", f"give 1 to {MAX_ORDERS} orders in one call, not {len(wanted)}.")
    violations: list[errors.Violation] = []
    accepted: list[AcceptableOrder] = []
    first_by_key: dict[str, int] = {}
    for index, order in enumerate(wanted):
        broken = list(_broken_rules(order))
        cad_num = ""
        try:
            cad_num = cadastral.parse(order.cad_num)
        except cadastral.CadNumError as exc:
            broken.insert(0, ("cad_num", str(exc)))
        acceptable = _acceptable(order, cad_num)
        accepted.append(acceptable)
        if not broken and acceptable.idempotency_key is not None:
            first = first_by_key.setdefault(acceptable.idempotency_key, index)
            if accepted[first].request_hash != acceptable.request_hash:
                rule = f"is the key of orders[{first}] too, with other content: use another."
                broken.append(("idempotency_key", rule))
        violations += [errors.Violation(field=f"orders[{index}].{field}", rule=rule) for field, rule in broken]
    if violations:
        raise errors.InvalidInput(violations)
    return accepted


def _broken_rules(order: WantedOrder) -> list[tuple[str, str]]:
    broken = []
    for field, text, limit in (
        ("idempotency_key", order.idempotency_key, MAX_KEY),
        ("recipient", order.recipient, MAX_RECIPIENT),
        ("comment", order.comment, MAX_COMMENT),
    ):
        if len(text) > limit:
            broken.append((field, f"may have up to {limit} characters, not {len(text)}."))
        if "\0" in text:
            broken.append((field, "may not hold a NUL character."))
    if order.idempotency_key and not order.idempotency_key.strip():
        broken.append(("idempotency_key", "may not be blank: leave it out, or give the order a name of your own."))
    return broken


def _acceptable(order: WantedOrder, cad_num: str) -> AcceptableOrder:
    content = [cad_num, order.recipient, order.comment, order.is_urgent]
    return AcceptableOrder(
        cad_num=cad_num,
        idempotency_key=order.idempotency_key or None,
        recipient=order.recipient or None,
        comment=order.comment or None,
        is_urgent=order.is_urgent,
        request_hash=hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest(),
    )
