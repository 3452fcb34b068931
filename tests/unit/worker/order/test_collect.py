"""Phase two: which row, which status, which paper, and what becomes of each."""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from orders_service.v1 import orders_pb2, rosreestr_users_pb2
from rosq import Fail, Snooze
from tests.unit.worker.doubles import CAD_NUM, NUMBER, delivery, row
from tests.unit.worker.order.test_register import given_intent
from worker.errors import PaperBroken
from worker.portal.errors import DocumentNotReady, LoginRefused, Outage, PortalUnavailable

if TYPE_CHECKING:
    from tests.unit.worker.conftest import Bench

READY = ("processed", "Выполнено")


def given_registered(bench: Bench) -> None:
    bench.service.order.state = orders_pb2.ORDER_STATE_REGISTERED
    bench.service.order.order_number = NUMBER
    bench.service.order.application_id = 900001
    bench.service.was_sent = True
    bench.service.bind()


def pack(cad_num: str, root: str = "extract_about_property_room") -> bytes:
    xml = f"""<?xml version="1.0" encoding="UTF-8"?>
<{root}>
  <details_statement><group_top_requisites>
    <date_formation>2026-01-15</date_formation>
    <registration_number>КУВИ-001/2026-00000001</registration_number>
  </group_top_requisites></details_statement>
  <room_record><object><common_data><cad_number>{cad_num}</cad_number></common_data></object></room_record>
</{root}>"""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("report.xml", xml)
        archive.writestr("report.pdf", b"%PDF-1.4")
    return packed.getvalue()


def test_the_checked_extract_is_handed_over_whole(bench: Bench) -> None:
    given_registered(bench)
    bench.portal.rows.append(row(status=READY))
    bench.portal.paper = pack(CAD_NUM)

    signal = bench.run(delivery(lane="@a1"))

    assert signal is None
    [header] = bench.service.requests["UploadPaper"]
    assert header.kind == orders_pb2.PAPER_KIND_EXTRACT
    assert header.sha256 == hashlib.sha256(bench.portal.paper).hexdigest()
    assert header.size_bytes == len(bench.portal.paper)
    assert (header.cad_num, header.registration_number) == (CAD_NUM, "КУВИ-001/2026-00000001")
    assert header.formed_on == "2026-01-15"
    assert f"{header.row.status_code} / {header.row.request_status}" == " / ".join(READY)
    assert bench.service.requests["chunks"] == [bench.portal.paper]
    assert bench.log.index("portal.download") < bench.log.index("during_download") < bench.log.index("UploadPaper")


@pytest.mark.parametrize("status", [("processing", "В работе"), ("processed", "В работе"), ("new", "Неизвестно")])
def test_every_pair_that_is_not_final_means_not_ready(bench: Bench, status: tuple[str, str]) -> None:
    given_registered(bench)
    bench.portal.rows.append(row(status=status))

    signal = bench.run(delivery(lane="@a1"))

    assert isinstance(signal, Snooze)
    assert (signal.lane, signal.delay_s) == ("@a1", bench.settings.check_interval_s)
    [check] = bench.service.requests["RecordCheck"]
    assert (check.row.status_code, check.row.request_status) == status


@pytest.mark.parametrize("status", [("rejected", "Отказ"), ("error", "Ошибка")])
def test_a_refusal_of_the_registry_fails_the_order_with_its_text(bench: Bench, status: tuple[str, str]) -> None:
    given_registered(bench)
    bench.portal.rows.append(row(status=status))

    assert bench.run(delivery(lane="@a1")) is None
    [verdict] = bench.service.requests["FailOrder"]
    assert (verdict.reason, verdict.is_portal_verdict) == (status[1], True)


def test_a_row_that_is_not_there_is_waited_for(bench: Bench) -> None:
    given_registered(bench)
    bench.portal.rows.append(row(5, number="OfSite-2020-01-01-111111-77-01", status=READY))

    signal = bench.run(delivery(lane="@a1"))

    assert isinstance(signal, Snooze)
    assert not bench.service.requests["RecordCheck"][0].HasField("row")
    assert "portal.download" not in bench.log


def test_a_row_of_another_object_is_a_persons_business(bench: Bench) -> None:
    given_registered(bench)
    bench.portal.rows.append(row(cad_num="77:01:0001001:9", status=READY))

    signal = bench.run(delivery(lane="@a1"))

    assert isinstance(signal, Fail)
    assert bench.service.order.state == orders_pb2.ORDER_STATE_REGISTERED
    assert "portal.download" not in bench.log


