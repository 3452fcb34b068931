"""The same file again orders nothing twice, whatever happened to the file in between."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest

from orders_service.orders.order_file import KEY_PREFIX, derive_keys, read_order_file

if TYPE_CHECKING:
    from collections.abc import Iterable

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


CELLS = list(itertools.product(("77:01:0001001:1", "77:01:0001001:2"), ("", "Банк"), ("", "k1")))


def derived(rows: Iterable[tuple[str, str, str]]) -> list[str]:
    """The keys of a file's rows without one of their own."""
    lines = "".join(";".join(row) + "\n" for row in rows)
    read = read_order_file(f"КН;Получатель;Ключ\n{lines}77:01:0009009:9;;\n".encode(), "a.csv")
    keys = [row.order.idempotency_key for row in read.rows]
    return [key for key in keys if key.startswith(KEY_PREFIX)]


def test_what_becomes_of_rows_with_a_key_of_their_own_changes_no_derived_key() -> None:
    # Else whoever edits such a row and gives the file again pays once more for the row beside it.
    for rows in itertools.product(CELLS, repeat=3):
        assert derived(rows) == derived(row for row in rows if not row[2]), rows
