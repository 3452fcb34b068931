"""What a client reads where the object's own fault ends an order."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from worker.order import ends
from worker.order.verdict import Attempt, Circumstances, verdict
from worker.portal.errors import RequestRefused
from worker.portal.pages.search import Card, FoundObject, Undecided, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

CAD_NUM = "77:01:0001001:1001"
OTHER = "77:01:0001001:9"
DATES = ["", "1700000000000", "9" * 19, "9" * 400, "-1", "2024-05-20", "{}", "nan", "٣", "1700000000000.5"]


def card(cancelled: str) -> Card:
    return Card(cad_num=CAD_NUM, object_type="x", status="0", cancelled=cancelled)


def doubt(*cad_nums: str) -> str:
    found: Sequence[FoundObject] = [FoundObject(cad_num=one, object_type="x") for one in cad_nums]
    doubted = judge(found, CAD_NUM)
    assert isinstance(doubted, Undecided)
    return doubted.reason


def refused(text: str) -> str:
    error = RequestRefused(f"HTTP 400: {text}", step="upload", status=400, text=text, is_of_object=True)
    told = verdict(error, Circumstances(step="upload"))
    assert isinstance(told, Attempt)
    return told.reason


ALL = [
    *(pytest.param(ends.of_annulled(card(date)), id=f"annulled {date[:20]}") for date in DATES),
    pytest.param(doubt(OTHER), id="another object"),
    pytest.param(doubt(CAD_NUM, OTHER), id="several objects"),
    pytest.param(refused('{"code": 17, "errors": [{"cadNumber": "wrong"}]}'), id="refused in JSON"),
    pytest.param(refused("<html>1700000000000</html>"), id="refused by a page"),
]


@pytest.mark.parametrize("told", ALL)
def test_it_is_russian_and_has_nothing_raw_of_the_portal(told: str) -> None:
    words = re.sub(rf"{CAD_NUM}|{OTHER}|HTTP \d{{3}}", "", told)

    assert re.search("[а-я]{4}", words)
    assert not re.search(r"[A-Za-z{}<>\[\]\"]|\d{5}", words)


def test_the_day_of_an_annulment_is_told_where_it_is_one() -> None:
    assert "снят с учёта 14.11.2023 (" in ends.of_annulled(card("1700000000000"))
    assert "снят с учёта (" in ends.of_annulled(card("9" * 19))
