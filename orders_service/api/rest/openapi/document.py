"""The document as a whole: paths, parameters, answers, errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf.descriptor import FieldDescriptor

from orders_service.api.rest.bindings import find_field, read_bindings
from orders_service.api.rest.faults import WORDS
from orders_service.api.rest.file import MEDIA_TYPES, has_parts, is_file
from orders_service.api.rest.openapi.comments import first_sentence
from orders_service.api.rest.openapi.schemas import Schemas, is_required, reachable_from
from orders_service.api.rest.problem import MEDIA_TYPE as PROBLEM_TYPE
from orders_service.api.rest.watch import MEDIA_TYPE as WATCH_TYPE
from orders_service.api.rest.watch import is_watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.protobuf.descriptor import ServiceDescriptor

    from orders_service.api.rest.bindings import Binding
    from orders_service.api.rest.openapi.comments import Comments
    from orders_service.api.rest.openapi.schemas import Schema

_DESCRIPTION: Final = """\
Property extracts (выписки ЕГРН), ordered at Rosreestr. The same calls as by gRPC, by the same rules: this document is made from `proto/`.

Names are as in the contract. 64-bit numbers are strings, enums are names, times are RFC 3339 in UTC, durations are seconds like `1.5s`. \
Fields that are empty are answered as empty; of those that may be unset, unset ones are left out.

