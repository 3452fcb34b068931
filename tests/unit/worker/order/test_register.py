"""Phase one, up to the number: in which order things happen, and what is never done twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orders_service.v1 import orders_pb2, rosreestr_users_pb2, worker_pb2
from rosq import Release, Snooze
from tests.unit.worker.doubles import CAD_NUM, KEY, NUMBER, PERSON, refusal, row
from worker.portal.errors import Outage, PortalUnavailable, RateLimited
from worker.portal.wire.budget import ORDER_CALLS

if TYPE_CHECKING:
    from tests.unit.worker.conftest import Bench


def given_intent(bench: Bench, *, is_uploaded: bool = False, was_sent: bool = False, person: str = PERSON) -> None:
    bench.service.order.state = orders_pb2.ORDER_STATE_PROCESSING
    bench.service.order.submission.CopyFrom(
        worker_pb2.OrderSubmission(
            super_package_guid="11111111-1111-4111-8111-111111111111",
            statement_guid="22222222-2222-4222-8222-222222222222",
            package_guid="33333333-3333-4333-8333-333333333333",
            draft_guid="44444444-4444-4444-8444-444444444444",
            person_oid=person,
            access_key=KEY,
            balance=87,
            portal_cad_num=CAD_NUM,
            is_uploaded=is_uploaded,
            was_sent=was_sent,
        )
    )
    bench.service.was_sent = was_sent
    bench.service.bind()


def test_an_order_goes_from_the_claim_to_its_number_in_the_one_right_order(bench: Bench) -> None:
    signal = bench.run()

    assert bench.log == [
        "OpenAccount",
        "ClaimOrder",
        "after_claim",
        "ReadAccount",
        "portal.search",
        "portal.cards",
        "portal.balance",
        "portal.access_key",
        "portal.profile",
        "portal.list",
        "RecordIntent",
        "after_intent",
        "portal.upload",
        "RecordUpload",
        "after_upload",
        "portal.prepare",
        "portal.open",
        "before_gate",
        "PassGate",
        "after_gate",
        "portal.send",
        "portal.close",
        "after_finish",
        "RecordFact:finish_answer",
        "portal.list_filtered",
        "RecordFact:reading",
        "after_number",
        "ReleaseOrder",
    ]
    assert isinstance(signal, Snooze)
    assert signal.lane == "@a1"
    assert signal.delay_s == bench.settings.first_check_s
    assert bench.service.order.order_number == NUMBER


def test_the_rows_that_were_there_before_are_journalled_as_known(bench: Bench) -> None:
    bench.portal.rows.append(row(11, number="OfSite-2020-01-01-111111-77-01"))

    bench.run()

    [intent] = bench.service.requests["RecordIntent"]
    assert list(intent.submission.known_application_ids) == [11]


def test_nothing_is_begun_while_the_list_cannot_be_read_to_its_end(bench: Bench) -> None:
    bench.portal.is_complete = False

    signal = bench.run()

    assert isinstance(signal, Snooze)
    assert "RecordIntent" not in bench.log
    assert "portal.upload" not in bench.log


def test_the_paid_call_is_made_from_what_the_journal_keeps(bench: Bench) -> None:
    given_intent(bench)

    bench.run()

    [sent] = bench.portal.sent
    assert sent.super_package_guid == "11111111-1111-4111-8111-111111111111"
    assert bench.portal.uploads[0].guids.draft == "44444444-4444-4444-8444-444444444444"


def test_an_uploaded_statement_is_not_uploaded_again(bench: Bench) -> None:
    given_intent(bench, is_uploaded=True)

    bench.run()

    assert "portal.upload" not in bench.log
    assert "portal.search" not in bench.log
    assert bench.log.index("portal.balance") < bench.log.index("RecordIntent") < bench.log.index("PassGate")
    assert len(bench.portal.sent) == 1


def test_a_statement_with_another_key_is_uploaded_again_before_the_gate(bench: Bench) -> None:
    given_intent(bench, is_uploaded=True)
    bench.service.order.submission.access_key = "00000000-0000-4000-8000-000000000000"

    bench.run()

    assert bench.log.index("portal.upload") < bench.log.index("PassGate")
    assert bench.portal.uploads[0].access_key == KEY


def test_before_a_second_send_the_list_is_read_and_weighed(bench: Bench) -> None:
    given_intent(bench, is_uploaded=True, was_sent=True)

    bench.run()

    reading = bench.service.requests["RecordFact:reading"][0].reading
    assert reading.is_unfiltered
    assert reading.is_complete
    assert reading.balance == 87
    assert bench.log.index("RecordFact:reading") < bench.log.index("RecordIntent") < bench.log.index("PassGate")


def test_a_row_that_turns_up_late_ends_the_second_send_before_it_begins(bench: Bench) -> None:
    given_intent(bench, is_uploaded=True, was_sent=True)
    bench.portal.rows.append(row())

    signal = bench.run()

    assert isinstance(signal, Snooze)
    assert bench.portal.sent == []
    assert bench.service.order.state == orders_pb2.ORDER_STATE_REGISTERED


def test_a_late_row_is_found_although_it_took_the_accounts_last_order(bench: Bench) -> None:
    """An account that is used up can't send again, but what it was charged for is in its list."""
    given_intent(bench, is_uploaded=True, was_sent=True)
    bench.portal.orders_left = 0
    bench.portal.rows.append(row())

    bench.run()

    assert bench.service.order.order_number == NUMBER
    assert "portal.send" not in bench.log


