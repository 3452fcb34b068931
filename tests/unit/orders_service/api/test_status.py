"""From errors to what a caller sees."""

from __future__ import annotations

import logging
import re
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2

import orders_service
from orders_service import errors
from orders_service.api.grpc.status import TABLE, code_of, reason_of, status_of
from orders_service.v1 import errors_pb2, operator_pb2, worker_pb2

if TYPE_CHECKING:
    from google.rpc import status_pb2

M = TypeVar("M", bound=Message)

#: Errors of commands: no call of a service raises them.
_NOT_OF_CALLS = {
    errors.OrdersServiceError,
    errors.SettingsInvalid,
    errors.MigrationFailed,
    errors.MigrationChanged,
    errors.Unsafe,
}
#: Of each kind of error one that a call may meet.
MET: tuple[errors.OrdersServiceError, ...] = (
    errors.InvalidInput.of("cad_num", "is wrong."),
    errors.NotFound("order", 7),
    errors.NotFound("account", "a"),
    errors.NotFound("paper", "x", field="sha256"),
    errors.NotFound("webhook", "crm", field="webhook_name"),
    errors.PaperDamaged(7),
    errors.AccountExists("a"),
    errors.SamePerson("a", "b"),
    errors.KeyTaken([errors.Violation(field="f", rule="r")], {"index": 0}),
    errors.Refused("WRONG_STATE", "Not now.", state="queued"),
    errors.Unauthenticated("NO_TOKEN", "Who are you?"),
    errors.Unauthenticated("TOKEN_UNKNOWN", "Who are you?"),
    errors.Unauthenticated("TOKEN_REVOKED", "Who are you?"),
    errors.Unauthenticated("TOKEN_ENDED", "Who are you?"),
    errors.Forbidden("ROLE_FORBIDDEN", "Not you."),
    errors.Forbidden("ACCOUNT_FORBIDDEN", "Not you."),
    errors.TooManyCalls(0.5),
    errors.TooLong("OrdersService/GetOrder", 70_000, 65_536),
    errors.TooSlow("OrdersService/GetOrder", idle_s=30, max_s=30),
    errors.DatabaseUnavailable("PostgreSQL at 10.0.0.1 is away."),
    errors.DatabaseUnavailable("PostgreSQL at 10.0.0.1 went away.", is_outcome_unknown=True),
    errors.StoreUnavailable("s3://papers at 10.0.0.1 is away."),
    errors.DatabaseUnfit("PostgreSQL at 10.0.0.1 forgets."),
)


def all_errors(
    kind: type[errors.OrdersServiceError] = errors.OrdersServiceError,
) -> set[type[errors.OrdersServiceError]]:
    own = {one for one in kind.__subclasses__() if one.__module__ == errors.__name__}
    return {kind}.union(*(all_errors(one) for one in own))


def detail_of(status: status_pb2.Status, kind: type[M]) -> M | None:
    message = kind()
    return message if any(detail.Unpack(message) for detail in status.details) else None


def info_of(error: Exception) -> error_details_pb2.ErrorInfo:
    info = detail_of(status_of(error, "/test"), error_details_pb2.ErrorInfo)
    assert info is not None
    return info


def known_reasons() -> set[str]:
    enums = (
        (errors_pb2.ErrorReason, "ERROR_REASON_"),
        (worker_pb2.RefusalReason, "REFUSAL_REASON_"),
        (operator_pb2.DecisionRefusal, "DECISION_REFUSAL_"),
    )
    return {name.removeprefix(prefix) for enum, prefix in enums for name in enum.keys()}  # noqa: SIM118


def test_every_error_that_a_call_can_raise_has_its_code() -> None:
    mapped = {kind for kind, _, _ in TABLE} | {errors.AlreadyExists}

    unmapped = {kind for kind in all_errors() - _NOT_OF_CALLS if not any(issubclass(kind, one) for one in mapped)}

    assert unmapped == set()


def test_a_more_special_error_never_stands_behind_a_more_general_one() -> None:
    for index, (kind, _, _) in enumerate(TABLE):
        assert not any(issubclass(later, kind) for later, _, _ in TABLE[index + 1 :])


@pytest.mark.parametrize("error", [*MET, ZeroDivisionError()], ids=lambda error: type(error).__name__)
def test_every_error_has_a_reason_of_the_contract_for_machines(error: Exception) -> None:
    info = info_of(error)

    assert info.domain == "orders_service"
    assert info.reason == reason_of(error)
    assert info.reason in known_reasons() - {"UNSPECIFIED"}


