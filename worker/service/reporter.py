"""The worker's line to the orders service: one gRPC channel, typed refusals, retries that fit the caller.

Every rpc of WorkerService may be repeated after a lost answer, so "no answer" is one error here (ServiceUnreachable),
whether nothing was done or only its answer got lost.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from orders_service.channel.opening import open_channel
from orders_service.channel.settings import ChannelSettings
from orders_service.v1 import rosreestr_users_pb2, worker_pb2, worker_pb2_grpc
from worker.service.errors import (
    ServiceBroken,
    ServiceDefect,
    ServiceDenied,
    ServiceTooOld,
    ServiceUnreachable,
    refusal,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.errors import WorkerError
    from worker.settings import Settings

_logger = logging.getLogger(__name__)

#: A unary call that isn't answered by then counts as lost, and is repeated.
CALL_TIMEOUT_S: Final = 10.0
#: How long one call is repeated while the lease lasts; then the order is put down for a while.
PATIENCE_S: Final = 300.0
MAX_TEXT: Final = 2000
#: The same for what a call to the portal waits for.
SHORT_PATIENCE_S: Final = 20.0
ERROR_DOMAIN: Final = "orders_service"

_RETRY_WAIT: Final = wait_random_exponential(multiplier=0.2, max=5.0)
_UNREACHABLE: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        # What a service that stops in order answers to the calls in hand.
        grpc.StatusCode.CANCELLED,
    }
)

_DEFECTS: Final = frozenset(
    {
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.DATA_LOSS,
    }
)

_DENIED: Final = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})

Answer = TypeVar("Answer")


class Reporter:
    """Talks to WorkerService. One per process; thread-safe.

    Args:
        host, port: Where the orders service listens.
        channel: By TLS or plain, and with which access token.

    Raises:
        ChannelInvalid: A file of TLS can't be read.
    """

    def __init__(self, host: str, port: int, channel: ChannelSettings | None = None) -> None:
        self.address: Final = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._channel = open_channel(
            self.address,
            channel or ChannelSettings(),
            [
                ("grpc.initial_reconnect_backoff_ms", 200),
                ("grpc.max_reconnect_backoff_ms", 3000),
                # A peer that vanished without a word is noticed between two calls too.
                ("grpc.keepalive_time_ms", 60_000),
                ("grpc.keepalive_timeout_ms", 10_000),
            ],
        )
        self.stub: Final = worker_pb2_grpc.WorkerServiceStub(self._channel)

    @classmethod
    def from_settings(cls, settings: Settings) -> Reporter:
        """Make the line that the settings describe. Nothing is connected yet."""
        return cls(settings.orders_service_host, settings.orders_service_port, settings.channel)

    def close(self) -> None:
        """Close the channel; calls in hand fail."""
        self._channel.close()

    def wait_ready(self, timeout_s: float) -> None:
        """Return when the service takes connections.

        Raises:
            ServiceUnreachable: It doesn't within `timeout_s` seconds.
        """
        try:
            grpc.channel_ready_future(self._channel).result(timeout=timeout_s)
        except grpc.FutureTimeoutError as exc:
            raise ServiceUnreachable(
                f"The orders service can't be reached at {self.address}: start it with `orders-service serve`, or set"
                " ORDERS_SERVICE_HOST and ORDERS_SERVICE_PORT (and ORDERS_SERVICE_TLS, where it speaks TLS)."
            ) from exc

    def open_account(self, account: str, opened_by: str) -> worker_pb2.WorkerAccount:
        """Open the account and raise its epoch. Only with the account's name held in the queue. One try.

        Raises:
            AccountUnknown, AccountCannotTake, ServiceUnreachable, ServiceBroken.
        """
        request = worker_pb2.OpenAccountRequest(account=account, opened_by=opened_by)
        return self.once(lambda: self.stub.OpenAccount(request, timeout=CALL_TIMEOUT_S)).account

    def read_account(self, account: str, epoch: int) -> worker_pb2.WorkerAccount:
        """Return the account as it stands. One try.

        Raises:
            StaleEpoch, AccountUnknown, ServiceUnreachable, ServiceBroken.
        """
        request = worker_pb2.ReadAccountRequest(account=account, epoch=epoch)
        return self.once(lambda: self.stub.ReadAccount(request, timeout=CALL_TIMEOUT_S)).account

    def mark_account(
        self,
        account: str,
        epoch: int,
        *,
        kind: rosreestr_users_pb2.StandbyKind.ValueType,
        reason: str,
        retry_in_s: float | None,
        secrets_version: str,
        sleep: Callable[[float], None],
    ) -> worker_pb2.WorkerAccount:
        """Say why the account takes no new orders, or (kind unspecified) that nothing is in the way.

        Args:
            secrets_version: What was tried. Where a person has set something else since, it isn't marked.

        Raises:
            StaleEpoch, AccountUnknown, ServiceUnreachable, ServiceBroken; whatever `sleep` raises.
        """
        request = worker_pb2.MarkAccountRequest(
            account=account, epoch=epoch, kind=kind, reason=clean(reason), secrets_version=secrets_version
        )
        if retry_in_s is not None:
            request.retry_in.CopyFrom(duration(retry_in_s))
        return self.ask(lambda: self.stub.MarkAccount(request, timeout=CALL_TIMEOUT_S), sleep=sleep).account

    def record_password(
        self, account: str, epoch: int, *, was_useful: bool, sleep: Callable[[float], None]
    ) -> worker_pb2.WorkerAccount:
        """Count a password that is about to be sent, or (useful) begin to count anew.

        Raises:
            StaleEpoch, AccountUnknown, ServiceUnreachable, ServiceBroken; whatever `sleep` raises.
        """
        request = worker_pb2.RecordPasswordRequest(account=account, epoch=epoch, was_useful=was_useful)
        # That a call was of use can be said with the next one, too: its result isn't kept waiting.
        patience_s = 0.0 if was_useful else SHORT_PATIENCE_S
        return self.ask(
            lambda: self.stub.RecordPassword(request, timeout=CALL_TIMEOUT_S), sleep=sleep, patience_s=patience_s
        ).account

    def reserve_calls(
        self, account: str, epoch: int, *, calls: int, daily_limit: int, sleep: Callable[[float], None]
    ) -> tuple[int, float]:
        """Reserve calls to the portal; return how many there are, and the seconds until the day ends in Moscow.

        Raises:
            ServiceTooOld: It doesn't count calls yet.
            StaleEpoch, AccountUnknown, ServiceUnreachable, ServiceBroken; whatever `sleep` raises.
        """
        request = worker_pb2.ReserveCallsRequest(account=account, epoch=epoch, calls=calls, daily_limit=daily_limit)
        answer = self.ask(
            lambda: self.stub.ReserveCalls(request, timeout=CALL_TIMEOUT_S), sleep=sleep, patience_s=SHORT_PATIENCE_S
        )
        return answer.granted, answer.day_left.ToTimedelta().total_seconds()

    def ask(
        self, call: Callable[[], Answer], *, sleep: Callable[[float], None], patience_s: float = PATIENCE_S
    ) -> Answer:
        """Call until an answer comes, pausing by `sleep`, which may raise to end it.

        Raises:
            ServiceRefused: The service said no.
            ServiceUnreachable: Nothing came for `patience_s` seconds.
            ServiceBroken: An answer that no rule knows.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(ServiceUnreachable),
            wait=_RETRY_WAIT,
            stop=stop_after_delay(patience_s),
            sleep=sleep,
            before_sleep=log_retry,
            reraise=True,
        )
        answer: Answer = retrying(self.once, call)
        return answer

    def once(self, call: Callable[[], Answer]) -> Answer:
        """Call once, with what gRPC raises translated."""
        try:
            return call()
        except grpc.RpcError as exc:
            raise translate(exc, self.address) from exc


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Return a text as it can be told and stored, whatever is in it: a portal's words get into errors."""
    return text[:limit].encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def duration(seconds: float) -> Duration:
    """Return a time in seconds as the contract has it."""
    message = Duration()
    message.FromNanoseconds(round(seconds * 1e9))
    return message


