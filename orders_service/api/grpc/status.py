"""From an error of ours to what a caller sees: one table, for every call, by gRPC and otherwise.

A caller gets one sentence, and for machines google.rpc.ErrorInfo (the reason), google.rpc.BadRequest (each field with
its rule) and google.rpc.RetryInfo. What isn't in the table is a bug: logged with its traceback here, INTERNAL there.
"""

from __future__ import annotations

import logging
import urllib.parse
from typing import TYPE_CHECKING, Any, Final, NoReturn

import grpc
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from orders_service import errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

    Context = grpc.aio.ServicerContext[Any, Any]

logger = logging.getLogger(__name__)

#: `domain` of every ErrorInfo.
DOMAIN: Final = "orders_service"
#: Where gRPC carries google.rpc.Status.
DETAILS_KEY: Final = "grpc-status-details-bin"
#: When a caller may try again after UNAVAILABLE.
RETRY_AFTER_S: Final = 1
# Clients take 8 KiB of trailers. The sentence goes out twice: percent-encoded (a Russian letter is six characters),
# and with the details in base64.
_MAX_VIOLATIONS_BYTES: Final = 2000
_MAX_METADATA_BYTES: Final = 1000
_MAX_SENTENCE_BYTES: Final = 1800

_UNKNOWN: Final = {"ORDER_UNKNOWN", "ACCOUNT_UNKNOWN", "SEND_UNKNOWN"}
#: What callers are told instead of the server's address and words, which are in the log.
_SENTENCES: Final = {
    "DATABASE_UNAVAILABLE": "The orders service's database is away: repeat the same call.",
    "STORE_UNAVAILABLE": "The orders service's store of papers is away: repeat the same call.",
    "OUTCOME_UNKNOWN": (
        "The orders service's database went away during the commit: it isn't known whether what was asked for is done. "
        "Repeat the same call: it does nothing twice, and its answer tells."
    ),
    "SERVICE_DEFECT": "The orders service failed at this call; its log says how.",
}