def test_another_spelling_is_the_same_object(bench: Bench) -> None:
    given_registered(bench)
    bench.portal.rows.append(row(cad_num="77:01:1001:1001", status=READY))
    bench.portal.paper = pack("77:01:1001:1001")

    assert bench.run(delivery(lane="@a1")) is None
    assert bench.service.order.state == orders_pb2.ORDER_STATE_COMPLETED


def test_a_paper_of_another_object_is_put_aside_and_never_a_result(bench: Bench) -> None:
    given_registered(bench)
    bench.portal.rows.append(row(status=READY))
    bench.portal.paper = pack("77:01:0001001:9")

    signal = bench.run(delivery(lane="@a1"))

    assert isinstance(signal, Fail)
    assert bench.service.requests["UploadPaper"][0].kind == orders_pb2.PAPER_KIND_QUARANTINED


def test_a_notice_is_kept_for_the_client(bench: Bench) -> None:
    given_registered(bench)
    bench.portal.rows.append(row(status=READY))
    bench.portal.paper = pack(CAD_NUM, root="exract_notice_absence_request_info_12")

    assert bench.run(delivery(lane="@a1")) is None
    [header] = bench.service.requests["UploadPaper"]
    assert header.kind == orders_pb2.PAPER_KIND_NOTICE
    assert header.reason


def test_a_broken_paper_is_brought_again_and_spends_an_attempt(bench: Bench) -> None:
    given_registered(bench)
    bench.portal.rows.append(row(status=READY))
    bench.portal.paper = pack(CAD_NUM)[:-40]

    with pytest.raises(PaperBroken):
        bench.run(delivery(lane="@a1"))

    assert "UploadPaper" not in bench.log
    assert bench.service.order.state == orders_pb2.ORDER_STATE_REGISTERED


def test_a_paper_that_stays_broken_is_a_persons_business(bench: Bench) -> None:
    given_registered(bench)
    bench.portal.rows.append(row(status=READY))
    bench.portal.paper = pack(CAD_NUM)[:-40]

    signal = bench.run(delivery(lane="@a1", is_last=True))

    assert isinstance(signal, Fail)
    assert bench.service.order.hold_reason
    assert bench.service.order.state == orders_pb2.ORDER_STATE_REGISTERED


def test_a_paper_that_is_ready_and_not_there_is_waited_for_and_counted(bench: Bench) -> None:
    given_registered(bench)
    bench.portal.rows.append(row(status=READY))
    bench.portal.raising["download"] = [DocumentNotReady()]

    signal = bench.run(delivery(lane="@a1"))

    assert isinstance(signal, Snooze)
    [put_down] = bench.service.requests["ReleaseOrder"]
    assert put_down.trouble.step
    assert "RecordCheck" not in bench.log, "by that it would be well, for ever"


def given_a_look(bench: Bench) -> None:
    """An order that is over, and that this account had sent in vain before."""
    given_intent(bench, is_uploaded=True)
    bench.service.order.state = orders_pb2.ORDER_STATE_COMPLETED
    bench.service.order.is_look_due = True
    bench.service.order.lane = "@another"


def test_an_order_that_is_over_is_looked_for_once_more_in_the_whole_list(bench: Bench) -> None:
    given_a_look(bench)

    assert bench.run(delivery(lane="@a1")) is None

    [fact] = bench.service.requests["RecordFact:reading"]
    assert fact.reading.is_unfiltered
    assert "ReleaseOrder" not in bench.log, "it never was in hand"


@pytest.mark.parametrize("trouble", ["portal", "login", "account"])
def test_a_look_that_cant_be_made_ends_its_job_and_the_service_calls_for_it_again(bench: Bench, trouble: str) -> None:
    given_a_look(bench)
    if trouble == "portal":
        bench.portal.raising["list"] = [PortalUnavailable("HTTP 500", outage=Outage.SERVER_ERROR)]
    elif trouble == "account":
        bench.portal.raising["list"] = [LoginRefused()]
    else:
        bench.service.account.can_take_new = False
        bench.service.account.standby_kind = rosreestr_users_pb2.STANDBY_KIND_LOGIN_REFUSED

    assert bench.run(delivery(lane="@a1")) is None

    assert "ReleaseOrder" not in bench.log


def test_a_look_that_a_defect_ends_is_left_to_another_day_and_spends_no_attempt(bench: Bench) -> None:
    """Nobody counts its strikes: each minute a whole list, it used up the person's calls of the day."""
    given_a_look(bench)
    bench.service.order.ClearField("submission")

    assert bench.run(delivery(lane="@a1", is_last=True)) is None

    assert "ReleaseOrder" not in bench.log
