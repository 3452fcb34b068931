"""The table of an order's states is the design's, and nothing leaves a final state by a machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from orders_service.domain.states import FINAL, TRANSITIONS, OrderState, is_allowed

S = OrderState
DOCS = Path(__file__).parents[4] / "docs" / "order-life.md"


def test_the_table_is_the_designs_with_three_edges_more() -> None:
    edges = {(edge.from_state, edge.to_state) for edge in TRANSITIONS}

    assert edges == {
        (S.QUEUED, S.PROCESSING),
        (S.QUEUED, S.CANCELLED),
        (S.QUEUED, S.FAILED),
        (S.PROCESSING, S.UNCONFIRMED),
        (S.PROCESSING, S.QUEUED),
        (S.PROCESSING, S.FAILED),
        (S.PROCESSING, S.CANCELLED),
        (S.PROCESSING, S.REGISTERED),
        (S.UNCONFIRMED, S.REGISTERED),
        (S.UNCONFIRMED, S.PROCESSING),
        (S.UNCONFIRMED, S.FAILED),
        (S.REGISTERED, S.COMPLETED),
        (S.REGISTERED, S.FAILED),
        (S.FAILED, S.REGISTERED),
        (S.FAILED, S.UNCONFIRMED),
        (S.FAILED, S.PROCESSING),
        (S.FAILED, S.QUEUED),
        (S.CANCELLED, S.QUEUED),
    }
    assert len(edges) == len(TRANSITIONS)


@pytest.mark.parametrize("state", sorted(FINAL))
def test_only_a_person_leads_out_of_a_final_state(state: OrderState) -> None:
    assert {edge.by for edge in TRANSITIONS if edge.from_state is state} <= {("person",)}


def test_only_a_person_fails_an_order_that_may_be_paid() -> None:
    (edge,) = [edge for edge in TRANSITIONS if (edge.from_state, edge.to_state) == (S.UNCONFIRMED, S.FAILED)]

    assert edge.by == ("person",)


def test_an_order_never_goes_back_to_the_queue_once_it_may_be_paid() -> None:
    assert not is_allowed(S.UNCONFIRMED, S.QUEUED)
    assert not is_allowed(S.REGISTERED, S.QUEUED)
    assert not is_allowed(S.REGISTERED, S.PROCESSING)


def test_the_docs_show_the_very_table() -> None:
    shown = DOCS.read_text(encoding="utf-8")

    for edge in TRANSITIONS:
        line = f"| `{edge.from_state}` | `{edge.to_state}` | {', '.join(edge.by)} | {edge.when} |"
        assert line in shown
