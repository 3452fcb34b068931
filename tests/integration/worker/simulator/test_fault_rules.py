"""Which calls a fault meets: by rate, sequence, object, after some, for a time; and answers changed field by field."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.integration.worker.simulator.numbers import BUILD, LAND, ROOM
from tests.integration.worker.simulator.thread import SimulatorThread
from worker.simulator.faults.fault import Fault
from worker.simulator.faults.kinds import kinds_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.worker.simulator.user import User


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorThread]:
    """One for all tests of this file."""
    thread = SimulatorThread("anna", "boris", ready_after=0)
    yield thread
    thread.close()


@pytest.fixture(scope="module")
def _anna(simulator: SimulatorThread) -> User:
    return simulator.bound("anna")


@pytest.fixture
def anna(simulator: SimulatorThread, _anna: User) -> Iterator[User]:
    """Logged in; what a test ordered is taken away after it."""
    yield _anna
    simulator.delete("/faults")


def searched(user: User, count: int, cad_num: str = ROOM) -> list[int]:
    """Statuses of so many searches."""
    return [user.search(cad_num).status_code for _ in range(count)]


def test_a_rate_meets_its_share_of_the_calls(simulator: SimulatorThread, anna: User) -> None:
    simulator.fault("search", "status", rate=0.3)

    hit = searched(anna, 100).count(500)

    assert 10 <= hit <= 50


def test_the_same_seed_meets_the_same_calls_again_whatever_others_do_between() -> None:
    met = []
    for is_busy in (False, True):
        thread = SimulatorThread("anna", "boris")
        thread.fault("search", "status", rate=0.5)
        anna, boris = thread.bound("anna"), thread.bound("boris")
        statuses = []
        for _ in range(30):
            statuses += searched(anna, 1)
            if is_busy:
                searched(boris, 1)
        met.append(statuses)
        thread.close()

    assert met[0] == met[1]
    assert 0 < met[0].count(500) < 30


def test_a_sequence_is_walked_call_by_call(simulator: SimulatorThread, anna: User) -> None:
    simulator.fault_of(endpoint="search", sequence=[None, "status", "waf", None, "not_found"])

    assert [(answer.status_code, "count" in answer.text) for answer in (anna.search(ROOM) for _ in range(6))] == [
        (200, True),
        (500, False),
        (403, False),
        (200, True),
        (200, True),
        (200, True),
    ]


def test_a_sequence_can_repeat(simulator: SimulatorThread, anna: User) -> None:
    simulator.fault_of(endpoint="search", sequence=["status", "-"], repeat=True)

    assert searched(anna, 5) == [500, 200, 500, 200, 500]


def test_a_fault_can_let_some_calls_pass_first(simulator: SimulatorThread, anna: User) -> None:
    simulator.fault("search", "status", skip=2, times=1)

    assert searched(anna, 4) == [200, 200, 500, 200]


def test_a_fault_of_an_object_follows_it_through_every_call(simulator: SimulatorThread, anna: User) -> None:
    anna.order(ROOM)
    anna.order(LAND)
    rows = {row["cadastralNumber"]: row["id"] for row in anna.rows()}
    guid = anna.draft(ROOM)
    simulator.fault("*", "forbidden", cad_num="77:1:1001:1001", times=None)

    assert anna.search(ROOM).status_code == 403
    assert anna.card(ROOM).status_code == 403
    assert anna.finish(guid).status_code == 403
    assert anna.page(cadastralNumber=ROOM).status_code == 403
    assert anna.download(rows[ROOM]).status_code == 403
    assert anna.search(LAND).status_code == 200
    assert anna.download(rows[LAND]).status_code == 200
    assert anna.page().status_code == 200


def test_a_fault_stands_for_its_time_only(simulator: SimulatorThread, anna: User) -> None:
    simulator.fault("search", "status", for_s=600)
    assert searched(anna, 2) == [500, 500]

    simulator.post("/time", pass_s=600)

    assert searched(anna, 1) == [200]


def test_chance_picks_among_kinds(simulator: SimulatorThread, anna: User) -> None:
    simulator.fault_of(endpoint="search", kinds=["status", "waf"], times=None)

    assert set(searched(anna, 30)) == {500, 403}


def test_one_fault_can_be_taken_away(simulator: SimulatorThread, anna: User) -> None:
    first = simulator.fault("search", "status", times=None)
    simulator.fault("search", "waf", times=None)

    assert simulator.delete(f"/faults/{first['id']}") == {"cleared": 1}
    assert searched(anna, 1) == [403]


@pytest.mark.parametrize("value", [None, True, 0, -1, 2**64, 1.5, "", "x", [], {}, [None]])
def test_any_field_can_get_any_value(simulator: SimulatorThread, anna: User, value: object) -> None:
    simulator.fault("search", "patch", set={"elements.0.address": value, "count": value})

    answer = anna.search(ROOM).json()

    assert (answer["elements"][0]["address"], answer["count"]) == (value, value)
    assert answer["elements"][0]["cadastralNumber"] == ROOM


def test_a_field_of_every_row_can_be_taken_away(simulator: SimulatorThread, anna: User) -> None:
    anna.order(BUILD)
    simulator.fault("applications", "patch", drop=["content.*.id", "numberOfElements"])

    page = anna.page().json()

    assert page["content"]
    assert all("id" not in row and "requestNumber" in row for row in page["content"])
    assert "numberOfElements" not in page


@pytest.mark.parametrize("value", [None, 1, "x", [], {"link": "/"}])
def test_a_whole_answer_can_be_another(simulator: SimulatorThread, anna: User, value: object) -> None:
    simulator.fault("balance", "patch", set={"": value})

    assert anna.http.get("/account-back/finances/operations/total?tab=egrn_subscription").json() == value


def test_an_answer_can_come_in_another_charset(simulator: SimulatorThread, anna: User) -> None:
    simulator.fault("search", "recode", charset="cp1251")

    answer = anna.search(ROOM)

    assert answer.headers["content-type"] == "application/json; charset=cp1251"
    assert "Тестовск" in answer.content.decode("cp1251")


def test_headers_can_be_added_replaced_and_taken_away(simulator: SimulatorThread, anna: User) -> None:
    odd = {"Retry-After": "9999999999", "Content-Type": None, "X-Twice": ["a", "b"]}
    simulator.fault("search", "headers", headers=odd)

    answer = anna.search(ROOM)

    assert answer.headers["retry-after"] == "9999999999"
    assert "content-type" not in answer.headers
    assert answer.headers.get_list("x-twice") == ["a", "b"]


@pytest.mark.parametrize("kind", ["status", "maintenance", "waf", "forbidden"])
def test_any_refusal_can_say_when_to_come_back(simulator: SimulatorThread, anna: User, kind: str) -> None:
    simulator.fault("search", kind, retry_after_s=600)

    assert anna.search(ROOM).headers["retry-after"] == "600"


def test_an_answer_can_drip(simulator: SimulatorThread, anna: User) -> None:
    simulator.fault("search", "drip", seconds=0.2)

    assert anna.search(ROOM).json()["count"] == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "status", "rate": 1.5}, "rate"),
        ({"kind": "status", "rate": True}, "rate"),
        ({"kind": "status", "kinds": ["waf"]}, "kinds"),
        ({"kinds": []}, "kinds"),
        ({"kinds": ["no such"]}, "kinds"),
        ({"sequence": []}, "sequence"),
        ({"sequence": [None, "no such"]}, "sequence"),
        ({"kind": "status", "cad_num": "no number"}, "cad_num"),
        ({"kind": "status", "skip": -1}, "skip"),
        ({"kind": "headers", "headers": {"X": "a\r\nY: b"}}, "headers"),
        ({"kind": "recode", "charset": "klingon"}, "charset"),
        ({"kind": "patch", "set": []}, "set"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_by_field(
    simulator: SimulatorThread, body: dict[str, object], field: str
) -> None:
    answer = simulator.ask("POST", "/faults", {"endpoint": "search", **body})

    assert (answer.status_code, answer.json()["field"]) == (400, field)


def calls_of(user: User, application_id: int) -> dict[str, Callable[[], object]]:
    """How each endpoint that a person calls is called."""
    guid = user.draft(ROOM)
    statement = user.statement(ROOM)
    return {
        "search": lambda: user.search(ROOM),
        "card": lambda: user.card(ROOM),
        "balance": user.balance,
        "roles": user.roles,
        "profile": user.profile,
        "access_key": user.key,
        "access_key_current": lambda: user.http.get("/account-back/access-key/current-user"),
        "upload": lambda: user.upload(statement),
        "finish": lambda: user.finish(guid),
        "applications": user.page,
        "download": lambda: user.download(application_id),
        "unread": lambda: user.http.get("/account-back/notifications/unread/count"),
        "login": user.ask_login,
    }


def test_every_kind_at_every_endpoint_meets_its_call_and_harms_nothing_else(
    simulator: SimulatorThread, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("ERROR")
    user = simulator.bound("boris")
    user.order(LAND)
    calls = calls_of(user, user.rows(cadastralNumber=LAND)[0]["id"])

    for endpoint, call in calls.items():
        for kind in kinds_at(endpoint).keys() - {"bomb_zip"}:
            faults = simulator.simulator.faults
            faults.add(Fault(endpoint=endpoint, kind=kind, seconds=0.01, account="boris"))
            # Whatever comes of it: an answer of another shape, none at all, a connection that broke.
            with contextlib.suppress(httpx.TransportError, ValueError, KeyError, TypeError, AttributeError):
                call()
            [met] = faults.list()
            assert met["hits"] == 1, f"{kind} at {endpoint}"
            faults.remove()

    assert caplog.records == []
    assert user.search(ROOM).json()["count"] == 1


def test_a_mood_meets_calls_of_every_sort_but_never_the_login() -> None:
    thread = SimulatorThread("anna", mood=1.0)
    user = thread.user("anna")

    assert user.ask_login().status_code == 200
    thread.close()
