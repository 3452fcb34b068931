"""Papers in place of an extract, archives as they were met, rows that are odd, and the stages of an order."""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.worker.simulator.numbers import BUILD, LAND, ROOM
from tests.integration.worker.simulator.thread import SimulatorThread
from worker.simulator.papers import odd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.worker.simulator.user import User

NEIGHBOUR = "77:01:0001001:1002"
#: Of each paper: the root of its XML, and what must be written in it.
ROOTS = {
    "notice_zip": ("exract_notice_absence_request_info_12", f"<cad_number>{ROOM}</cad_number>"),
    "notice_in_words_zip": ("exract_notice_absence_request_info_12", f"кадастровый номер: {ROOM},"),
    "notice_11_zip": ("exract_notice_absence_request_info_11", f"кадастровый номер: {ROOM},"),
    "notice_13_zip": ("exract_notice_absence_request_info_13", f"кадастровый номер: {ROOM},"),
    "notice_of_another_zip": ("exract_notice_absence_request_info_12", f"кадастровый номер: {NEIGHBOUR},"),
    "notice_of_nothing_zip": ("exract_notice_absence_request_info_12", "Выписка из ЕГРН об объекте недвижимости."),
    "refusal_zip": ("exract_decision_refuse_provide_info", ROOM),
    "plan_zip": ("extract_cadastral_plan_territory", "77:01:0001001<"),
    "transfer_zip": ("extract_transfer_rights_property", ROOM),
    "value_zip": ("extract_cadastral_value_property", ROOM),
    "base_params_zip": ("extract_base_params_room", ROOM),
    "kpoks_zip": ("KPOKS", f'CadastralNumber="{ROOM}"'),
    "kvoks_zip": ("KVOKS", f'CadastralNumber="{ROOM}"'),
    "kvzu_zip": ("KVZU", f'CadastralNumber="{ROOM}"'),
    "kpzu_zip": ("KPZU", f'CadastralNumber="{ROOM}"'),
    "region_cadastr_vidimus_kp_zip": ("Region_Cadastr_Vidimus_KP", f'CadastralNumber="{ROOM}"'),
}


@pytest.fixture(scope="module")
def shared() -> Iterator[SimulatorThread]:
    """One for all tests of this file."""
    thread = SimulatorThread("anna", *(f"user_{n}" for n in range(10)), ready_after=0)
    yield thread
    thread.close()


@pytest.fixture
def simulator(shared: SimulatorThread) -> Iterator[SimulatorThread]:
    """Settings, faults and odd rows are put back after each test."""
    before = shared.simulator.knobs.now
    yield shared
    shared.simulator.knobs.now = before
    shared.delete("/faults")
    shared.delete("/rows")


@pytest.fixture(scope="module")
def anna(shared: SimulatorThread) -> User:
    """Logged in, with one order that is ready."""
    user = shared.bound("anna")
    user.order(ROOM)
    return user


@pytest.fixture(scope="module")
def ready_id(anna: User) -> int:
    """That order's row."""
    return int(anna.rows()[0]["id"])


def got(simulator: SimulatorThread, anna: User, ready_id: int, kind: str) -> bytes:
    """A download that meets a fault."""
    simulator.fault("download", kind)
    answer = anna.download(ready_id)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    return answer.content


@pytest.mark.parametrize("kind", ROOTS)
def test_a_paper_in_place_of_the_extract_has_its_root_and_names_its_object(
    simulator: SimulatorThread, anna: User, ready_id: int, kind: str
) -> None:
    root, said = ROOTS[kind]

    with zipfile.ZipFile(io.BytesIO(got(simulator, anna, ready_id, kind))) as archive:
        [xml] = [archive.read(name).decode() for name in archive.namelist() if name.endswith(".xml")]

    assert re.search(rf"<{root}[ >]", xml)
    assert said in xml


def test_every_kind_is_explained_and_comes_the_same_twice(
    simulator: SimulatorThread, anna: User, ready_id: int
) -> None:
    said = simulator.get("/faults/kinds")["one"]["download"]

    for kind in odd.PACKED.keys() - {"bomb_zip"}:
        assert said[kind]
        assert got(simulator, anna, ready_id, kind) == got(simulator, anna, ready_id, kind), kind


@pytest.mark.parametrize(("kind", "encoding"), [("cp866_names_zip", "cp866"), ("cp1251_names_zip", "cp1251")])
def test_names_can_be_in_an_old_encoding_without_its_flag(
    simulator: SimulatorThread, anna: User, ready_id: int, kind: str, encoding: str
) -> None:
    content = got(simulator, anna, ready_id, kind)

    name = f"Выписка из ЕГРН {ROOM.replace(':', '_')}.xml"
    assert content.count(name.encode(encoding)) == 2
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entry = archive.infolist()[0]
        assert not entry.flag_bits & 0x800
        assert entry.filename.encode("cp437").decode(encoding) == name
        assert archive.testzip() is None