def test_every_reason_of_the_contract_is_given_by_some_error() -> None:
    general = {name.removeprefix("ERROR_REASON_") for name in errors_pb2.ErrorReason.keys()}  # noqa: SIM118

    assert general - {reason_of(error) for error in (*MET, ZeroDivisionError())} == {"UNSPECIFIED"}


@pytest.mark.parametrize(
    ("error", "metadata"),
    [
        (errors.NotFound("order", 7), {"order_id": "7"}),
        (errors.NotFound("account", 9, field="account_id"), {"account_id": "9"}),
        (errors.NotFound("order", "k", field="idempotency_key", told="with the key 'k'"), {"idempotency_key": "k"}),
        (errors.AccountExists("a"), {"account": "a"}),
        (errors.SamePerson("a", "b"), {"account": "a"}),
        (
            errors.InvalidInput([errors.Violation(field="f", rule="r")] * 3, bad_rows=2),
            {"violations": "3", "bad_rows": "2"},
        ),
        (errors.Refused("WRONG_STATE", "Not now.", account="a"), {"account": "a"}),
    ],
)
def test_what_an_error_is_about_is_beside_its_reason(error: Exception, metadata: dict[str, str]) -> None:
    assert dict(info_of(error).metadata) == metadata


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("WRONG_STATE", grpc.StatusCode.FAILED_PRECONDITION),
        ("ORDER_UNKNOWN", grpc.StatusCode.NOT_FOUND),
        ("ACCOUNT_UNKNOWN", grpc.StatusCode.NOT_FOUND),
    ],
)
def test_a_refusal_has_its_code(reason: str, code: grpc.StatusCode) -> None:
    status = status_of(errors.Refused(reason, "Not now."), "/test")

    assert (status.code, status.message) == (code.value[0], "Not now.")


@pytest.mark.parametrize("is_outcome_unknown", [False, True])
def test_a_database_that_is_away_is_never_told_as_nothing_stored_and_says_when_to_repeat(
    is_outcome_unknown: bool, caplog: pytest.LogCaptureFixture
) -> None:
    error = errors.DatabaseUnavailable("PostgreSQL at 10.0.0.1:5432 is away.", is_outcome_unknown=is_outcome_unknown)

    status = status_of(error, "/test")

    assert code_of(error) is grpc.StatusCode.UNAVAILABLE
    assert reason_of(error) == ("OUTCOME_UNKNOWN" if is_outcome_unknown else "DATABASE_UNAVAILABLE")
    assert "epeat the same call" in status.message
    assert "nothing was stored" not in status.message
    retry = detail_of(status, error_details_pb2.RetryInfo)
    assert retry is not None
    assert retry.retry_delay.seconds > 0
    assert "10.0.0.1" not in str(status), "where the database is, is for the log"
    assert "10.0.0.1" in str(vars(caplog.records[-1]))


def test_no_sentence_of_the_contract_promises_that_nothing_was_stored_by_a_lost_call() -> None:
    folder = Path(orders_service.__file__).parents[1] / "proto" / "orders_service" / "v1"
    protos = sorted(folder.glob("*.proto"))

    assert protos, "the contract is somewhere else"
    for text in (path.read_text(encoding="utf-8") for path in protos):
        assert not re.search(r"UNAVAILABLE[^.]*nothing was stored", text)


@pytest.mark.parametrize("kind", [errors.InvalidInput, errors.KeyTaken])
def test_broken_rules_fit_into_trailers_however_many_and_long(
    kind: type[errors.InvalidInput | errors.KeyTaken],
) -> None:
    violations = [errors.Violation(field=f"orders[{n}].cad_num", rule="Неверный номер " * 40) for n in range(1000)]
    metadata = {"idempotency_key": "ы" * 200, "index": 3}
    error = errors.KeyTaken(violations, metadata) if kind is errors.KeyTaken else errors.InvalidInput(violations)

    status = status_of(error, "/test")

    details = status.SerializeToString()
    assert len(urllib.parse.quote(status.message)) + len(details) * 4 / 3 < 8000
    request = detail_of(status, error_details_pb2.BadRequest)
    assert request is not None
    assert request.field_violations[0].field == "orders[0].cad_num"


def test_what_isnt_in_the_table_tells_the_caller_nothing_and_the_log_everything(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        status = status_of(ZeroDivisionError("a secret"), "/test")

    assert code_of(ZeroDivisionError()) is grpc.StatusCode.INTERNAL
    assert "secret" not in str(status)
    (record,) = caplog.records
    assert record.exc_info is not None
