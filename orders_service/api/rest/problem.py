"""Errors as problem+json (RFC 9457), made from the same google.rpc details that callers by gRPC get."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2
from starlette.responses import Response

from orders_service.api.grpc.status import DOMAIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.any_pb2 import Any as AnyMessage

MEDIA_TYPE: Final = "application/problem+json"

#: Google's own table, but for a refusal: the request was in order and the order's state against it, so 409, not 400.
HTTP_STATUSES: Final[Mapping[grpc.StatusCode, int]] = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.FAILED_PRECONDITION: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNKNOWN: 500,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.DATA_LOSS: 500,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_TITLES: Final = {
    400: "The request can't be used",
    401: "Who is asking isn't known",
    403: "Not allowed",
    404: "Not found",
    405: "The method isn't allowed here",
    408: "The request didn't come in time",
    409: "Not now, or not any more",
    413: "The request is too long",
    415: "The body must be JSON",
    421: "Asked under a name that isn't this service's",
    429: "Too much at once",
    499: "The caller left",
    500: "The service failed",
    501: "Not offered",
    503: "Away for now",
    504: "Not answered in time",
}
#: Where the service says nothing better: long enough for a restart, short enough for a person.
_RETRY_AFTER_S: Final = 1


class Problem(Exception):
    """A request came to nothing; says what is answered.

    Attributes:
        status: HTTP's.
        detail: One sentence.
        headers: More of them.
        members: More members of the JSON object.
    """

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **members: object
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    def content(self) -> dict[str, object]:
        """Return what is told of it, as JSON has it."""
        return {
            "type": "about:blank",
            "title": _TITLES.get(self.status, "Not done"),
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }

    def response(self) -> Response:
        """Make the answer."""
        headers = {"cache-control": "no-store", **self.headers}
        return Response(to_json(self.content()), self.status, headers=headers, media_type=MEDIA_TYPE)


def of_status(status: status_pb2.Status) -> Problem:
    """Make the problem of a call's status."""
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    http = HTTP_STATUSES.get(code, 500)
    members: dict[str, object] = {"code": code.name}
    headers: dict[str, str] = {}
    for detail in status.details:
        _add_detail(detail, members, headers)
    if http == 503:
        headers.setdefault("retry-after", str(_RETRY_AFTER_S))
    if http == 401:
        headers["www-authenticate"] = "Bearer"
    return Problem(http, status.message, headers=headers, **members)


def of_code(code: grpc.StatusCode, detail: str, **members: object) -> Problem:
    """Make the problem of a status code without details."""
    made = of_status(status_pb2.Status(code=code.value[0], message=detail))
    made.members |= members
    return made


def outcome_unknown(code: grpc.StatusCode, detail: str) -> Problem:
    """Make the problem of a call that was broken off: the deed may be done or not, and a repeat does it once."""
    return of_code(code, detail, reason="OUTCOME_UNKNOWN", domain=DOMAIN)


def to_json(content: object) -> bytes:
    """Write JSON; half a character that a caller sent stays an escape, which is no UTF-8 but is JSON."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def _add_detail(detail: AnyMessage, members: dict[str, object], headers: dict[str, str]) -> None:
    info, request, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    if detail.Unpack(info):
        members |= {"reason": info.reason, "domain": info.domain, "metadata": dict(info.metadata)}
    elif detail.Unpack(request):
        members["violations"] = [
            {"field": violation.field, "description": violation.description} for violation in request.field_violations
        ]
    elif detail.Unpack(retry):
        headers["retry-after"] = str(max(1, math.ceil(retry.retry_delay.ToTimedelta().total_seconds())))
    else:
        others = members.setdefault("details", [])
        assert isinstance(others, list)
        others.append(_as_json(detail))


def _as_json(detail: AnyMessage) -> dict[str, Any]:
    try:
        return json_format.MessageToDict(detail, preserving_proto_field_name=True)
    except (TypeError, ValueError):
        # Of a type that isn't in this process: its name is all that can be told.
        return {"@type": detail.type_url}
