"""What the worker's own tests put around it: a scripted orders service behind real gRPC, and a portal in memory.

Both write what they are asked into one `log`, so that a test can say what happened in which order.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from concurrent import futures
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from orders_service.v1 import orders_pb2, worker_pb2, worker_pb2_grpc
from rosq.clock import boot_time_s
from rosq.execution.lease import Lease
from tests.deliveries import make_delivery
from worker.portal.finish import Answered
from worker.portal.pages.applications import Application, Listing
from worker.portal.pages.download import Downloaded
from worker.portal.pages.profile import Declarant, Passport
from worker.portal.pages.search import Card, FoundObject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rosq import Delivery
    from rosq.execution.stop import StopClock
    from worker.portal.finish import FinishRequest, SendResult

CAD_NUM = "77:01:0001001:1001"
NUMBER = "OfSite-2026-01-15-123456-77-01"
PERSON = "1000000001"
KEY = "7f1c0c1e-0000-4000-8000-000000000001"
START = dt.datetime(2026, 1, 15, 12, 0, tzinfo=dt.UTC)


def refusal(reason: str, **metadata: str) -> Exception:
    """What the service answers when it refuses."""
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(domain="orders_service", reason=reason, metadata=metadata))
    return _Abort(
        rpc_status.to_status(
            status_pb2.Status(code=code_pb2.FAILED_PRECONDITION, message=f"refused: {reason}", details=[detail])
        )
    )


def unavailable() -> Exception:
    """What a service answers whose database is away."""
    return failure("UNAVAILABLE")


def failure(code: str, message: str = "it failed") -> Exception:
    """What a service answers without further details."""
    return _Abort(rpc_status.to_status(status_pb2.Status(code=code_pb2.Code.Value(code), message=message)))


class _Abort(Exception):
    def __init__(self, status: Any) -> None:
        super().__init__(status)
        self.status = status


class FakeService(worker_pb2_grpc.WorkerServiceServicer):
    """One order and one account in memory, with the plainest rules; `script` puts other answers before them.

    `script["PassGate"] = [unavailable(), None]` makes the first call fail and the second go by the rules.
    """

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.script: dict[str, list[Exception | None]] = {}
        #: The same for every call of the name.
        self.always: dict[str, Exception] = {}
        #: After how many times of trouble the order is held; None: never.
        self.strikes_until_hold: int | None = None
        #: How long an order rests by now that met trouble; None: as it was asked for.
        self.grown_s: float | None = None
        #: Whether marks are about secrets that were changed meanwhile.
        self.is_mark_late = False
        self._strikes = 0
        self.calls_reserved = 0
        self.day_left_s = 12 * 3600.0
        self.requests: dict[str, list[Any]] = {}
        self.now = START
        self.was_sent = False
        self.account = worker_pb2.WorkerAccount(
            account_id=1, account="a1", login="a1", declarant_category="357039000000", epoch=1, can_take_new=True
        )
        self.order = worker_pb2.OrderInHand(
            order_id=7, cad_num=CAD_NUM, state=orders_pb2.ORDER_STATE_QUEUED, lane="main"
        )

    # What a test looks at

    def reasons(self) -> list[str]:
        return [request.reason for request in self.requests.get("ReleaseOrder", [])]

    # The rules

    def begin_anew(self, order_id: int) -> None:
        """Another order is handed out."""
        self.was_sent = False
        self.order = worker_pb2.OrderInHand(
            order_id=order_id, cad_num=CAD_NUM, state=orders_pb2.ORDER_STATE_QUEUED, lane="main"
        )

    def bind(self) -> None:
        self.order.is_bound = True
        self.order.lane = "@a1"

    def _take(self, name: str, request: Any, context: grpc.ServicerContext) -> None:
        self.log.append(name)
        self.requests.setdefault(name, []).append(request)
        self.now += dt.timedelta(milliseconds=10)
        self.order.as_of.FromDatetime(self.now)
        planned = self.script.get(name, [])
        answer = planned.pop(0) if planned else self.always.get(name)
        if isinstance(answer, _Abort):
            context.abort_with_status(answer.status)

    def OpenAccount(self, request: Any, context: Any) -> worker_pb2.OpenAccountResponse:
        self._take("OpenAccount", request, context)
        return worker_pb2.OpenAccountResponse(account=self.account)

    def ReadAccount(self, request: Any, context: Any) -> worker_pb2.ReadAccountResponse:
        self._take("ReadAccount", request, context)
        return worker_pb2.ReadAccountResponse(account=self.account)

    def MarkAccount(self, request: Any, context: Any) -> worker_pb2.MarkAccountResponse:
        self._take("MarkAccount", request, context)
        if self.is_mark_late:
            return worker_pb2.MarkAccountResponse(account=self.account)
        self.account.standby_kind = request.kind
        self.account.can_take_new = not request.kind
        self.account.why_not = request.reason
        return worker_pb2.MarkAccountResponse(account=self.account)

    def RecordPassword(self, request: Any, context: Any) -> worker_pb2.RecordPasswordResponse:
        self._take("RecordPassword", request, context)
        self.account.passwords_sent = 0 if request.was_useful else self.account.passwords_sent + 1
        return worker_pb2.RecordPasswordResponse(account=self.account)

    def ReserveCalls(self, request: Any, context: Any) -> worker_pb2.ReserveCallsResponse:
        self._take("ReserveCalls", request, context)
        granted = max(0, min(request.calls, request.daily_limit - self.calls_reserved))
        self.calls_reserved += granted
        return worker_pb2.ReserveCallsResponse(
            granted=granted, day_left=duration_pb2.Duration(seconds=round(self.day_left_s))
        )

    def ClaimOrder(self, request: Any, context: Any) -> worker_pb2.ClaimOrderResponse:
        self._take("ClaimOrder", request, context)
        if self.order.state == orders_pb2.ORDER_STATE_QUEUED:
            self.order.state = orders_pb2.ORDER_STATE_PROCESSING
        return worker_pb2.ClaimOrderResponse(order=self.order)

    def RecordIntent(self, request: Any, context: Any) -> worker_pb2.RecordIntentResponse:
        self._take("RecordIntent", request, context)
        is_uploaded = self.order.submission.is_uploaded
        self.order.submission.CopyFrom(request.submission)
        self.order.submission.is_uploaded = is_uploaded
        self.order.submission.was_sent = self.was_sent
        self.bind()
        return worker_pb2.RecordIntentResponse(order=self.order)

    def RecordUpload(self, request: Any, context: Any) -> worker_pb2.RecordUploadResponse:
        self._take("RecordUpload", request, context)
        self.order.submission.is_uploaded = True
        return worker_pb2.RecordUploadResponse(order=self.order)

    def PassGate(self, request: Any, context: Any) -> worker_pb2.PassGateResponse:
        self._take("PassGate", request, context)
        self.open_send(request.send_id, request.absent_after.ToTimedelta().total_seconds())
        return worker_pb2.PassGateResponse(order=self.order)

    def open_send(self, send_id: str, absent_after_s: float) -> None:
        self.was_sent = True
        self.order.state = orders_pb2.ORDER_STATE_UNCONFIRMED
        self.order.submission.was_sent = True
        self.order.open_send.send_id = send_id
        self.order.open_send.gate_at.FromDatetime(self.now)
        self.order.open_send.absent_from.FromDatetime(self.now + dt.timedelta(seconds=absent_after_s))

    def RecordFact(self, request: Any, context: Any) -> worker_pb2.RecordFactResponse:
        self._take(f"RecordFact:{request.WhichOneof('fact')}", request, context)
        if request.HasField("not_sent") and self.order.HasField("open_send"):
            self.order.ClearField("open_send")
            self.order.state = orders_pb2.ORDER_STATE_PROCESSING
        known = set(self.order.submission.known_application_ids)
        fresh = [row for row in request.reading.rows if row.application_id not in known]
        if fresh:
            self.order.state = orders_pb2.ORDER_STATE_REGISTERED
            self.order.order_number = fresh[0].order_number
            self.order.application_id = fresh[0].application_id
            self.order.ClearField("open_send")
        return worker_pb2.RecordFactResponse(order=self.order, is_weighed=True)

    def RecordNotFound(self, request: Any, context: Any) -> worker_pb2.RecordNotFoundResponse:
        self._take("RecordNotFound", request, context)
        self.order.state = orders_pb2.ORDER_STATE_QUEUED
        self.order.next_at.FromDatetime(self.now + request.recheck_in.ToTimedelta())
        return worker_pb2.RecordNotFoundResponse(order=self.order)

    def RecordCheck(self, request: Any, context: Any) -> worker_pb2.RecordCheckResponse:
        self._take("RecordCheck", request, context)
        return worker_pb2.RecordCheckResponse(order=self.order)

    def ReleaseOrder(self, request: Any, context: Any) -> worker_pb2.ReleaseOrderResponse:
        self._take("ReleaseOrder", request, context)
        if self.order.state == orders_pb2.ORDER_STATE_PROCESSING and not self.was_sent:
            self.order.state = orders_pb2.ORDER_STATE_QUEUED
            self.order.is_bound = False
            self.order.lane = "main"
        if request.HasField("trouble"):
            self._strikes += 1
            delay = request.delay.ToTimedelta() if self.grown_s is None else dt.timedelta(seconds=self.grown_s)
            self.order.next_at.FromDatetime(self.now + delay)
            if self._strikes == self.strikes_until_hold:
                self.order.hold_reason = request.reason
        return worker_pb2.ReleaseOrderResponse(order=self.order)

    def FailOrder(self, request: Any, context: Any) -> worker_pb2.FailOrderResponse:
        self._take("FailOrder", request, context)
        is_free = self.order.state == orders_pb2.ORDER_STATE_PROCESSING
        if is_free or request.is_portal_verdict:
            self.order.state = orders_pb2.ORDER_STATE_FAILED
        else:
            self.order.hold_reason = request.reason
        return worker_pb2.FailOrderResponse(order=self.order)

    def UploadPaper(self, request_iterator: Any, context: Any) -> worker_pb2.UploadPaperResponse:
        parts = list(request_iterator)
        self._take("UploadPaper", parts[0].header, context)
        self.requests.setdefault("chunks", []).append(b"".join(part.chunk for part in parts[1:]))
        if parts[0].header.kind == orders_pb2.PAPER_KIND_QUARANTINED:
            self.order.hold_reason = parts[0].header.reason
        else:
            is_extract = parts[0].header.kind == orders_pb2.PAPER_KIND_EXTRACT
            self.order.state = orders_pb2.ORDER_STATE_COMPLETED if is_extract else orders_pb2.ORDER_STATE_FAILED
        return worker_pb2.UploadPaperResponse(order=self.order)


@contextlib.contextmanager
def serving(service: FakeService) -> Iterator[int]:
    """Serve on a free port of loopback."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    worker_pb2_grpc.add_WorkerServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


