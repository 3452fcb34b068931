"""WorkerService's messages: to what the use cases take, and back."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from orders_service import errors
from orders_service.api.grpc.messages import read_time, time_message
from orders_service.api.grpc.words import STANDBY_KINDS, STATES
from orders_service.domain import facts
from orders_service.domain.orders import Holder, NewSubmission, OrderInHand, Send, Submission
from orders_service.domain.strikes import Trouble
from orders_service.v1 import worker_pb2 as v1

if TYPE_CHECKING:
    from orders_service.life.opening import OpenedAccount

#: Fences are microseconds (those below are over in the year 2112). A greater one would leave no room to be overtaken,
#: and its order could never be claimed again.
FENCE_END = 2**52


def read_holder(message: v1.OrderHolder) -> Holder:
    """Return who decides.

    Raises:
        InvalidInput: Something of it is missing.
    """
    violations = [
        errors.Violation(field=f"holder.{field}", rule="is required.")
        for field in ("account", "order_id", "fence", "token")
        if not getattr(message, field)
    ]
    if not 0 <= message.fence < FENCE_END:
        violations.append(errors.Violation(field="holder.fence", rule="must be above 0 and below 2^52."))
    if violations:
        raise errors.InvalidInput(violations)
    return Holder(
        username=message.account,
        epoch=message.epoch,
        order_id=message.order_id,
        fence=message.fence,
        token=message.token,
    )


def read_uuid(text: str, field: str) -> uuid.UUID:
    """Return a uuid.

    Raises:
        InvalidInput: It isn't one.
    """
    try:
        return uuid.UUID(text)
    except ValueError as exc:
        raise errors.InvalidInput.of(field, f"must be a uuid, not {text!r}.") from exc


def read_submission(message: v1.OrderSubmission) -> NewSubmission:
    """Return what is meant to be submitted.

    Raises:
        InvalidInput: A uuid isn't one, or something is missing.
    """
    violations = [
        errors.Violation(field=f"submission.{field}", rule="is required.")
        for field in ("person_oid", "access_key", "portal_cad_num")
        if not getattr(message, field)
    ]
    if violations:
        raise errors.InvalidInput(violations)
    return NewSubmission(
        super_package_guid=read_uuid(message.super_package_guid, "submission.super_package_guid"),
        statement_guid=read_uuid(message.statement_guid, "submission.statement_guid"),
        package_guid=read_uuid(message.package_guid, "submission.package_guid"),
        draft_guid=read_uuid(message.draft_guid, "submission.draft_guid"),
        person_oid=message.person_oid,
        access_key=message.access_key,
        balance=message.balance,
        portal_cad_num=message.portal_cad_num,
        known_application_ids=tuple(message.known_application_ids),
    )


def read_trouble(message: v1.OrderTrouble) -> Trouble:
    """Return what an order met."""
    return Trouble(step=message.step, limit=message.limit)


def read_row(message: v1.ApplicationRow) -> facts.ApplicationRow:
    """Return a row of the account's list."""
    return facts.ApplicationRow(
        application_id=message.application_id,
        order_number=message.order_number.strip(),
        cad_num=message.cad_num,
        status_code=message.status_code,
        request_status=message.request_status,
    )


def read_fact(request: v1.RecordFactRequest) -> facts.Fact:
    """Return the fact that is told.

    Raises:
        InvalidInput: There is none.
    """
    match request.WhichOneof("fact"):
        case "finish_answer":
            answer = request.finish_answer
            return facts.FinishAnswer(
                http_status=answer.http_status,
                text=answer.text,
                expected_number=answer.expected_number.strip(),
            )
        case "not_sent":
            return facts.NotSent(reason=request.not_sent.reason)
        case "refusal":
            refusal = request.refusal
            return facts.PortalRefusal(step=refusal.step, http_status=refusal.http_status, text=refusal.text)
        case "reading":
            return _read_reading(request.reading)
    raise errors.InvalidInput.of("fact", "is required: finish_answer, not_sent, refusal or reading.")


def duration_message(seconds: float | None) -> Duration | None:
    """Return a span of time, unset for None."""
    if seconds is None:
        return None
    message = Duration()
    message.FromMicroseconds(round(seconds * 1_000_000))
    return message


def account_message(opened: OpenedAccount) -> v1.WorkerAccount:
    """Return the account with its sealed secrets, as its worker needs it."""
    account = opened.account
    return v1.WorkerAccount(
        account_id=account.id,
        account=account.username,
        login=account.gu_login or account.username,
        sealed_password=account.password_encrypted or "",
        sealed_session=account.session_encrypted or "",
        sealed_totp=account.totp_encrypted or "",
        session_imported_at=time_message(account.session_imported_at),
        declarant_category=account.declarant_category or "",
        role=account.portal_role or "",
        epoch=account.epoch,
        can_take_new=account.can_take_new,
        why_not=account.refusal[1] if account.refusal is not None else "",
        standby_kind=STANDBY_KINDS.value(account.standby_kind),
        standby_until=time_message(account.standby_until),
        open_orders=opened.open_orders,
        updated_at=time_message(account.updated_at),
        standby_left=duration_message(account.standby_left_s),
        passwords_sent=account.passwords_sent,
        password_age=duration_message(account.password_age_s),
        secrets_version=account.secrets_version,
    )


def order_message(answered: OrderInHand) -> v1.OrderInHand:
    """Return the order as its holder sees it."""
    order = answered.order
    return v1.OrderInHand(
        order_id=order.id,
        cad_num=order.cad_num,
        state=STATES.value(order.state.value),
        is_bound=answered.is_bound_here,
        submission=_submission_message(answered.submission, answered.was_sent) if answered.submission else None,
        open_send=_send_message(answered.open_send, answered.counted_readings) if answered.open_send else None,
        order_number=order.number or "",
        application_id=order.application_id or 0,
        hold_reason=order.hold_reason or "",
        lane=order.lane,
        next_at=time_message(order.next_at),
        as_of=time_message(answered.as_of),
        is_look_due=answered.is_look_due,
    )


def _read_reading(message: v1.ListReading) -> facts.ListReading:
    if not message.HasField("begun_at"):
        raise errors.InvalidInput.of("reading.begun_at", "is required: as_of of the last answer before the reading.")
    return facts.ListReading(
        begun_at=read_time(message.begun_at, "reading.begun_at"),
        person_oid=message.person_oid,
        is_unfiltered=message.is_unfiltered,
        is_complete=message.is_complete,
        balance=message.balance if message.HasField("balance") else None,
        rows=tuple(read_row(row) for row in message.rows),
        rows_in_all=message.rows_in_all,
    )


def _submission_message(submission: Submission, was_sent: bool) -> v1.OrderSubmission:
    return v1.OrderSubmission(
        super_package_guid=str(submission.super_package_guid),
        statement_guid=str(submission.statement_guid),
        package_guid=str(submission.package_guid),
        draft_guid=str(submission.draft_guid),
        person_oid=submission.person_oid,
        access_key=submission.access_key,
        balance=submission.balance,
        portal_cad_num=submission.portal_cad_num,
        known_application_ids=submission.known_application_ids,
        is_uploaded=submission.uploaded_at is not None,
        was_sent=was_sent,
    )


def _send_message(send: Send, counted_readings: int) -> v1.OrderSend:
    return v1.OrderSend(
        send_id=str(send.send_id),
        gate_at=time_message(send.gate_at),
        expected_number=send.expected_number or "",
        counted_readings=counted_readings,
        absent_from=time_message(send.absent_from),
    )
