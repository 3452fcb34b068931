"""The person, the balance and the access key."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.worker.simulator.conftest import StartSimulator
    from tests.integration.worker.simulator.user import User


def test_the_passport_is_not_the_first_document(user: User) -> None:
    documents = user.profile()["attributesOauth"]["documents"]

    assert documents["size"] == len(documents["elements"])
    assert [entry["type"] for entry in documents["elements"]] == ["RF_DRIVING_LICENSE", "RF_PASSPORT"]


def test_each_account_has_a_person_and_a_key_of_its_own(new_user: Callable[[], User]) -> None:
    first, second = new_user(), new_user()

    assert first.oid != second.oid
    assert first.profile()["email"] != second.profile()["email"]
    assert first.key() != second.key()


def test_the_balance_is_not_the_first_item_and_starts_at_100(user: User) -> None:
    items = user.http.get("/account-back/finances/operations/total", params={"tab": "egrn_subscription"}).json()

    assert [item["mnemo"] for item in items].index("egrn_with_docs_1") > 0
    assert user.balance() == 100


def test_both_key_calls_give_the_same_uuid(user: User) -> None:
    current = user.http.get("/account-back/access-key/current-user").json()

    assert current == user.key()
    assert str(uuid.UUID(current)) == current


def test_the_key_may_come_as_bare_text(start_simulator: StartSimulator, bound: Callable[..., User]) -> None:
    user = bound(start_simulator("--key-answer", "text"))

    assert user.http.get("/account-back/access-key/current-user").text == user.key()


def test_an_account_may_lack_key_passport_subscription_and_middle_name(
    start_simulator: StartSimulator, tmp_path: Path, bound: Callable[..., User]
) -> None:
    lacks = ("has_access_key", "has_passport", "has_subscription", "has_middle_name")
    accounts = tmp_path / "accounts.json"
    accounts.write_text(json.dumps([{"username": "anna", "password": "secret", **dict.fromkeys(lacks, False)}]))
    user = bound(start_simulator("--accounts", str(accounts)))

    assert user.http.get("/account-back/access-key/current-user").text == "null"
    assert user.http.get("/account-back/access-key").status_code == 404
    person = user.profile()["attributesOauth"]
    assert "middleName" not in person
    assert [entry["type"] for entry in person["documents"]["elements"]] == ["RF_DRIVING_LICENSE"]
    items = user.http.get("/account-back/finances/operations/total", params={"tab": "egrn_subscription"}).json()
    assert "egrn_with_docs_1" not in [item["mnemo"] for item in items]


def test_a_person_without_a_middle_name_can_order(
    start_simulator: StartSimulator, tmp_path: Path, bound: Callable[..., User]
) -> None:
    accounts = tmp_path / "accounts.json"
    accounts.write_text(json.dumps([{"username": "anna", "password": "secret", "has_middle_name": False}]))
    user = bound(start_simulator("--accounts", str(accounts)))
    left_out = user.statement("77:01:0001001:1001")
    del left_out["declarants"][0]["patronymic"]

    assert user.upload(user.statement("77:01:0001001:1001")).status_code == 200
    assert user.upload(left_out).status_code == 200


def test_the_same_seed_gives_the_same_person_after_a_restart(
    start_simulator: StartSimulator, bound: Callable[..., User]
) -> None:
    first = bound(start_simulator("--account", "anna:secret"))
    second = bound(start_simulator("--account", "boris:secret", "--account", "anna:secret"))

    assert (first.oid, first.profile(), first.key()) == (second.oid, second.profile(), second.key())