class FakeCall:
    """A paid call in memory."""

    def __init__(self, portal: FakePortal, request: FinishRequest) -> None:
        self._portal = portal
        self.request = request
        self.is_closed = False

    def __enter__(self) -> FakeCall:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def open(self) -> None:
        self._portal.log.append("portal.open")

    def send(self, is_lease_held: Callable[[], bool]) -> SendResult:
        self._portal.log.append("portal.send")
        assert not self.is_closed, "a closed call was sent"
        self._portal.sent.append(self.request)
        return self._portal.finish(is_lease_held)

    def close(self) -> None:
        if not self.is_closed:
            self._portal.log.append("portal.close")
        self.is_closed = True


@dataclass
class FakePortal:
    """The portal as one account sees it. A field of kind `raising` makes that method raise once."""

    log: list[str]
    objects: tuple[FoundObject, ...] = (FoundObject(cad_num=CAD_NUM, object_type="002001003000"),)
    card: Card = field(
        default_factory=lambda: Card(cad_num=CAD_NUM, object_type="002001003000", status="1", cancelled="")
    )
    orders_left: int = 87
    person: str = PERSON
    rows: list[Application] = field(default_factory=list)
    is_complete: bool = True
    paper: bytes = b""
    raising: dict[str, list[Exception]] = field(default_factory=dict)
    sent: list[FinishRequest] = field(default_factory=list)
    uploads: list[Any] = field(default_factory=list)
    calls: list[FakeCall] = field(default_factory=list)
    result: SendResult = field(default_factory=lambda: Answered(status=200, text=NUMBER, expected_number=NUMBER))
    row_after_finish: bool = True
    on_finish: Callable[[], None] = lambda: None
    #: How often a step went well.
    went_well: dict[str, int] = field(default_factory=dict)
    forgotten_profiles: int = 0
    needed: list[int] = field(default_factory=list)
    held_s: list[float] = field(default_factory=list)

    def _asked(self, step: str) -> None:
        self.log.append(f"portal.{step}")
        planned = self.raising.get(step, [])
        if planned:
            raise planned.pop(0)

    def person_oid(self) -> str:
        return self.person

    def successes(self, step: str) -> int:
        return self.went_well.get(step, 0)

    def need_calls(self, calls: int) -> None:
        self.needed.append(calls)
        planned = self.raising.get("need_calls", [])
        if planned:
            raise planned.pop(0)

    def forget_profile(self) -> None:
        self.forgotten_profiles += 1

    def hold(self, seconds: float) -> None:
        self.held_s.append(seconds)

    @contextlib.contextmanager
    def pausing_with(self, _sleep: Any) -> Iterator[None]:
        yield

    def finish(self, _is_lease_held: Callable[[], bool]) -> SendResult:
        if self.row_after_finish:
            self.rows.append(row())
        self.on_finish()
        return self.result

    def search(self, _cad_num: str) -> tuple[FoundObject, ...]:
        self._asked("search")
        return self.objects

    def cards(self, _cad_num: str) -> tuple[Card, ...]:
        self._asked("cards")
        return (self.card,)

    def balance(self) -> int:
        self._asked("balance")
        return self.orders_left

    def access_key(self) -> str:
        self._asked("access_key")
        return KEY

    def profile(self) -> Declarant:
        self._asked("profile")
        passport = Passport(series="0000", number="000000", issue_date="2000-01-01", issuer="TEST")
        return Declarant(
            person_oid=self.person,
            first_name="T",
            last_name="T",
            middle_name="",
            snils="000",
            email="t@example.org",
            phone="+70000000000",
            passport=passport,
        )

    def upload(self, statement: Any) -> None:
        self._asked("upload")
        self.uploads.append(statement)

    def prepare_finish(self, request: FinishRequest) -> FakeCall:
        self._asked("prepare")
        self.calls.append(FakeCall(self, request))
        return self.calls[-1]

    def list_applications(self, *, cad_num: str = "") -> Listing:
        self._asked("list" if not cad_num else "list_filtered")
        return Listing(
            person_oid=self.person,
            cad_num=cad_num,
            rows=tuple(self.rows),
            is_complete=self.is_complete,
            rows_in_all=len(self.rows),
        )

    def find_application(self, request_number: str) -> Application | None:
        self._asked("find")
        return next((row for row in self.rows if row.request_number == request_number), None)

    def download(self, _application_id: int, into: Path) -> Downloaded:
        self._asked("download")
        into.write_bytes(self.paper)
        return Downloaded(path=into, size_bytes=len(self.paper), sha256="0" * 64)


def row(
    application_id: int = 900001,
    *,
    number: str = NUMBER,
    cad_num: str = CAD_NUM,
    status: tuple[str, str] = ("processing", "В работе"),
) -> Application:
    """A row of the account's list."""
    return Application(
        application_id=application_id,
        request_number=number,
        cad_num=cad_num,
        status_code=status[0],
        request_status=status[1],
    )


def delivery(
    *,
    order_id: object = 7,
    lane: str = "main",
    is_last: bool = False,
    lease_s: float = 3600.0,
    stop: StopClock | None = None,
) -> Delivery:
    """One hand-out of the order's job."""
    return make_delivery(
        str(order_id),
        {"order_id": order_id},
        lane=lane,
        is_last_attempt=is_last,
        lease=Lease(str(order_id), boot_time_s() + lease_s),
        stop=stop,
    )
