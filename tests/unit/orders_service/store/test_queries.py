"""SQL in files."""

from __future__ import annotations

from importlib import resources

import pytest

from orders_service.store import queries


def test_every_file_of_queries_can_be_loaded() -> None:
    files = [path.name for path in resources.files(queries).iterdir() if path.name.endswith(".sql")]

    assert files
    for file in files:
        for statement in queries.load(file.removesuffix(".sql")).values():
            assert statement.strip()
            assert not statement.rstrip().endswith(";")


def test_a_block_has_name_purpose_and_statement() -> None:
    found = queries.parse(
        "x",
        "-- about the file\n\n-- name: one\n-- Why.\nselect 1\n  -- inside\n;\n\n-- name: two\n-- And.\nselect 2;\n",
    )

    assert dict(found) == {"one": "select 1\n  -- inside\n", "two": "select 2"}


@pytest.mark.parametrize(
    "text",
    [
        "select 1;",
        "-- name: one\nselect 1;",
        "-- name: one\n-- Why.\n",
        "-- name: one two\n-- Why.\nselect 1;",
        "-- name: one\n-- Why.\nselect 1;\n-- name: one\n-- Why.\nselect 2;",
    ],
)
def test_what_is_no_file_of_statements_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"x\.sql"):
        queries.parse("x", text)


def test_an_unknown_name_is_told_with_those_that_exist() -> None:
    with pytest.raises(
        KeyError, match=r"accept\.sql has no statement 'nonsense'; it has find_by_keys, insert_order, insert_orders"
    ):
        queries.load("accept")["nonsense"]
