"""The OpenAPI document: what the contract says, and what other tools can read."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from orders_service.api.rest.bindings import read_bindings
from orders_service.server import REST_SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[5]
DOCUMENT = ROOT / "orders_service/api/rest/openapi/openapi.json"


@pytest.fixture(scope="module")
def document() -> Any:
    return json.loads(DOCUMENT.read_text(encoding="utf-8"))


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            yield verb.upper(), path, operation


def test_the_document_is_the_one_that_the_contract_makes() -> None:
    spec = importlib.util.spec_from_file_location("make_openapi", ROOT / "docs/make_openapi.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)

    assert DOCUMENT.read_text(encoding="utf-8") == maker.make(), "run `make openapi` and commit"


def test_the_document_is_openapi_3_1(document: Any) -> None:
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()


def test_every_binding_is_in_it_once_with_a_name_of_its_own(document: Any) -> None:
    bindings = {binding.operation_id for binding in read_bindings(REST_SERVICES)}

    names = [operation["operationId"] for _, _, operation in operations(document)]

    assert len(names) == len(set(names))
    assert set(names) == bindings | {"IsAlive", "IsReady"}


def test_everything_in_it_has_the_words_of_the_contract(document: Any) -> None:
    for verb, path, operation in operations(document):
        assert operation["summary"], (verb, path)
        for parameter in operation.get("parameters", []):
            assert parameter["description"], (verb, path, parameter["name"])
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("description"), name
        for field, one in schema.get("properties", {}).items():
            assert one.get("description") or name in ("Problem", "Health"), (name, field)


def test_every_error_is_a_problem(document: Any) -> None:
    for verb, path, operation in operations(document):
        content = operation["responses"]["default"]["content"]
        assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}, (
            verb,
            path,
        )


def test_what_goes_in_takes_nothing_unknown_and_what_comes_out_may_grow(document: Any) -> None:
    schemas = document["components"]["schemas"]

    assert schemas["NewOrder"]["additionalProperties"] is False
    assert set(schemas["NewOrder"]["required"]) == {"cad_num", "idempotency_key"}
    assert "additionalProperties" not in schemas["Order"]
    assert {"order_id", "state", "status"} <= set(schemas["Order"]["required"])
    assert "finished_at" not in schemas["Order"]["required"]


def test_secrets_go_in_and_never_out(document: Any) -> None:
    schemas = document["components"]["schemas"]

    assert schemas["CreateRosreestrUserRequest"]["properties"]["password"]["writeOnly"] is True
    assert "password" not in schemas["RosreestrUser"]["properties"]