def test_an_encrypted_archive_and_an_old_extract(simulator: SimulatorThread, anna: User, ready_id: int) -> None:
    with zipfile.ZipFile(io.BytesIO(got(simulator, anna, ready_id, "encrypted_zip"))) as archive:
        assert archive.infolist()[0].flag_bits & 1
    with zipfile.ZipFile(io.BytesIO(got(simulator, anna, ready_id, "older_zip"))) as archive:
        xml = archive.read(archive.namelist()[0]).decode()
    formed = re.search(r"<date_formation>(\d{4})", xml)
    received = re.search(r"<date_received_request>(\d{4})", xml)
    assert formed is not None
    assert received is not None
    assert int(formed[1]) < int(received[1])


def test_what_is_no_archive_is_served_as_one(simulator: SimulatorThread, anna: User, ready_id: int) -> None:
    assert got(simulator, anna, ready_id, "bare_pdf").startswith(b"%PDF")
    assert got(simulator, anna, ready_id, "bare_page").startswith(b"<!DOCTYPE html>")


def test_an_object_can_always_end_with_a_paper(simulator: SimulatorThread) -> None:
    simulator.post("/objects", cad_num=BUILD, paper="refusal_zip")
    user = simulator.bound("user_0")
    user.order(BUILD)

    answer = user.download(user.rows()[0]["id"])

    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert b"exract_decision_refuse_provide_info" in archive.read(archive.namelist()[0])


@pytest.mark.parametrize("body", [{"paper": "napkin"}, {"script": [1]}, {"script": [{"at_s": 0}]}])
def test_an_object_that_makes_no_sense_is_refused(simulator: SimulatorThread, body: dict[str, object]) -> None:
    assert simulator.ask("POST", "/objects", {"cad_num": BUILD, **body}).status_code == 400


def test_an_order_shows_its_script_and_its_file_when_that_says_so(simulator: SimulatorThread) -> None:
    script = [
        {"at_s": 0, "status_code": "new", "request_status": "Новая"},
        {"at_s": 100, "status_code": "odd", "request_status": "Что-то странное"},
        {"at_s": 200, "status_code": "processed", "request_status": "Выполнено"},
    ]
    simulator.post("/objects", cad_num=LAND, script=script)
    simulator.post("/settings", session_ttl_s=1e6)
    user = simulator.bound("user_1")
    user.order(LAND)
    seen = []

    for pass_s in (0, 50, 100, 100):
        simulator.post("/time", pass_s=pass_s)
        row = user.rows()[0]
        seen.append((row["statusCode"], user.download(row["id"]).status_code))

    assert seen == [("new", 404), ("new", 404), ("odd", 404), ("processed", 200)]


def test_the_stages_on_the_way_are_a_setting(simulator: SimulatorThread) -> None:
    simulator.post("/settings", ready_after=1000, stages="0.5:a:Первая; 1:b:Вторая", session_ttl_s=1e6)
    user = simulator.bound("user_2")
    user.order(ROOM)
    seen = []

    for pass_s in (0, 600, 500):
        simulator.post("/time", pass_s=pass_s)
        seen.append(user.rows()[0]["requestStatus"])

    assert seen == ["Первая", "Вторая", "Выполнено"]
    assert simulator.ask("POST", "/settings", {"stages": "half:a:b"}).status_code == 400


@pytest.mark.parametrize("row", [{}, None, [], 1, "x", {"id": None}, {"id": 2**64, "requestNumber": 1}])
def test_a_row_can_be_anything(simulator: SimulatorThread, row: object) -> None:
    user = simulator.bound("user_3")
    simulator.post("/rows", account="user_3", rows=[row])
    simulator.post("/rows", account="user_3", rows=["at the end"], last=True)

    page: dict[str, Any] = user.page().json()

    assert page["content"] == [row, "at the end"]
    assert (page["numberOfElements"], page["totalElements"], page["last"]) == (2, 2, True)


def test_a_literal_row_is_found_by_its_own_numbers(simulator: SimulatorThread) -> None:
    user = simulator.bound("user_4")
    row = {"id": 1, "requestNumber": "80-1", "cadastralNumber": LAND}
    simulator.post("/rows", account="user_4", rows=[row, {"id": 2}])

    assert user.rows(cadastralNumber=LAND) == [row]
    assert user.rows(requestNumber="80-1") == [row]
    assert user.rows(requestNumber="80-2") == []


def test_a_real_row_can_be_printed_otherwise(simulator: SimulatorThread) -> None:
    user = simulator.bound("user_5")
    user.order(ROOM)
    id_ = user.rows()[0]["id"]

    simulator.post(f"/orders/{id_}", set={"id": str(id_), "statusCode": None}, drop=["createDate"])

    row = user.rows()[0]
    assert (row["id"], row["statusCode"], "createDate" in row) == (str(id_), None, False)
    assert user.download(id_).status_code == 200


def test_unfinished_statements_can_show_as_rows_without_an_id(simulator: SimulatorThread) -> None:
    user = simulator.bound("user_6")
    user.draft(ROOM)
    user.order(LAND)
    assert len(user.rows()) == 1

    simulator.post("/settings", list_drafts=True)

    draft = user.rows()[0]
    assert (draft["id"], draft["requestNumber"], draft["cadastralNumber"]) == (None, None, ROOM)
    assert [row["cadastralNumber"] for row in user.rows(cadastralNumber=LAND)] == [LAND]