def test_that_the_account_is_another_person_is_said_to_the_service_which_lets_it_stand_by(bench: Bench) -> None:
    """Only what the service learns by an intent can be confirmed by a person: a mark of the worker's own comes back."""
    given_intent(bench, is_uploaded=True, was_sent=True, person="2000000002")
    bench.service.script["RecordIntent"] = [refusal("ACCOUNT_ON_STANDBY")]

    signal = bench.run()

    assert isinstance(signal, Release)
    assert bench.portal.sent == []
    assert [intent.submission.person_oid for intent in bench.service.requests["RecordIntent"]] == [PERSON]
    assert "MarkAccount" not in bench.log


def test_an_empty_balance_marks_the_account_and_gives_the_order_to_others(bench: Bench) -> None:
    bench.portal.orders_left = 0

    signal = bench.run()

    mark = bench.service.requests["MarkAccount"][0]
    assert (mark.kind, mark.retry_in.seconds) == (rosreestr_users_pb2.STANDBY_KIND_EXHAUSTED, 1800)
    assert isinstance(signal, Release)
    assert signal.lane == "main"
    assert bench.service.order.state == orders_pb2.ORDER_STATE_QUEUED
    assert bench.account.lanes() == ("@a1",)


def test_an_upload_that_meets_a_5xx_is_repeated_with_the_same_statement(bench: Bench) -> None:
    trouble = PortalUnavailable("HTTP 500", outage=Outage.SERVER_ERROR, retry_after_s=0.01)
    bench.portal.raising["upload"] = [trouble, trouble]

    bench.run()

    assert bench.log.count("portal.upload") == 3
    assert bench.log.count("RecordIntent") == 1
    assert len(bench.portal.sent) == 1


def test_nothing_is_uploaded_when_the_intent_is_refused(bench: Bench) -> None:
    bench.service.script["RecordIntent"] = [refusal("STALE_FENCE")]

    bench.run()

    assert "portal.upload" not in bench.log
    assert bench.portal.sent == []


def test_no_order_is_begun_that_the_day_has_too_few_calls_for(bench: Bench) -> None:
    bench.portal.raising["need_calls"] = [RateLimited("the day's limit", retry_after_s=36_000.0)]

    signal = bench.run()

    assert isinstance(signal, Release)
    assert not [entry for entry in bench.log if entry.startswith("portal.")]
    assert bench.portal.needed == [ORDER_CALLS]
    [mark] = bench.service.requests["MarkAccount"]
    assert mark.kind == rosreestr_users_pb2.STANDBY_KIND_LIMITED
