"""The code's words are the schema's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orders_service import cadastral
from orders_service.domain.account import STANDBY_KINDS
from orders_service.domain.facts import FinishAnswer, ListReading, NotSent, PortalRefusal
from orders_service.domain.states import OrderState, SendOutcome
from orders_service.life.papers import KINDS

if TYPE_CHECKING:
    from tests.integration.orders_service.life.bench import Bench


def labels(bench: Bench, enum: str) -> list[str]:
    return [label["label"] for label in bench.all("select unnest(enum_range(null::" + enum + "))::text as label")]


def test_states_and_outcomes_are_the_schemas(bench: Bench) -> None:
    assert labels(bench, "order_state") == [state.value for state in OrderState]
    assert labels(bench, "send_outcome") == [outcome.value for outcome in SendOutcome]


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [
        ("rosreestr_users", "standby_kind", STANDBY_KINDS),
        ("order_extracts", "kind", KINDS),
        ("facts", "kind", {kind.kind for kind in (FinishAnswer, ListReading, NotSent, PortalRefusal)}),
    ],
)
def test_checked_words_are_the_schemas(bench: Bench, table: str, column: str, words: frozenset[str]) -> None:
    checks = bench.all(
        "select pg_get_constraintdef(oid) as rule from pg_constraint "
        "where conrelid = %(table)s::regclass and contype = 'c'",
        table=table,
    )
    (rule,) = [check["rule"] for check in checks if f"({column} = ANY" in check["rule"]]
    named = {word.split("'")[1] for word in rule.split("ARRAY")[1].split(",")}

    assert named == set(words)


@pytest.mark.parametrize(
    "cad_num", ["77:01:0001001:1001", "01:02:000003:4", "50:20:0100711:40", "05:05:0050505:505", "10:10:101010:10"]
)
def test_the_databases_key_is_the_codes(bench: Bench, cad_num: str) -> None:
    order = bench.order(bench.add_order(cad_num))

    assert order["cad_key"] == cadastral.comparison_key(cad_num)
