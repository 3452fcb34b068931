"""«Мои заявки»: pages, filters, who sees what, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.integration.worker.simulator.numbers import LAND, ROOM
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.worker.simulator.conftest import StartSimulator
    from tests.integration.worker.simulator.thread import SimulatorThread
    from tests.integration.worker.simulator.user import User


def plant(process: SimulatorThread, account: str, count: int) -> list[str]:
    """Earlier applications, the oldest first; their numbers."""
    entries = [{"cad_num": f"77:01:0001001:{n + 1}", "age_s": 10_000 - n} for n in range(count)]
    return [row["number"] for row in process.post("/orders", account=account, orders=entries)["orders"]]


def test_each_account_sees_its_own_rows_only(portal: SimulatorThread, new_user: Callable[[], User]) -> None:
    first, second = new_user(), new_user()
    number = first.order(ROOM)

    assert [row["requestNumber"] for row in first.rows(requestNumber=number)] == [number]
    assert second.rows(requestNumber=number) == []
    assert second.rows() == []


def test_planted_applications_look_like_ordered_ones_and_cost_nothing(portal: SimulatorThread, user: User) -> None:
    [number] = plant(portal, user.username, 1)

    [row] = user.rows()

    assert (row["requestNumber"], row["statusCode"], row["requestStatus"]) == (number, "processed", "Выполнено")
    assert user.download(row["id"]).status_code == 200
    assert user.balance() == 100
    assert portal.charges(user.username) == []


def test_filters_choose_by_number_object_and_day(portal: SimulatorThread, user: User) -> None:
    planted = plant(portal, user.username, 3)
    ordered = user.order(ROOM)
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()

    def numbers(**wanted: str | None) -> set[str]:
        return {row["requestNumber"] for row in user.rows(**wanted)}

    assert numbers(requestNumber=planted[1]) == {planted[1]}
    assert numbers(cadastralNumber=ROOM) == {ordered}
    assert numbers(cadastralNumber=ROOM, requestNumber=planted[1]) == set()
    assert numbers(requestNumber=None, cadastralNumber=None) == {*planted, ordered}
    assert numbers(startDate=tomorrow) == set()
    assert numbers(endDate=tomorrow) == {*planted, ordered}
    assert user.page(startDate="no date").status_code == 400


def test_pages_hold_every_row_once_and_end(portal: SimulatorThread, user: User) -> None:
    planted = plant(portal, user.username, 5)

    pages = [user.page(number, size=2).json() for number in range(4)]

    shown = [row["requestNumber"] for page in pages for row in page["content"]]
    assert shown == planted[::-1]
    assert [page["numberOfElements"] for page in pages] == [2, 2, 1, 0]
    assert [page["last"] for page in pages] == [False, False, True, True]
    assert {page["totalElements"] for page in pages} == {5}


def test_a_page_may_hold_fewer_rows_than_asked_for_and_none_is_lost(
    start_simulator: StartSimulator, bound: Callable[..., User]
) -> None:
    process = start_simulator("--list-page-max", "2", "--no-list-last", "--list-order", "shuffled")
    planted = plant(process, "anna", 15)
    user = bound(process)

    pages = [user.page(number, size=100).json() for number in range(9)]

    assert [page["numberOfElements"] for page in pages] == [2] * 7 + [1, 0]
    assert not any("last" in page for page in pages)
    shown = [row["requestNumber"] for page in pages for row in page["content"]]
    assert sorted(shown) == sorted(planted)
    assert shown not in (planted, planted[::-1])


@pytest.mark.parametrize(("page", "size"), [("-1", "10"), ("0", "0"), ("x", "10"), ("0", "²")])
def test_a_page_that_makes_no_sense_is_400(user: User, page: str, size: str) -> None:
    answer = user.http.post("/account-back/applications", params={"page": page, "size": size}, json={})

    assert answer.status_code == 400


def test_a_row_shows_only_after_the_lag(start_simulator: StartSimulator, bound: Callable[..., User]) -> None:
    process = start_simulator("--list-lag", "0.7", "--ready-after", "0")
    user = bound(process)
    number = user.order(ROOM)
    [order] = process.get("/orders", account="anna")["orders"]

    wait_until(lambda: [row["requestNumber"] for row in user.rows()] == [number], "the row to show")
    visible_at = datetime.fromisoformat(order["visible_at"])
    assert datetime.now(UTC) >= visible_at


def test_a_row_that_does_not_show_yet_has_no_file_either(
    start_simulator: StartSimulator, bound: Callable[..., User]
) -> None:
    process = start_simulator("--list-lag", "3600", "--ready-after", "0")
    user = bound(process)
    user.order(ROOM)
    [order] = process.get("/orders", account="anna")["orders"]

    assert user.rows() == []
    assert user.download(order["id"]).status_code == 404


def test_an_order_passes_through_its_stages_and_gets_ready(
    start_simulator: StartSimulator, bound: Callable[..., User]
) -> None:
    user = bound(start_simulator("--ready-after", "4"))
    user.order(ROOM)
    seen: list[tuple[str, str]] = []

    def is_ready() -> bool:
        [row] = user.rows()
        pair = (row["statusCode"], row["requestStatus"])
        if pair not in seen:
            seen.append(pair)
        return pair == ("processed", "Выполнено")

    wait_until(is_ready, "the order to be ready")

    assert seen == [
        ("created", "Создана"),
        ("sent", "Отправлена"),
        ("processing", "В работе"),
        ("processed", "Выполнено"),
    ]


def test_a_test_may_set_any_status(portal: SimulatorThread, user: User) -> None:
    user.order(ROOM)
    [row] = user.rows()

    portal.post(f"/orders/{row['id']}", status_code="strange", request_status="Непонятно")

    [changed] = user.rows()
    assert (changed["statusCode"], changed["requestStatus"]) == ("strange", "Непонятно")
    assert user.download(row["id"]).status_code == 404


@pytest.mark.parametrize(
    ("kind", "is_so"),
    [
        ("no_content", lambda body: "content" not in body),
        ("link", lambda body: list(body) == ["link"]),
        ("null_count", lambda body: body["numberOfElements"] is None and body["content"]),
        ("empty", lambda body: body["content"] == []),
        ("unfiltered", lambda body: {row["cadastralNumber"] for row in body["content"]} == {ROOM, LAND}),
    ],
)
def test_the_list_can_be_wrong_in_the_ways_that_were_seen(
    portal: SimulatorThread, user: User, kind: str, is_so: Callable[[dict[str, object]], bool]
) -> None:
    user.order(ROOM)
    user.order(LAND)
    portal.fault("applications", kind, account=user.username)

    assert is_so(user.page(cadastralNumber=ROOM).json())
    assert [row["cadastralNumber"] for row in user.rows(cadastralNumber=ROOM)] == [ROOM]
