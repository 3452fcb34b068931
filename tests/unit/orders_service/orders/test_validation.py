"""The rules of what may be ordered."""

from __future__ import annotations

import pytest

from orders_service.errors import InvalidInput
from orders_service.orders.validation import WantedOrder, validate

NUMBER = "77:01:0001001:1001"


def broken_by(*wanted: WantedOrder) -> list[str]:
    with pytest.raises(InvalidInput) as refused:
        validate(wanted)
    return [violation.field for violation in refused.value.violations]


def test_an_empty_text_is_nothing() -> None:
    (order,) = validate([WantedOrder(cad_num=NUMBER)])

    assert (order.idempotency_key, order.recipient, order.comment) == (None, None, None)


def test_texts_may_be_as_long_as_the_contract_says_and_no_longer() -> None:
    limits = {"idempotency_key": 200, "recipient": 500, "comment": 2000}

    validate([WantedOrder(cad_num=NUMBER, **{field: "ы" * limit for field, limit in limits.items()})])  # type: ignore[arg-type]
    for field, limit in limits.items():
        assert broken_by(WantedOrder(cad_num=NUMBER, **{field: "ы" * (limit + 1)})) == [f"orders[0].{field}"]  # type: ignore[arg-type]
        assert broken_by(WantedOrder(cad_num=NUMBER, **{field: "a\0"})) == [f"orders[0].{field}"]  # type: ignore[arg-type]


def test_a_blank_key_is_refused_since_it_is_nobodys_name() -> None:
    assert broken_by(WantedOrder(cad_num=NUMBER, idempotency_key="  ")) == ["orders[0].idempotency_key"]


def test_all_broken_rules_of_all_orders_are_named_at_once() -> None:
    assert broken_by(
        WantedOrder(cad_num="x", comment="y" * 3000), WantedOrder(cad_num=NUMBER), WantedOrder(cad_num="")
    ) == ["orders[0].cad_num", "orders[0].comment", "orders[2].cad_num"]


def test_the_hash_tells_every_other_content_apart() -> None:
    variants = [
        WantedOrder(cad_num=NUMBER),
        WantedOrder(cad_num="77:01:0001001:1002"),
        WantedOrder(cad_num=NUMBER, recipient="a"),
        WantedOrder(cad_num=NUMBER, comment="a"),
        WantedOrder(cad_num=NUMBER, is_urgent=True),
    ]

    assert len({order.request_hash for order in validate(variants)}) == len(variants)
    again, key = validate([WantedOrder(cad_num=f" {NUMBER} "), WantedOrder(cad_num=NUMBER, idempotency_key="k")])
    assert again.request_hash == key.request_hash == validate(variants)[0].request_hash
