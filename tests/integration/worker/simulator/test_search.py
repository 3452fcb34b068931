"""The two searches: what exists, how it is spelled, what it is like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.worker.simulator.numbers import CONSTRUCTION, KINDS, LAND, PROPERTY_COMPLEX, ROOM

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.worker.simulator.conftest import StartSimulator
    from tests.integration.worker.simulator.thread import SimulatorThread
    from tests.integration.worker.simulator.user import User


@pytest.mark.parametrize(("cad_num", "code"), KINDS.items())
def test_search_and_card_agree_on_the_kind_of_an_object(user: User, cad_num: str, code: str) -> None:
    [element] = user.search(cad_num).json()["elements"]
    [card] = user.card(cad_num).json()["elements"]

    assert element["objectType"] == card["objType"] == code
    assert element["cadastralNumber"] == card["cadNumber"] == cad_num
    assert element["address"] == card["address"]["readableAddress"]


def test_a_land_has_an_area_a_structure_a_length_and_an_enterprise_neither(user: User) -> None:
    [land], [structure], [enterprise] = (
        user.search(cad_num).json()["elements"] for cad_num in (LAND, CONSTRUCTION, PROPERTY_COMPLEX)
    )

    assert land["mainCharacters"][0]["unitCode"] == "012002001000"
    assert structure["mainCharacters"][0]["description"] == "Протяженность"
    assert structure["mainCharacters"][0]["unitCode"] != "012002001000"
    assert "mainCharacters" not in enterprise


def test_a_number_that_only_looks_like_one_is_not_found(user: User) -> None:
    for cad_num in ("77:01:0001001", "77:01:0001001:", "77:01:0001001:5/1", "77:01:0001001:5:6", "КУВИ-001", ""):
        assert user.search(cad_num).json() == {"elements": [], "count": 0}


def test_an_unknown_number_is_not_found_in_any_spelling(
    start_simulator: StartSimulator, bound: Callable[..., User]
) -> None:
    user = bound(start_simulator("--unknown", "77:01:0001001:404", "--unknown", "77:01:0001001:405"))

    for cad_num in ("77:01:0001001:404", "77:1:1001:404", "77:01:0001001:405"):
        assert user.search(cad_num).json() == {"elements": [], "count": 0}
        assert user.card(cad_num).json() == {"elements": [], "count": 0}
    assert user.search("77:01:0001001:406").json()["count"] == 1


def test_the_portal_prints_its_own_spelling_everywhere(
    start_simulator: StartSimulator, bound: Callable[..., User]
) -> None:
    asked, printed = "50:20:0100711:40", "50:20:100711:40"
    user = bound(start_simulator("--spelling", printed, "--ready-after", "0"))

    assert user.search(asked).json()["elements"][0]["cadastralNumber"] == printed
    assert user.card(asked).json()["elements"][0]["cadNumber"] == printed
    statement = user.statement(asked)
    assert user.upload(statement).status_code == 200
    statement["objects"][0]["cadastralNumber"] = asked
    refused = user.upload(statement)
    assert (refused.status_code, refused.json()["field"]) == (400, "objects[0].cadastralNumber")
    user.finish(statement["superPackageGuid"])
    assert user.rows(cadastralNumber=asked) == []
    assert [row["cadastralNumber"] for row in user.rows(cadastralNumber=printed)] == [printed]


def test_an_annulled_object_shows_on_its_card_only(start_simulator: StartSimulator, bound: Callable[..., User]) -> None:
    user = bound(start_simulator("--annulled", ROOM))

    [element] = user.search(ROOM).json()["elements"]
    [card] = user.card(ROOM).json()["elements"]
    [other] = user.card(LAND).json()["elements"]

    assert "status" not in element
    assert (card["status"], card["cancelDate"] is None) == ("0", False)
    assert (other["status"], other["cancelDate"]) == ("1", None)


def test_several_numbers_at_once_are_each_answered(user: User) -> None:
    answer = user.search(ROOM, "no number", LAND).json()

    assert answer["count"] == 2
    assert [element["cadastralNumber"] for element in answer["elements"]] == [ROOM, LAND]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"cadNumbers": [ROOM]}, "filterType"),
        ({"filterType": "cadastral"}, "cadNumbers"),
        ({"filterType": "cadastral", "cadNumbers": []}, "cadNumbers"),
        ({"filterType": "cadastral", "cadNumbers": ROOM}, "cadNumbers"),
    ],
)
def test_a_search_without_its_fields_is_400(user: User, body: dict[str, object], field: str) -> None:
    answer = user.http.post("/account-back/on/with-addresses", json=body)

    assert (answer.status_code, answer.json()["field"]) == (400, field)


@pytest.mark.parametrize(
    ("kind", "cad_nums"),
    [("several_objects", [ROOM, LAND[:-1] + "2"]), ("other_object", ["77:01:0001001:1002"]), ("not_found", [])],
)
def test_a_search_can_find_other_objects_than_the_one_asked_for(
    portal: SimulatorThread, user: User, kind: str, cad_nums: list[str]
) -> None:
    portal.fault("search", kind, account=user.username)

    answer = user.search(ROOM).json()

    assert [element["cadastralNumber"] for element in answer["elements"]] == cad_nums
    assert answer["count"] == len(cad_nums)
    assert user.search(ROOM).json()["count"] == 1


def test_an_object_can_change_while_the_simulator_runs(
    start_simulator: StartSimulator, bound: Callable[..., User]
) -> None:
    process = start_simulator()
    user = bound(process)

    process.post("/objects", cad_num=ROOM, exists=False)
    assert user.search(ROOM).json()["count"] == 0
    process.post("/objects", cad_num=ROOM, exists=True, annulled=True)
    assert user.card(ROOM).json()["elements"][0]["status"] == "0"