#: Each error with its code and its reason in the contract. First match counts, so the most specific comes first.
#: A reason that is empty is the error's own.
TABLE: Final[tuple[tuple[type[errors.OrdersServiceError], grpc.StatusCode, str], ...]] = (
    (errors.InvalidInput, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_INPUT"),
    (errors.PaperDamaged, grpc.StatusCode.DATA_LOSS, "PAPER_DAMAGED"),
    (errors.NotFound, grpc.StatusCode.NOT_FOUND, ""),
    (errors.KeyTaken, grpc.StatusCode.ALREADY_EXISTS, "KEY_TAKEN"),
    (errors.AccountExists, grpc.StatusCode.ALREADY_EXISTS, "ACCOUNT_EXISTS"),
    (errors.SamePerson, grpc.StatusCode.ALREADY_EXISTS, "SAME_PERSON"),
    (errors.Refused, grpc.StatusCode.FAILED_PRECONDITION, ""),
    (errors.StoreUnavailable, grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE"),
    (errors.Unauthenticated, grpc.StatusCode.UNAUTHENTICATED, ""),
    (errors.Forbidden, grpc.StatusCode.PERMISSION_DENIED, ""),
    (errors.TooManyCalls, grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS"),
    # Not RESOURCE_EXHAUSTED: the same message would be as long again.
    (errors.TooLong, grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_TOO_LONG"),
    (errors.TooSlow, grpc.StatusCode.DEADLINE_EXCEEDED, "REQUEST_TOO_SLOW"),
    (errors.TakesNothing, grpc.StatusCode.DEADLINE_EXCEEDED, "REQUEST_TOO_SLOW"),
    (errors.DatabaseUnavailable, grpc.StatusCode.UNAVAILABLE, ""),
    (errors.DatabaseUnfit, grpc.StatusCode.UNAVAILABLE, "DATABASE_UNFIT"),
    (errors.Inconsistent, grpc.StatusCode.INTERNAL, "SERVICE_DEFECT"),
)


def code_of(error: Exception) -> grpc.StatusCode:
    """Return the status code by which a caller learns of this error."""
    if isinstance(error, errors.Refused) and error.reason in _UNKNOWN:
        return grpc.StatusCode.NOT_FOUND
    for kind, code, _ in TABLE:
        if isinstance(error, kind):
            return code
    return grpc.StatusCode.INTERNAL


def reason_of(error: Exception) -> str:
    """Return the reason that a machine goes by: a name of ErrorReason, RefusalReason or DecisionRefusal."""
    match error:
        case errors.Refused() | errors.Unauthenticated() | errors.Forbidden():
            return error.reason
        case errors.NotFound():
            return f"{error.what.upper()}_UNKNOWN"
        case errors.DatabaseUnavailable() if not isinstance(error, errors.StoreUnavailable):
            return "OUTCOME_UNKNOWN" if error.is_outcome_unknown else "DATABASE_UNAVAILABLE"
    for kind, _, reason in TABLE:
        if isinstance(error, kind):
            return reason
    return "SERVICE_DEFECT"


def status_of(error: Exception, method: str) -> status_pb2.Status:
    """Return what a caller of this method is told of the error, and log what he isn't."""
    code, reason = code_of(error), reason_of(error)
    sentence = shorten(_SENTENCES.get(reason, str(error)))
    if code is grpc.StatusCode.INTERNAL:
        logger.error(
            "A call failed by a bug of ours",
            exc_info=error,
            extra={"event": "call_broken", "method": method, "error_type": type(error).__name__},
        )
    elif code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DATA_LOSS):
        logger.warning(
            "A call couldn't be served",
            extra={
                "event": "call_failed",
                "method": method,
                "error_type": type(error).__name__,
                "error": shorten(str(error)),
            },
        )
    status = status_pb2.Status(code=code.value[0], message=sentence)
    for detail in _details(error, code, reason):
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


async def abort(context: Context, error: Exception, method: str) -> NoReturn:
    """End a gRPC call with what its caller is told of the error."""
    status = status_of(error, method)
    trailing = ((DETAILS_KEY, status.SerializeToString()),)
    await context.abort(code_of(error), status.message, trailing_metadata=trailing)


def shorten(sentence: str) -> str:
    """Cut a sentence so that it fits into a trailer, showing that it was cut."""
    if len(urllib.parse.quote(sentence)) <= _MAX_SENTENCE_BYTES:
        return sentence
    cut = sentence[:_MAX_SENTENCE_BYTES]
    while len(urllib.parse.quote(cut)) > _MAX_SENTENCE_BYTES - len(urllib.parse.quote("…")):
        cut = cut[:-1]
    return cut + "…"


def _details(error: Exception, code: grpc.StatusCode, reason: str) -> list[Message]:
    info = error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN)
    if isinstance(error, errors.OrdersServiceError):
        for key, value in error.metadata.items():
            if info.ByteSize() + len(key) + len(value.encode()) <= _MAX_METADATA_BYTES:
                info.metadata[key] = value
    # First, so that whoever looks at one detail finds the reason.
    details: list[Message] = [info]
    if isinstance(error, (errors.InvalidInput, errors.KeyTaken)):
        details.append(_bad_request(error.violations))
    if isinstance(error, errors.TooManyCalls):
        delay = Duration()
        delay.FromMilliseconds(max(1, round(error.wait_s * 1000)))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    elif code is grpc.StatusCode.UNAVAILABLE:
        details.append(error_details_pb2.RetryInfo(retry_delay=Duration(seconds=RETRY_AFTER_S)))
    return details


def _bad_request(violations: Sequence[errors.Violation]) -> error_details_pb2.BadRequest:
    """Name each violation, as many as fit: trailers that are too long lose the whole answer."""
    request = error_details_pb2.BadRequest()
    for violation in violations:
        request.field_violations.add(field=violation.field, description=violation.rule)
        if request.ByteSize() > _MAX_VIOLATIONS_BYTES and len(request.field_violations) > 1:
            del request.field_violations[-1]
            break
    return request
