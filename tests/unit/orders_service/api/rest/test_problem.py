"""From google.rpc.Status to problem+json."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from orders_service.api.rest import problem

if TYPE_CHECKING:
    from google.protobuf.message import Message


def answer_of(code: grpc.StatusCode, *details: Message) -> tuple[int, Any, dict[str, str]]:
    status = status_pb2.Status(code=code.value[0], message="So it is.")
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    response = problem.of_status(status).response()
    return response.status_code, json.loads(bytes(response.body)), dict(response.headers)


def test_every_status_code_has_its_place_in_http() -> None:
    assert set(problem.HTTP_STATUSES) == set(grpc.StatusCode) - {grpc.StatusCode.OK}
    for code, http in problem.HTTP_STATUSES.items():
        status, content, headers = answer_of(code)
        assert (status, content["status"], content["code"], content["detail"]) == (http, http, code.name, "So it is.")
        assert content["title"] != "Not done"
        assert headers["content-type"] == "application/problem+json"
        assert headers["cache-control"] == "no-store"


def test_details_become_members_and_headers() -> None:
    status, content, headers = answer_of(
        grpc.StatusCode.UNAVAILABLE,
        error_details_pb2.ErrorInfo(reason="DATABASE_UNAVAILABLE", domain="orders_service", metadata={"a": "b"}),
        error_details_pb2.BadRequest(
            field_violations=[error_details_pb2.BadRequest.FieldViolation(field="x", description="is wrong")]
        ),
        error_details_pb2.RetryInfo(retry_delay=Duration(seconds=2, nanos=1_000_000)),
        error_details_pb2.Help(links=[error_details_pb2.Help.Link(description="d", url="u")]),
    )

    assert (status, content["reason"], content["domain"]) == (503, "DATABASE_UNAVAILABLE", "orders_service")
    assert content["metadata"] == {"a": "b"}
    assert content["violations"] == [{"field": "x", "description": "is wrong"}]
    assert headers["retry-after"] == "3"
    assert content["details"][0]["links"] == [{"description": "d", "url": "u"}]


def test_a_detail_of_a_type_that_is_not_known_here_is_named() -> None:
    status = status_pb2.Status(code=9, details=[any_pb2.Any(type_url="type.googleapis.com/a.B", value=b"\xff")])

    assert problem.of_status(status).members["details"] == [{"@type": "type.googleapis.com/a.B"}]


def test_who_must_say_who_he_is_is_told_how() -> None:
    assert answer_of(grpc.StatusCode.UNAUTHENTICATED)[2]["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("text", ["ж", "\ud800", "\0", '"'])
def test_any_text_can_be_told(text: str) -> None:
    response = problem.Problem(400, text).response()

    assert json.loads(bytes(response.body))["detail"] == text
