"""The statement's upload: every field counts."""

from __future__ import annotations

import copy
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.worker.simulator.numbers import BUILD, CONSTRUCTION, KINDS, PROPERTY_COMPLEX, ROOM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.worker.simulator.thread import SimulatorThread
    from tests.integration.worker.simulator.user import User


def leaves(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every field below an object, objects and lists included."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))


def spelled(path: tuple[str | int, ...]) -> str:
    """The path as refusals print it."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def holder_of(statement: dict[str, Any], path: tuple[str | int, ...]) -> Any:
    """What holds the field at this path."""
    inner: Any = statement
    for part in path[:-1]:
        inner = inner[part]
    return inner


@pytest.mark.parametrize("cad_num", KINDS)
def test_a_statement_by_the_facts_is_taken_for_every_kind_of_object(user: User, cad_num: str) -> None:
    statement = user.statement(cad_num)

    answer = user.upload(statement)

    guids = {name: statement[name] for name in ("superPackageGuid", "packageGuid", "statementGuid", "draftGuid")}
    assert answer.status_code == 200, answer.text
    assert answer.json() == {**guids, "contentToSign": None, "oneRequestForAllObjects": None}


def test_every_field_that_is_missing_is_400_and_named(user: User) -> None:
    whole = user.statement(ROOM)
    tried = 0

    for path in leaves(whole):
        if path == ("purpose", "cadastralAction"):
            continue  # The one field that may be left out.
        statement = copy.deepcopy(whole)
        del holder_of(statement, path)[path[-1]]
        answer = user.upload(statement)
        # An element taken out of a list is the list's own mistake.
        named = spelled(path[:-1]) if isinstance(path[-1], int) else spelled(path)
        if path == ("objects", 0, "physicalProperties", 0):
            named = "objects[0].physicalProperties"
        assert (answer.status_code, answer.json().get("field")) == (400, named), path
        tried += 1

    assert tried > 50


def test_every_field_with_another_value_is_400_and_named(user: User) -> None:
    whole = user.statement(ROOM)
    tried = 0

    for path in leaves(whole):
        value = holder_of(whole, path)[path[-1]]
        if isinstance(value, dict | list) or path[-1] in GUIDS:
            continue
        statement = copy.deepcopy(whole)
        # The same text with a space at its end: who trims or pads is found out.
        holder_of(statement, path)[path[-1]] = not value if isinstance(value, bool) else f"{value} x"
        answer = user.upload(statement)
        assert (answer.status_code, answer.json().get("field")) == (400, spelled(path)), path
        tried += 1

    assert tried > 30


GUIDS = ("superPackageGuid", "statementGuid", "packageGuid", "draftGuid")


@pytest.mark.parametrize("name", GUIDS)
def test_a_guid_that_is_no_uuid4_is_400(user: User, name: str) -> None:
    statement = user.statement(ROOM)

    for value in ("", "no-uuid", "7f1c0c1e-0000-1000-8000-000000000001", uuid.uuid4().hex, 5, None):
        answer = user.upload({**statement, name: value})
        assert (answer.status_code, answer.json()["field"]) == (400, name), value


@pytest.mark.parametrize(("part", "name", "value"), [(None, "sign", 0), ("agreement", "dataProcessingAgreement", 1)])
def test_a_number_is_no_boolean(user: User, part: str | None, name: str, value: int) -> None:
    statement = user.statement(ROOM)
    (statement[part] if part else statement)[name] = value

    assert user.upload(statement).status_code == 400


def test_one_guid_used_twice_is_400(user: User) -> None:
    statement = user.statement(ROOM)
    statement["draftGuid"] = statement["packageGuid"]

    assert user.upload(statement).status_code == 400


@pytest.mark.parametrize(
    ("path", "field"), [((), "extra"), (("purpose",), "purpose.extra"), (("objects", 0), "objects[0].extra")]
)
def test_a_field_that_the_facts_do_not_list_is_400(user: User, path: tuple[str | int, ...], field: str) -> None:
    statement = user.statement(ROOM)
    holder_of(statement, (*path, "extra"))["extra"] = "x"

    answer = user.upload(statement)

    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_the_cadastral_action_may_be_left_out(user: User) -> None:
    statement = user.statement(ROOM)
    del statement["purpose"]["cadastralAction"]

    assert user.upload(statement).status_code == 200


@pytest.mark.parametrize("code", ["357039000000", "357013000000"])
def test_any_declarant_category_is_taken(user: User, code: str) -> None:
    statement = user.statement(ROOM)
    statement["specialDeclarantKind"]["code"] = code

    assert user.upload(statement).status_code == 200


def test_the_area_may_be_a_number(user: User) -> None:
    statement = user.statement(BUILD)
    area = statement["objects"][0]["physicalProperties"][0]
    area["propertyValue"] = float(area["propertyValue"])

    assert user.upload(statement).status_code == 200


@pytest.mark.parametrize(("name", "value"), [("propertyValue", "0"), ("unittypearea", "012002001000")])
def test_a_structure_sent_with_an_area_is_400(user: User, name: str, value: str) -> None:
    statement = user.statement(CONSTRUCTION)
    statement["objects"][0]["physicalProperties"][0][name] = value

    answer = user.upload(statement)

    assert (answer.status_code, answer.json()["field"]) == (400, f"objects[0].physicalProperties[0].{name}")


def test_an_object_without_a_figure_may_be_sent_with_none_or_with_zero(user: User) -> None:
    statement = user.statement(PROPERTY_COMPLEX)
    assert statement["objects"][0]["physicalProperties"] == []
    assert user.upload(statement).status_code == 200

    zero = {"property": "area", "propertyValue": "0", "unittypearea": "012002001000"}
    statement["objects"][0]["physicalProperties"] = [zero]
    assert user.upload(statement).status_code == 200
    statement["objects"][0]["physicalProperties"] = [{**zero, "propertyValue": "1"}]
    assert user.upload(statement).status_code == 400


def test_somebody_elses_key_is_400(new_user: Callable[[], User]) -> None:
    user, other = new_user(), new_user()
    statement = user.statement(ROOM)
    statement["purpose"]["accessKey"] = other.key()

    answer = user.upload(statement)

    assert (answer.status_code, answer.json()["field"]) == (400, "purpose.accessKey")


def test_a_refusal_says_nothing_of_the_person(user: User) -> None:
    statement = user.statement(ROOM)
    passport = statement["attachments"][0]["number"]
    statement["attachments"][0]["number"] = "000000x"

    assert passport not in user.upload(statement).text


def test_an_upload_charges_nothing_and_shows_in_no_list(portal: SimulatorThread, user: User) -> None:
    user.draft(ROOM)

    assert user.balance() == 100
    assert user.rows() == []
    assert portal.charges(user.username) == []


def test_the_same_upload_again_is_taken(user: User) -> None:
    statement = user.statement(ROOM)

    assert user.upload(statement).status_code == 200
    assert user.upload(statement).status_code == 200
    assert user.finish(statement["superPackageGuid"]).status_code == 200
    assert len(user.rows()) == 1
