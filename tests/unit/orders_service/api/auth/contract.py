"""The contract's rpcs, from its descriptors, and requests for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf import message_factory

from orders_service.v1 import operator_pb2, orders_pb2, rosreestr_users_pb2, worker_pb2

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from orders_service.api.auth.rules import Rule

FILES: Final = (orders_pb2, operator_pb2, rosreestr_users_pb2, worker_pb2)
#: Each rpc's descriptor by its name without the package.
RPCS: Final[dict[str, Any]] = {
    f"{service.name}/{method.name}": method
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


def request_of(rpc: str, rule: Rule, *, order_id: int, account: str) -> Message:
    """A request that names this order and this account, wherever the rule says that it can."""
    request = message_factory.GetMessageClass(RPCS[rpc].input_type)()
    for path in rule.order_ids:
        _put(request, path, order_id)
    if rule.account:
        _put(request, rule.account, account)
    return request


def _put(message: Any, path: str, value: object) -> None:
    *folders, name = path.split(".")
    for folder in folders:
        message = getattr(message, folder)
    if message.DESCRIPTOR.fields_by_name[name].is_repeated:
        getattr(message, name).append(value)
    else:
        setattr(message, name, value)
