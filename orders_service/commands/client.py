"""The command line's way to a running service: a channel, and its errors as sentences for people."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, NoReturn

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from orders_service.channel.opening import open_channel
from orders_service.commands.context import Failure
from orders_service.commands.language import tr, tr_reason
from orders_service.v1 import operator_pb2_grpc, orders_pb2_grpc, rosreestr_users_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orders_service.commands.context import Way

#: Seconds that one call may take.
TIMEOUT_S: Final = 60.0

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", 64 << 20),
    # A peer that vanished without a word is noticed by a command that only listens, too.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


#: How gRPC says that nothing was sent at all.
_NEVER_SENT: Final = ("failed to connect to all addresses", "DNS resolution failed")
#: What the service says of a call that it didn't carry out.
_REFUSALS: Final = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
_NOT_DONE: Final = frozenset(
    {"DATABASE_UNAVAILABLE", "DATABASE_UNFIT", "TOO_MANY_CALLS", "MESSAGE_TOO_LONG", "REQUEST_TOO_SLOW"}
)


class CallFailed(Failure):
    """A call of the service came to nothing, as far as is known.

    Attributes:
        violations: Each field that breaks a rule, with the rule; empty where that isn't the trouble.
        reason: The service's reason; empty where it gave none.
        may_be_done: What was asked for may be done all the same: only its answer is missing.
    """

    def __init__(
        self,
        message: str,
        *,
        violations: tuple[tuple[str, str], ...] = (),
        reason: str = "",
        may_be_done: bool = False,
    ) -> None:
        super().__init__(message)
        self.violations = violations
        self.reason = reason
        self.may_be_done = may_be_done


class ServiceAway(CallFailed):
    """The service, or its database, can't be reached."""

    exit_code = 3


class Client:
    """A channel to the service, with a stub for each of its services that people use."""

    def __init__(self, address: Way) -> None:
        self.address = address
        self._channel = open_channel(str(address), address.channel, _OPTIONS)
        self.orders = orders_pb2_grpc.OrdersServiceStub(self._channel)
        self.operator = operator_pb2_grpc.OperatorServiceStub(self._channel)
        self.accounts = rosreestr_users_pb2_grpc.RosreestrUsersServiceStub(self._channel)

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


@contextlib.contextmanager
def connected(address: Way) -> Iterator[Client]:
    """Give the block a client; what its calls raise becomes a sentence and an exit code.

    Raises:
        CallFailed: A call failed.
        ServiceAway: The service or its database can't be reached.
    """
    client = Client(address)
    try:
        with explained(address):
            yield client
    finally:
        client.close()


@contextlib.contextmanager
def explained(address: Way) -> Iterator[None]:
    """Turn what calls of the block raise into a sentence and an exit code.

    Raises:
        CallFailed: As for `connected`.
    """
    try:
        yield
    except grpc.RpcError as error:
        explain(error, address)


def explain(error: grpc.RpcError, address: Way) -> NoReturn:
    """Raise what a person can act on.

    Raises:
        CallFailed: Always.
    """
    # The errors that stubs raise are calls too; grpc's types don't say so.
    assert isinstance(error, grpc.Call)
    code, sentence = error.code(), error.details() or ""
    status = rpc_status.from_call(error)
    violations: list[tuple[str, str]] = []
    reason = ""
    for detail in status.details if status is not None else ():
        request, info = error_details_pb2.BadRequest(), error_details_pb2.ErrorInfo()
        if detail.Unpack(request):
            violations += [(violation.field, violation.description) for violation in request.field_violations]
        elif detail.Unpack(info):
            reason = info.reason
    is_sent = not any(words in sentence for words in _NEVER_SENT)
    may_be_done = is_sent and code not in _REFUSALS and reason not in _NOT_DONE
    if code is grpc.StatusCode.UNAVAILABLE and not reason and is_sent:
        sentence = tr(f"The orders service at {address} broke off in mid-call: run the same command again.")
    elif code is grpc.StatusCode.UNAVAILABLE and not reason:
        sentence = tr(_unreached(address, sentence))
    elif code is grpc.StatusCode.DEADLINE_EXCEEDED and not reason:
        sentence = tr(f"The orders service at {address} didn't answer in time: run the same command again.")
    elif code is grpc.StatusCode.UNIMPLEMENTED or (code is grpc.StatusCode.UNKNOWN and not reason):
        sentence = tr(f"What answers at {address} isn't this version's orders service ({sentence}).")
    else:
        sentence = tr_reason(reason, sentence)
    is_away = code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    kind = ServiceAway if is_away else CallFailed
    raise kind(sentence, violations=tuple(violations), reason=reason, may_be_done=may_be_done) from error


def _unreached(address: Way, details: str) -> str:
    if "handshake failed" in details or "CERTIFICATE" in details:
        return (
            f"The orders service at {address} and this command don't trust each other by TLS: check "
            "ORDERS_SERVICE_TLS_CA_FILE, that the service's certificate has the name by which it is called, and, where "
            "it asks for one, ORDERS_SERVICE_TLS_CERT_FILE and ORDERS_SERVICE_TLS_KEY_FILE."
        )
    other = "doesn't speak TLS, as ORDERS_SERVICE_TLS says" if address.channel.is_tls else "speaks TLS"
    return (
        f"The orders service at {address} can't be reached: start it with `orders-service serve`, "
        f"or set ORDERS_SERVICE_HOST and ORDERS_SERVICE_PORT. (Perhaps it {other}: then change ORDERS_SERVICE_TLS.)"
    )
