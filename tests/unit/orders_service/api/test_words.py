"""The contract's enums and the words of the database."""

from __future__ import annotations

import ast
import datetime as dt
from pathlib import Path

import pytest

import orders_service
from orders_service import errors
from orders_service.api.grpc.messages import event_message, order_message
from orders_service.api.grpc.words import EVENT_KINDS, PAPER_KINDS, STANDBY_KINDS, STATES, Words
from orders_service.domain import account
from orders_service.domain.states import OrderState
from orders_service.life import papers
from orders_service.orders.search import EventView, OrderView, PaperView
from orders_service.v1 import orders_pb2

SOURCE = Path(orders_service.__file__).parent
NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


def kinds_written() -> set[str]:
    """Kinds of the steps that the code writes into an order's history: constants where a step is noted."""
    places = {"note": 1, "note_news": 1, "_add_event": 2}
    found = {"transition"}  # accept.sql writes the first step itself
    for path in (*(SOURCE / "life").rglob("*.py"), *(SOURCE / "queueing").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            values: list[ast.expr] = []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in places:
                values = node.args[places[node.func.attr] : places[node.func.attr] + 1]
            elif isinstance(node, ast.Dict) and "actor" in (keys := [_text(key) for key in node.keys]):
                values = [value for key, value in zip(keys, node.values, strict=True) if key == "kind"]
            found.update(text for value in values if (text := _text(value)))
    return found


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


@pytest.mark.parametrize(
    ("words", "written"),
    [
        (STATES, {state.value for state in OrderState}),
        (PAPER_KINDS, papers.KINDS),
        (STANDBY_KINDS, account.STANDBY_KINDS),
    ],
    ids=["states", "papers", "standby"],
)
def test_each_word_of_the_database_has_its_value_in_the_contract(words: Words[int], written: set[str]) -> None:
    assert words.all == written
    assert {words.word(words.value(word), "f") for word in written} == written


def test_each_step_that_the_code_writes_has_its_kind_in_the_contract() -> None:
    written = kinds_written()

    assert {"transition", "hold", "alarm", "reopened"} <= written, "the search works"
    assert written - EVENT_KINDS.all == set()


def test_what_a_newer_service_wrote_is_shown_as_unspecified_and_in_words() -> None:
    paper = PaperView(kind="newer", sha256="0", size_bytes=1, file_name="a", registration_number=None, reason=None)
    order = OrderView(
        id=1,
        client="",
        idempotency_key="k",
        cad_num="77:01:0001001:1",
        state="newer",
        status="По-новому",
        error=None,
        account_id=None,
        account=None,
        order_number=None,
        recipient=None,
        comment=None,
        is_urgent=False,
        hold_reason=None,
        portal_status=None,
        created_at=NOW,
        updated_at=NOW,
        registered_at=None,
        finished_at=None,
        next_at=None,
        papers=(paper,),
    )
    event = EventView(id=1, at=NOW, actor="x", kind="newer", from_state="newer", to_state="queued", reason="why")

    shown, step = order_message(order), event_message(event)

    assert (shown.state, shown.status) == (orders_pb2.ORDER_STATE_UNSPECIFIED, "По-новому")
    assert shown.papers[0].kind == orders_pb2.PAPER_KIND_UNSPECIFIED
    assert (step.kind, step.reason) == (orders_pb2.ORDER_EVENT_KIND_UNSPECIFIED, "why")
    assert (step.from_state, step.to_state) == (orders_pb2.ORDER_STATE_UNSPECIFIED, orders_pb2.ORDER_STATE_QUEUED)


@pytest.mark.parametrize("value", [0, 99, -1])
def test_what_a_caller_says_that_isnt_known_is_refused_and_never_guessed(value: int) -> None:
    with pytest.raises(errors.InvalidInput, match=r"^states\[0\]: is no state of an order of this service"):
        STATES.word(value, "states[0]")


def test_what_a_caller_may_leave_out_is_no_word() -> None:
    assert STANDBY_KINDS.optional_word(0, "kind") == ""
    with pytest.raises(errors.InvalidInput):
        STANDBY_KINDS.optional_word(99, "kind")