def standby_word(kind: rosreestr_users_pb2.StandbyKind.ValueType) -> str:
    """Return a kind of standby in a word, for people: `login_refused`."""
    names = rosreestr_users_pb2.StandbyKind
    known = names.Name(kind) if kind in names.values() else f"STANDBY_KIND_{kind}"
    return known.removeprefix("STANDBY_KIND_").lower()


def translate(exc: grpc.RpcError, address: str) -> WorkerError:
    """Return our error for what gRPC raised: the only place that knows its status codes."""
    if not isinstance(exc, grpc.Call):
        return ServiceBroken(f"The call to the orders service at {address} failed: {exc}.")
    code, details = exc.code(), exc.details() or ""
    # A sentence mostly: inside one of ours its full stop would be a second one.
    said = details.rstrip(".")
    if code in _UNREACHABLE:
        return ServiceUnreachable(f"The orders service at {address} doesn't answer ({code.name}): {said}.")
    if code in _DENIED:
        return ServiceDenied(f"The orders service at {address} doesn't let this worker in: {said}.")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return ServiceTooOld(f"The orders service at {address} is older than this worker ({code.name}): {said}.")
    if code in _DEFECTS:
        return ServiceDefect(f"The orders service at {address} failed ({code.name}): {said}.")
    status = rpc_status.from_call(exc)
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.domain == ERROR_DOMAIN:
            return refusal(info.reason, details, dict(info.metadata))
    return ServiceBroken(f"The orders service at {address} answered {code.name}: {said}.")


def log_retry(state: RetryCallState) -> None:
    """Say that the service is asked again, and why."""
    error = state.outcome.exception() if state.outcome is not None else None
    _logger.warning(
        "the orders service doesn't answer, asking again",
        extra={
            "event": "service_retry",
            "attempt": state.attempt_number,
            "delay_s": round(state.upcoming_sleep, 2),
            "error": str(error),
        },
    )