Every error is `application/problem+json`. Whoever got no answer, or the reason `OUTCOME_UNKNOWN`, repeats the same request: nothing is done twice.\
"""  # noqa: E501 - prose
_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What went wrong (RFC 9457). `reason` is for machines, `detail` for people.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence: what is wrong, and what to do."},
        "code": {"type": "string", "description": "The status code that a caller by gRPC gets."},
        "reason": {"type": "string", "description": "Why, for machines."},
        "domain": {"type": "string", "description": "Whose reason it is: `orders_service`."},
        "metadata": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "What a machine needs beside the reason.",
        },
        "violations": {
            "type": "array",
            "description": "Each field that breaks a rule.",
            "items": {
                "type": "object",
                "required": ["field", "description"],
                "properties": {"field": {"type": "string"}, "description": {"type": "string"}},
            },
        },
        "details": {"type": "array", "items": {"type": "object"}, "description": "What else is known."},
    },
}
_HEALTH: Final[dict[str, Any]] = {
    "type": "object",
    "description": "How the service stands.",
    "required": ["status"],
    "properties": {"status": {"type": "string", "enum": ["ok", "unavailable"]}, "detail": {"type": "string"}},
}
_LAST_EVENT: Final = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "Go on after this event, as EventSource says by itself; counts before after_event_id.",
    "schema": {"type": "string"},
}
_FILE_HEADERS: Final = {
    "ETag": "SHA-256 of the file, hexadecimal, in quotes: give it back as If-None-Match or If-Range.",
    "Content-Disposition": "The file's name.",
    "Repr-Digest": "SHA-256 of the whole file in base64, as RFC 9530 writes it.",
}


def describe(services: Sequence[ServiceDescriptor], comments: Comments, version: str) -> dict[str, Any]:
    """Return the document of the rpcs that have rules for HTTP."""
    bindings = read_bindings(services)
    asked: set[str] = set()
    for binding in bindings:
        reachable_from(binding.method.input_type, asked)
    schemas = Schemas(comments, asked)
    schemas.components |= {"Problem": _PROBLEM, "Health": _HEALTH}
    paths: dict[str, dict[str, Any]] = {}
    for binding in _in_order(bindings, services):
        operation = _operation(binding, schemas, comments)
        # The names of variables are nobody's but the document's, and tools take no dots in them.
        text = binding.template.text
        for path in binding.template.fields:
            text = text.replace(f"{{{path}}}", f"{{{_word(path)}}}")
        paths.setdefault(text, {})[binding.verb.lower()] = operation
    tags = [
        {"name": service.name, "description": comments.of(service.full_name)}
        for service in services
        if any(binding.method.containing_service is service for binding in bindings)
    ]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Orders service", "version": version, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [*tags, {"name": "Health", "description": "For whoever runs the service."}],
        "paths": {**paths, **_health_paths()},
        "components": {"schemas": dict(sorted(schemas.components.items()))},
    }


def _in_order(bindings: Sequence[Binding], services: Sequence[ServiceDescriptor]) -> Iterator[Binding]:
    """Yield them as they stand in the contract: that is how people read."""
    for service in services:
        for method in service.methods:
            own = [binding for binding in bindings if binding.method is method]
            yield from sorted(own, key=lambda binding: binding.number)


def _operation(binding: Binding, schemas: Schemas, comments: Comments) -> dict[str, Any]:
    text = comments.of(binding.method.full_name)
    operation: dict[str, Any] = {
        "operationId": binding.operation_id,
        "tags": [binding.method.containing_service.name],
        "summary": first_sentence(text),
        "description": text,
    }
    in_head = [_LAST_EVENT] if is_watch(binding) else []
    if parameters := [*_path_parameters(binding, schemas), *_query_parameters(binding, schemas), *in_head]:
        operation["parameters"] = parameters
    if binding.body:
        operation["requestBody"] = _body(binding, schemas)
    operation["responses"] = {
        **(_file_answers(binding) if is_file(binding) else _answers(binding, schemas, comments)),
        "default": _answer("It came to nothing.", PROBLEM_TYPE, {"$ref": "#/components/schemas/Problem"}),
    }
    return operation


def _path_parameters(binding: Binding, schemas: Schemas) -> Iterator[dict[str, Any]]:
    for path in binding.template.fields:
        schema = _field_schema(binding, path, schemas)
        text = schema.pop("description", "")
        yield {"name": _word(path), "in": "path", "required": True, "description": text, "schema": schema}


def _query_parameters(binding: Binding, schemas: Schemas) -> Iterator[dict[str, Any]]:
    if binding.body == "*":
        return
    for field in binding.method.input_type.fields:
        is_word = field.message_type is None or field.message_type.full_name in WORDS
        if not is_word or field.name in (binding.body, *binding.template.fields):
            continue
        if _is_told_by_path(binding, field):
            continue
        if is_file(binding) and field.name == "offset":
            continue  # by HTTP that is the header Range
        schema = schemas.field(field)
        parameter = {"name": field.name, "in": "query", "description": schema.pop("description", ""), "schema": schema}
        if is_required(field):
            parameter["required"] = True
        if field.is_repeated:
            parameter |= {"style": "form", "explode": True}
        yield parameter


def _is_told_by_path(binding: Binding, field: FieldDescriptor) -> bool:
    """Whether another way to say the same is in the path."""
    group = field.containing_oneof
    return group is not None and any(one.name in binding.template.fields for one in group.fields)


def _word(path: str) -> str:
    return path.replace(".", "_")


def _field_schema(binding: Binding, path: str, schemas: Schemas) -> Schema:
    field = find_field(binding.method.input_type, path)
    assert field is not None, "a binding's variables are fields of its request"
    schema = schemas.field(field)
    if field.type == FieldDescriptor.TYPE_STRING:
        schema["minLength"] = 1
    return schema


def _body(binding: Binding, schemas: Schemas) -> dict[str, Any]:
    described = binding.method.input_type
    if binding.body != "*":
        field = described.fields_by_name[binding.body]
        schema, is_needed = schemas.field(field), is_required(field)
    elif binding.template.fields:
        name = f"{described.name}Body"
        told = [field.name for field in described.fields if _is_told_by_path(binding, field)]
        schemas.components[name] = schemas.make(described, {*binding.template.fields, *told})
        schema = {"$ref": f"#/components/schemas/{name}"}
        is_needed = "required" in schemas.components[name]
    else:
        schema = schemas.refer(described)
        is_needed = "required" in schemas.components[described.name]
    return {"required": is_needed, "content": {"application/json": {"schema": schema}}}


def _answers(binding: Binding, schemas: Schemas, comments: Comments) -> dict[str, Any]:
    described = binding.method.output_type
    text = comments.of(described.full_name) or "Done."
    if is_watch(binding):
        data = {"type": "string", "contentMediaType": "application/json", "contentSchema": schemas.refer(described)}
        return {"200": _answer(f"Server-Sent Events. What `data` of each holds: {text}", WATCH_TYPE, data)}
    if binding.response_body:
        schema = schemas.field(described.fields_by_name[binding.response_body])
        schema.pop("description", None)
    else:
        schema = schemas.refer(described)
    return {"200": _answer(text, "application/json", schema)}


def _file_answers(binding: Binding) -> dict[str, Any]:
    # Which kind of file it is, only an export lets its caller choose.
    kinds = ["xlsx", "csv"] if "format" in binding.method.input_type.fields_by_name else ["zip"]
    content = {
        MEDIA_TYPES[kind]: {"schema": {"type": "string", "contentMediaType": MEDIA_TYPES[kind]}} for kind in kinds
    }
    named = _FILE_HEADERS if has_parts(binding) else {"Content-Disposition": _FILE_HEADERS["Content-Disposition"]}
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in named.items()}
    answers: dict[str, Any] = {"200": {"description": "The file.", "content": content, "headers": headers}}
    if has_parts(binding):
        answers["206"] = {"description": "The part that Range asked for.", "content": content, "headers": headers}
        answers["304"] = {"description": "The caller has it: If-None-Match named it."}
    return answers


def _answer(text: str, media_type: str, schema: Schema) -> dict[str, Any]:
    return {"description": text, "content": {media_type: {"schema": schema}}}


def _health_paths() -> dict[str, Any]:
    health = {"$ref": "#/components/schemas/Health"}
    paths: dict[str, Any] = {}
    for path, name, text in (
        ("/healthz", "IsAlive", "The process answers"),
        ("/readyz", "IsReady", "The service can do its work: the database was looked at just now and is in order"),
    ):
        answers = {"200": _answer("Yes.", "application/json", health)}
        if name == "IsReady":
            answers["503"] = _answer("No, and why.", "application/json", health)
        answers["default"] = _answer("It came to nothing.", PROBLEM_TYPE, {"$ref": "#/components/schemas/Problem"})
        paths[path] = {"get": {"operationId": name, "tags": ["Health"], "summary": text, "responses": answers}}
    return paths
