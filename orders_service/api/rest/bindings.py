"""Which rpc answers to which HTTP method and path: read from the `google.api.http` rules of the contract."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from google.api import annotations_pb2
from google.protobuf import message_factory

from orders_service.api.auth.rules import PACKAGE, rule_of
from orders_service.api.rest.template import Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from google.api.http_pb2 import HttpRule
    from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor
    from google.protobuf.message import Message

    from orders_service.api.auth.rules import Rule


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One way to call an rpc by HTTP.

    Attributes:
        method: The rpc.
        verb: GET, POST, PUT, PATCH or DELETE.
        body: The request's field that the body is; `*`: the whole request; empty: there is no body.
        response_body: The answer's field that is answered; empty: the whole answer.
        number: 0 for the rpc's own rule, then its additional ones.
    """

    method: MethodDescriptor
    verb: str
    template: Template
    body: str
    response_body: str
    number: int = 0

    @property
    def operation_id(self) -> str:
        """A name of this way to call it, unlike any other's."""
        name: str = self.method.name
        if not self.number:
            return name
        custom = self.template.text.rpartition(":")[2] if ":" in self.template.text else str(self.number + 1)
        return f"{name}{custom[0].upper()}{custom[1:]}"

    @property
    def rpc(self) -> str:
        """The rpc's path in gRPC."""
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    @property
    def is_stream(self) -> bool:
        """Whether the rpc answers with a stream."""
        return bool(self.method.server_streaming)

    @property
    def rule(self) -> Rule:
        """Who may make the call, and how long its request may be and take."""
        return rule_of(self.rpc.removeprefix(f"/{PACKAGE}"))

    def new_request(self) -> Message:
        """Make an empty request."""
        return message_factory.GetMessageClass(self.method.input_type)()


def read_bindings(services: Iterable[ServiceDescriptor]) -> list[Binding]:
    """Return every binding of the services' rpcs, the more special paths first.

    Raises:
        ValueError: A rule names a field that isn't there, or two rules claim one path.
    """
    bindings = [binding for service in services for method in service.methods for binding in _bindings_of(method)]
    seen: set[tuple[str, str]] = set()
    for binding in bindings:
        key = (binding.verb, binding.template.shape)
        if key in seen:
            raise ValueError(f"{binding.verb} {binding.template.text} is claimed twice.")
        seen.add(key)
    return sorted(bindings, key=lambda binding: binding.template.rank)


def find_field(described: Descriptor, path: str) -> FieldDescriptor | None:
    """Return the field at a dotted path, by the contract's names or those of JSON; None where there is none."""
    field: FieldDescriptor | None = None
    node: Descriptor | None = described
    for name in path.split("."):
        if node is None or (field is not None and field.is_repeated):
            return None
        field = node.fields_by_name.get(name) or node.fields_by_camelcase_name.get(name)
        if field is None:
            return None
        node = field.message_type
    return field


def _bindings_of(method: MethodDescriptor) -> Iterator[Binding]:
    options = method.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return
    rule = options.Extensions[annotations_pb2.http]
    for number, one in enumerate((rule, *rule.additional_bindings)):
        yield _binding(method, one, number)


def _binding(method: MethodDescriptor, rule: HttpRule, number: int) -> Binding:
    kind = rule.WhichOneof("pattern")
    if kind is None or kind == "custom":
        raise ValueError(f"{method.full_name}: its rule names no method of HTTP.")
    template = Template.parse(getattr(rule, kind))
    for path in template.fields:
        field = find_field(method.input_type, path)
        if field is None or field.is_repeated or field.message_type is not None:
            raise ValueError(f"{method.full_name}: {path} in {template.text} is no plain field of its request.")
    for name, described in ((rule.body, method.input_type), (rule.response_body, method.output_type)):
        if name not in ("", "*") and name not in described.fields_by_name:
            raise ValueError(f"{method.full_name}: {described.full_name} has no field {name}.")
    if rule.body not in ("", "*") and method.input_type.fields_by_name[rule.body].message_type is None:
        raise ValueError(f"{method.full_name}: its body must be a message, and {rule.body} is none.")
    return Binding(
        method=method,
        verb=kind.upper(),
        template=template,
        body=rule.body,
        response_body=rule.response_body,
        number=number,
    )
