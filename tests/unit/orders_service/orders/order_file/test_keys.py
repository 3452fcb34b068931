"""The same file again orders nothing twice, whatever happened to the file in between."""

from __future__ import annotations

import random

import pytest

from orders_service.orders.order_file import KEY_PREFIX, derive_keys, read_order_file

ROWS = [
    ("77:01:0001001:1", "Банк"),
    ("77:01:0001001:1", "Банк"),
    ("77:01:0001001:1", "Суд"),
    ("77:01:0001001:2", ""),
    ("50:20:0100711:40", ""),
]


def test_each_row_has_a_key_of_its_own_also_among_equal_ones() -> None:
    keys = derive_keys(ROWS)

    assert len(set(keys)) == len(ROWS)
    assert all(key.startswith(KEY_PREFIX) and len(key) <= 200 for key in keys)
    assert derive_keys(ROWS) == keys


def test_the_order_of_the_rows_does_not_matter() -> None:
    mixed = ROWS.copy()
    random.Random(1).shuffle(mixed)

    assert set(derive_keys(mixed)) == set(derive_keys(ROWS))


@pytest.mark.parametrize("gone", range(len(ROWS)))
def test_a_row_that_goes_or_comes_leaves_the_keys_of_the_others(gone: int) -> None:
    fewer = derive_keys(ROWS[:gone] + ROWS[gone + 1 :])

    assert set(fewer) < set(derive_keys(ROWS))


def test_another_spelling_of_the_object_is_the_same_row() -> None:
    assert derive_keys([("50:20:0100711:40", "Банк ")]) == derive_keys([("50:20:100711:40", "Банк")])


def test_another_round_has_other_keys() -> None:
    assert not set(derive_keys(ROWS, batch="2026-12")) & set(derive_keys(ROWS))


def test_a_changed_note_keeps_the_key_so_that_the_service_refuses_it() -> None:
    first = read_order_file(b"cad_num;comment\n77:01:0001001:1;a\n", "a.csv")
    second = read_order_file(b"cad_num;comment;is_urgent\n77:01:0001001:1;b;1\n", "b.csv")

    assert first.rows[0].order.idempotency_key == second.rows[0].order.idempotency_key


def test_a_key_of_the_rows_own_stays() -> None:
    read = read_order_file("КН;Ключ\n77:01:0001001:1;мой\n77:01:0001001:2;\n".encode(), "a.csv")

    assert [row.order.idempotency_key[:4] for row in read.rows] == ["мой", KEY_PREFIX]
    assert read.preview.derived_keys == 1


def test_the_key_of_a_row_never_changes_between_versions() -> None:
    # A changed rule would order everybody's lists anew.
    assert derive_keys([("77:01:0001001:1", "Банк")]) == ["row:2ed38190e85a74973f473cce691f863bb0226a4e"]
