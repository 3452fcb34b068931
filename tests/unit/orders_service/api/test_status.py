"""From errors to what a gRPC caller sees."""

from __future__ import annotations

import asyncio
import logging
import urllib.parse
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from orders_service import errors
from orders_service.api.grpc.status import CODES, DETAILS_KEY, code_of, translates_errors, translates_stream_errors

#: Errors of commands: no call of a service raises them.
_NOT_OF_CALLS = {errors.OrdersServiceError, errors.SettingsInvalid, errors.MigrationFailed, errors.MigrationChanged}


def all_errors(
    kind: type[errors.OrdersServiceError] = errors.OrdersServiceError,
) -> set[type[errors.OrdersServiceError]]:
    own = {one for one in kind.__subclasses__() if one.__module__ == errors.__name__}
    return {kind}.union(*(all_errors(one) for one in own))


class Context:
    """What a servicer's method is given, as far as errors need it."""

    def __init__(self) -> None:
        self.code: grpc.StatusCode | None = None
        self.details = ""
        self.trailing: dict[str, bytes] = {}

    async def abort(self, code: grpc.StatusCode, details: str, trailing_metadata: Any = ()) -> None:
        self.code, self.details, self.trailing = code, details, dict(trailing_metadata)
        raise grpc.aio.AbortError


class Servicer:
    """Fails with what it is given."""

    @translates_errors
    async def call(self, request: Exception, context: Context) -> None:
        raise request

    @translates_stream_errors
    async def stream(self, request: Exception, context: Context) -> Any:
        yield 1
        raise request


def fail_with(error: Exception) -> Context:
    context = Context()

    async def call() -> None:
        await Servicer().call(error, context)

    with pytest.raises(grpc.aio.AbortError):
        asyncio.run(call())
    return context


def test_every_error_that_a_call_can_raise_has_its_code() -> None:
    mapped = {kind for kind, _ in CODES}

    unmapped = {kind for kind in all_errors() - _NOT_OF_CALLS if not any(issubclass(kind, one) for one in mapped)}

    assert unmapped == set()


def test_a_more_special_error_never_stands_behind_a_more_general_one() -> None:
    for index, (kind, _) in enumerate(CODES):
        assert not any(issubclass(later, kind) for later, _ in CODES[index + 1 :])


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("WRONG_STATE", grpc.StatusCode.FAILED_PRECONDITION),
        ("ORDER_UNKNOWN", grpc.StatusCode.NOT_FOUND),
        ("ACCOUNT_UNKNOWN", grpc.StatusCode.NOT_FOUND),
    ],
)
def test_a_refusal_carries_its_reason_for_machines(reason: str, code: grpc.StatusCode) -> None:
    context = fail_with(errors.Refused(reason, "Not now.", account="a"))

    assert (context.code, context.details) == (code, "Not now.")
    status = status_pb2.Status.FromString(context.trailing[DETAILS_KEY])
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)) == (reason, "orders_service", {"account": "a"})
    assert (status.code, status.message) == (code.value[0], "Not now.")


def test_broken_rules_fit_into_trailers_however_many_and_long() -> None:
    violations = [errors.Violation(field=f"orders[{n}].cad_num", rule="Неверный номер " * 40) for n in range(1000)]

    context = fail_with(errors.InvalidInput(violations))

    details = context.trailing[DETAILS_KEY]
    assert len(urllib.parse.quote(context.details)) + len(details) * 4 / 3 < 8000
    request = error_details_pb2.BadRequest()
    assert status_pb2.Status.FromString(details).details[0].Unpack(request)
    assert request.field_violations[0].field == "orders[0].cad_num"


def test_what_isnt_in_the_table_tells_the_caller_nothing_and_the_log_everything(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        context = fail_with(ZeroDivisionError("a secret"))

    assert context.code is grpc.StatusCode.INTERNAL
    assert "secret" not in context.details
    (record,) = caplog.records
    assert record.exc_info is not None
    assert code_of(ZeroDivisionError()) is grpc.StatusCode.INTERNAL


def test_a_stream_that_breaks_off_ends_with_its_status() -> None:
    context = Context()
    got: list[int] = []

    async def read() -> None:
        async for one in Servicer().stream(errors.ExtractMissing(7), context):
            got.append(one)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(grpc.aio.AbortError):
        asyncio.run(read())
    assert (got, context.code) == ([1], grpc.StatusCode.DATA_LOSS)


def test_the_database_away_is_told_apart_from_a_service_that_isnt_there() -> None:
    context = fail_with(errors.DatabaseUnavailable("PostgreSQL is away."))

    assert context.code is grpc.StatusCode.UNAVAILABLE
    assert DETAILS_KEY in context.trailing
