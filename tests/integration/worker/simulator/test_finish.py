"""The paid call, and the ledger that shows what it took."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.integration.worker.simulator.numbers import BUILD, LAND, ROOM

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.worker.simulator.conftest import StartSimulator
    from tests.integration.worker.simulator.thread import SimulatorThread
    from tests.integration.worker.simulator.user import User

NUMBER = re.compile(r"OfSite-\d{4}-\d{2}-\d{2}-\d{6}-77-01")


def test_a_finish_creates_one_order_and_takes_one_point(portal: SimulatorThread, user: User) -> None:
    statement = user.statement(ROOM)
    user.upload(statement)

    answer = user.finish(statement["superPackageGuid"])

    assert NUMBER.fullmatch(answer.text), answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    [row] = user.rows()
    [charge] = portal.charges(user.username)
    assert user.balance() == 99
    assert row["requestNumber"] == charge["number"] == answer.text
    assert charge["cad_num"] == ROOM
    assert (charge["oid"], charge["application_id"]) == (user.oid, row["id"])
    assert charge["super_package_guid"] == statement["superPackageGuid"]
    assert charge["statement_guid"] == statement["statementGuid"]
    assert charge["package_guid"] == statement["packageGuid"]
    assert charge["draft_guid"] == statement["draftGuid"]
    assert abs((datetime.now(UTC) - datetime.fromisoformat(charge["charged_at"])).total_seconds()) < 60


def test_a_repeated_finish_creates_and_charges_a_second_order(portal: SimulatorThread, user: User) -> None:
    guid = user.draft(ROOM)

    first, second = user.finish(guid).text, user.finish(guid).text

    assert first != second
    assert user.balance() == 98
    assert {row["requestNumber"] for row in user.rows()} == {first, second}
    assert [charge["number"] for charge in portal.charges(user.username)] == [first, second]
    ledger = portal.get("/ledger")
    assert guid in ledger["repeated_packages"]
    assert ledger["counts"][user.username] == 2
    assert ledger["balances"][user.username] == 98


@pytest.mark.parametrize(("policy", "status", "charges"), [("same", 200, 1), ("reject", 400, 1)])
def test_a_repeated_finish_may_be_told_to_charge_once(
    start_simulator: StartSimulator, bound: Callable[..., User], policy: str, status: int, charges: int
) -> None:
    process = start_simulator("--duplicate-guid", policy)
    user = bound(process)
    guid = user.draft(ROOM)
    first = user.finish(guid)

    second = user.finish(guid)

    assert second.status_code == status
    assert policy == "reject" or second.text == first.text
    assert len(process.charges("anna")) == charges


@pytest.mark.parametrize(
    ("style", "content_type"), [("json", "application/json"), ("number-less", "text/plain"), ("wrong", "text/plain")]
)
def test_the_answer_has_other_styles_that_charge_alike(
    start_simulator: StartSimulator, bound: Callable[..., User], style: str, content_type: str
) -> None:
    process = start_simulator("--finish-answer", style)
    user = bound(process)

    answer = user.finish(user.draft(ROOM))

    [charge] = process.charges("anna")
    assert answer.headers["content-type"].startswith(content_type)
    assert (style == "json") == (answer.text == f'"{charge["number"]}"')
    assert (charge["number"] in answer.text) == (style == "json")
    assert (NUMBER.search(answer.text.replace("-00-01", "-77-01")) is None) == (style == "number-less")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("superPackageGuid", "1f0c0c1e-0000-4000-8000-000000000001"),
        ("esiaUserId", 1),
        ("esiaUserId", "1000000000"),
        ("subjectObject", None),
        ("packageType", "egrn_with_docs_2"),
        ("accessKey", "41076512-7b6c-4ce6-a213-5c23fd670f49"),
        ("extra", "x"),
    ],
)
def test_a_finish_with_a_wrong_field_charges_nothing(
    portal: SimulatorThread, user: User, name: str, value: object
) -> None:
    body = {**user.finish_body(user.draft(ROOM)), name: value}

    answer = user.http.post("/account-request/statement/finish", json=body)

    assert (answer.status_code, answer.json()["field"]) == (400, name)
    assert portal.charges(user.username) == []


@pytest.mark.parametrize("name", ["superPackageGuid", "esiaUserId", "subjectObject", "packageType", "accessKey"])
def test_a_finish_with_a_missing_field_charges_nothing(portal: SimulatorThread, user: User, name: str) -> None:
    body = user.finish_body(user.draft(ROOM))
    del body[name]

    answer = user.http.post("/account-request/statement/finish", json=body)

    assert (answer.status_code, answer.json()["field"]) == (400, name)
    assert portal.charges(user.username) == []


def test_an_esia_id_that_is_a_number_is_refused(user: User) -> None:
    body = {**user.finish_body(user.draft(ROOM)), "esiaUserId": int(user.oid)}

    assert user.http.post("/account-request/statement/finish", json=body).status_code == 400


def test_nobody_finishes_somebody_elses_statement(portal: SimulatorThread, new_user: Callable[[], User]) -> None:
    owner, other = new_user(), new_user()
    guid = owner.draft(ROOM)

    assert other.finish(guid).status_code == 400
    assert portal.charges(owner.username) == portal.charges(other.username) == []


def test_an_empty_balance_orders_nothing(portal: SimulatorThread, user: User) -> None:
    portal.post(f"/accounts/{user.username}", balance=1)
    first, second = user.draft(ROOM), user.draft(LAND)

    assert user.finish(first).status_code == 200
    answer = user.finish(second)

    assert answer.status_code == 400
    assert "баланс" in answer.json()["message"]
    assert user.balance() == 0
    assert len(portal.charges(user.username)) == 1


def test_numbers_are_unique_also_when_many_order_at_once(portal: SimulatorThread, user: User) -> None:
    guids = [user.draft(cad_num) for cad_num in (ROOM, LAND, BUILD)]

    with ThreadPoolExecutor(6) as pool:
        numbers = list(pool.map(lambda guid: user.finish(guid).text, guids * 2))

    charges = portal.charges(user.username)
    assert len(set(numbers)) == len(charges) == 6
    assert len({charge["application_id"] for charge in charges}) == 6


def test_a_refused_order_gives_its_point_back_only_when_told_to(
    start_simulator: StartSimulator, bound: Callable[..., User]
) -> None:
    keeps = bound(start_simulator("--rejected", ROOM, "--ready-after", "0"))
    gives = bound(start_simulator("--rejected", ROOM, "--ready-after", "0", "--refund-rejected"))

    for user, left in ((keeps, 99), (gives, 100)):
        user.order(ROOM)
        assert [(row["statusCode"], row["requestStatus"]) for row in user.rows()] == [("rejected", "Отказ")]
        assert user.balance() == left
