"""The rules of what may be ordered."""

from __future__ import annotations

from typing import Any

from orders_service.orders.validation import AcceptableOrder, WantedOrder, check, violations_of

NUMBER = "77:01:0001001:1001"


def wanted(cad_num: str = NUMBER, **fields: Any) -> WantedOrder:
    return WantedOrder(**{"cad_num": cad_num, "idempotency_key": "k", **fields})


def accepted(*orders: WantedOrder) -> list[AcceptableOrder]:
    acceptable, bad = check(orders)
    assert bad == []
    return list(acceptable.values())


def broken_by(*orders: WantedOrder) -> list[str]:
    _, bad = check(orders)
    return [violation.field for violation in violations_of(bad)]


def test_an_empty_text_is_nothing() -> None:
    (order,) = accepted(wanted())

    assert (order.idempotency_key, order.recipient, order.comment) == ("k", None, None)


def test_texts_may_be_as_long_as_the_contract_says_and_no_longer() -> None:
    limits = {"idempotency_key": 200, "recipient": 500, "comment": 2000}

    accepted(wanted(**{field: "ы" * limit for field, limit in limits.items()}))
    for field, limit in limits.items():
        assert broken_by(wanted(**{field: "ы" * (limit + 1)})) == [f"orders[0].{field}"]
        assert broken_by(wanted(**{field: "a\0"})) == [f"orders[0].{field}"]


def test_an_order_without_a_name_of_its_clients_is_refused() -> None:
    for key in ("", "  "):
        assert broken_by(wanted(idempotency_key=key)) == ["orders[0].idempotency_key"]


def test_all_broken_rules_of_all_orders_are_named_at_once() -> None:
    assert broken_by(wanted("x", comment="y" * 3000), wanted(), wanted("", idempotency_key="")) == [
        "orders[0].cad_num",
        "orders[0].comment",
        "orders[2].cad_num",
        "orders[2].idempotency_key",
    ]


def test_what_is_good_keeps_its_place_beside_what_is_bad() -> None:
    acceptable, bad = check([wanted("x"), wanted(), wanted("y"), wanted(idempotency_key="l")])

    assert (list(acceptable), [row.index for row in bad]) == ([1, 3], [0, 2])


def test_the_hash_tells_every_other_content_apart() -> None:
    variants = [
        wanted(idempotency_key="1"),
        wanted("77:01:0001001:1002", idempotency_key="2"),
        wanted(recipient="a", idempotency_key="3"),
        wanted(comment="a", idempotency_key="4"),
        wanted(is_urgent=True, idempotency_key="5"),
    ]

    assert len({order.request_hash for order in accepted(*variants)}) == len(variants)
    again, key = accepted(wanted(f" {NUMBER} "), wanted(idempotency_key="other"))
    assert again.request_hash == key.request_hash == accepted(variants[0])[0].request_hash


def test_a_key_twice_with_other_content_is_one_bad_row() -> None:
    assert broken_by(wanted(), wanted(comment="other"), wanted()) == ["orders[1].idempotency_key"]
