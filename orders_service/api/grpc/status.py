"""From an error of ours to what a gRPC caller sees: one table, for every servicer.

A caller gets one sentence, and for machines google.rpc.BadRequest (each field with its rule) or google.rpc.ErrorInfo
(the reason of a refusal). What isn't in the table is a bug: logged with its traceback here, INTERNAL there.
"""

from __future__ import annotations

import functools
import logging
import urllib.parse
from typing import TYPE_CHECKING, Any, Final, NoReturn, ParamSpec, TypeVar

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from orders_service import errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from google.protobuf.message import Message

    Context = grpc.aio.ServicerContext[Any, Any]

logger = logging.getLogger(__name__)

#: `domain` of every ErrorInfo.
DOMAIN: Final = "orders_service"
#: `reason` of the ErrorInfo of an UNAVAILABLE that the service itself answers.
DATABASE_UNAVAILABLE: Final = "DATABASE_UNAVAILABLE"
#: Where gRPC carries google.rpc.Status.
DETAILS_KEY: Final = "grpc-status-details-bin"
# Clients take 8 KiB of trailers. The sentence goes out twice: percent-encoded (a Russian letter is six characters),
# and with the details in base64.
_MAX_DETAILS_BYTES: Final = 2000
_MAX_SENTENCE_BYTES: Final = 1800

_UNKNOWN: Final = {"ORDER_UNKNOWN", "ACCOUNT_UNKNOWN", "SEND_UNKNOWN"}

#: First match counts, so the most specific comes first.
CODES: Final[tuple[tuple[type[errors.OrdersServiceError], grpc.StatusCode], ...]] = (
    (errors.InvalidInput, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.ExtractMissing, grpc.StatusCode.DATA_LOSS),
    (errors.NotFound, grpc.StatusCode.NOT_FOUND),
    (errors.AlreadyExists, grpc.StatusCode.ALREADY_EXISTS),
    (errors.Refused, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.DatabaseUnavailable, grpc.StatusCode.UNAVAILABLE),
    (errors.DatabaseUnfit, grpc.StatusCode.UNAVAILABLE),
)

P = ParamSpec("P")
T = TypeVar("T")


def code_of(error: Exception) -> grpc.StatusCode:
    """Return the status code by which a caller learns of this error."""
    if isinstance(error, errors.Refused) and error.reason in _UNKNOWN:
        return grpc.StatusCode.NOT_FOUND
    for kind, code in CODES:
        if isinstance(error, kind):
            return code
    return grpc.StatusCode.INTERNAL


def translates_errors(method: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Decorate a servicer's method that answers with one message: its errors become statuses by the table."""

    @functools.wraps(method)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await method(*args, **kwargs)
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            await _abort(_context_of(args), error, method.__qualname__)

    return guarded


def translates_stream_errors(method: Callable[P, AsyncIterator[T]]) -> Callable[P, AsyncIterator[T]]:
    """Decorate a servicer's method that answers with a stream: as `translates_errors`."""

    @functools.wraps(method)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        try:
            async for message in method(*args, **kwargs):
                yield message
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            await _abort(_context_of(args), error, method.__qualname__)

    return guarded


def details_of(error: Exception, code: grpc.StatusCode, sentence: str) -> bytes | None:
    """Return google.rpc.Status with the details of this error, serialised; None where it has none."""
    details: list[Message] = []
    if isinstance(error, errors.InvalidInput):
        details.append(_bad_request(error))
    elif isinstance(error, errors.Refused):
        details.append(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata))
    elif isinstance(error, (errors.DatabaseUnavailable, errors.DatabaseUnfit)):
        # Tells the service's own UNAVAILABLE from that of a service which isn't there.
        details.append(error_details_pb2.ErrorInfo(reason=DATABASE_UNAVAILABLE, domain=DOMAIN))
    if not details:
        return None
    status = status_pb2.Status(code=code.value[0], message=sentence)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return bytes(status.SerializeToString())


def shorten(sentence: str) -> str:
    """Cut a sentence so that it fits into a trailer, showing that it was cut."""
    if len(urllib.parse.quote(sentence)) <= _MAX_SENTENCE_BYTES:
        return sentence
    cut = sentence[:_MAX_SENTENCE_BYTES]
    while len(urllib.parse.quote(cut)) > _MAX_SENTENCE_BYTES - len(urllib.parse.quote("…")):
        cut = cut[:-1]
    return cut + "…"


def _bad_request(error: errors.InvalidInput) -> error_details_pb2.BadRequest:
    """Name each violation, as many as fit: trailers that are too long lose the whole answer."""
    request = error_details_pb2.BadRequest()
    for violation in error.violations:
        request.field_violations.add(field=violation.field, description=violation.rule)
        if request.ByteSize() > _MAX_DETAILS_BYTES and len(request.field_violations) > 1:
            del request.field_violations[-1]
            break
    return request


async def _abort(context: Context, error: Exception, method: str) -> NoReturn:
    code = code_of(error)
    if code is grpc.StatusCode.INTERNAL:
        logger.error(
            "A call failed by a bug of ours",
            exc_info=error,
            extra={"event": "call_broken", "method": method, "error_type": type(error).__name__},
        )
        await context.abort(code, "The orders service failed at this call; its log says how.")
    sentence = shorten(str(error))
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DATA_LOSS):
        logger.warning(
            "A call couldn't be served",
            extra={"event": "call_failed", "method": method, "error_type": type(error).__name__, "error": sentence},
        )
    details = details_of(error, code, sentence)
    trailing = ((DETAILS_KEY, details),) if details is not None else ()
    await context.abort(code, sentence, trailing_metadata=trailing)


def _context_of(args: tuple[object, ...]) -> Context:
    """Find the context: gRPC hands it over as the last positional argument."""
    context = args[-1]
    assert hasattr(context, "abort"), "a servicer's method is called with (self, request, context)"
    return context  # type: ignore[return-value]
