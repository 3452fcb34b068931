"""WorkerService over gRPC, as a worker in any language meets it."""

from __future__ import annotations

import dataclasses
import hashlib
import uuid
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from orders_service.api.grpc.worker import WorkerServicer
from orders_service.server import interceptors
from orders_service.settings import Settings
from orders_service.v1 import operator_pb2, orders_pb2, rosreestr_users_pb2, worker_pb2, worker_pb2_grpc
from tests.integration.orders_service.life.bench import CAD_NUM, PERSON, Bench

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

    from google.protobuf.message import Message

    from orders_service.domain.orders import Holder

FENCE = 1_700_000_000_000_001


class Client:
    """Calls a real server; each call runs the loop that the server runs on."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._server: grpc.aio.Server | None = None
        self._channel: grpc.aio.Channel | None = None

    def start(self) -> None:
        self._bench.run(self._start())

    def stop(self) -> None:
        self._bench.run(self._stop())

    async def _start(self) -> None:
        self._server = grpc.aio.server(interceptors=interceptors())
        worker_pb2_grpc.add_WorkerServiceServicer_to_server(WorkerServicer(self._bench.db, Settings()), self._server)
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self.stub: Any = worker_pb2_grpc.WorkerServiceStub(self._channel)

    async def _stop(self) -> None:
        assert self._channel is not None
        assert self._server is not None
        await self._channel.close()
        await self._server.stop(None)

    def call(self, method: str, request: Message | AsyncIterator[Message]) -> Any:
        async def ask() -> Any:
            return await getattr(self.stub, method)(request)

        answer: Coroutine[Any, Any, Any] = ask()
        return self._bench.run(answer)

    def refusal(self, method: str, request: Message | AsyncIterator[Message]) -> grpc.aio.AioRpcError:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            self.call(method, request)
        return caught.value


@pytest.fixture
def client(bench: Bench) -> Iterator[Client]:
    made = Client(bench)
    made.start()
    yield made
    made.stop()


def holder_of(order_id: int, epoch: int, fence: int = FENCE) -> worker_pb2.OrderHolder:
    return worker_pb2.OrderHolder(account="first", epoch=epoch, order_id=order_id, fence=fence, token="token")


def holder_message(holder: Holder) -> worker_pb2.OrderHolder:
    fields = dataclasses.asdict(holder)
    return worker_pb2.OrderHolder(account=fields.pop("username"), **fields)


def submission() -> worker_pb2.OrderSubmission:
    return worker_pb2.OrderSubmission(
        super_package_guid=str(uuid.uuid4()),
        statement_guid=str(uuid.uuid4()),
        package_guid=str(uuid.uuid4()),
        draft_guid=str(uuid.uuid4()),
        person_oid=PERSON,
        access_key="key",
        balance=50,
        portal_cad_num=CAD_NUM,
        known_application_ids=[7],
    )


def error_info(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    status = rpc_status.from_call(error)
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return info


def test_a_worker_takes_an_order_to_its_extract(bench: Bench, client: Client) -> None:
    bench.execute("update rosreestr_users set password_encrypted = 'sealed', gu_login = '+70000000000'")
    account = client.call("OpenAccount", worker_pb2.OpenAccountRequest(account="first", opened_by="host:1")).account
    holder = holder_of(bench.add_order(), account.epoch)

    claimed = client.call("ClaimOrder", worker_pb2.ClaimOrderRequest(holder=holder)).order
    intent = client.call("RecordIntent", worker_pb2.RecordIntentRequest(holder=holder, submission=submission())).order
    client.call("RecordUpload", worker_pb2.RecordUploadRequest(holder=holder))
    send_id = str(uuid.uuid4())
    gated = client.call(
        "PassGate", worker_pb2.PassGateRequest(holder=holder, send_id=send_id, absent_after=Duration(seconds=3600))
    ).order
    client.call(
        "RecordFact",
        worker_pb2.RecordFactRequest(
            holder=holder,
            send_id=send_id,
            finish_answer=worker_pb2.FinishAnswer(http_status=200, text='"N-1\x00"', expected_number="N-1"),
        ),
    )
    row = worker_pb2.ApplicationRow(
        application_id=901, order_number="N-1", cad_num=CAD_NUM, status_code="created", request_status="Создана"
    )
    reading = worker_pb2.ListReading(
        begun_at=gated.as_of, person_oid=PERSON, is_unfiltered=True, is_complete=True, balance=49, rows=[row]
    )
    told = client.call("RecordFact", worker_pb2.RecordFactRequest(holder=holder, reading=reading))
    checked = client.call(
        "RecordCheck", worker_pb2.RecordCheckRequest(holder=holder, row=row, next_check_in=Duration(seconds=60))
    ).order
    data = b"PK" * 1000

    async def parts() -> AsyncIterator[worker_pb2.UploadPaperRequest]:
        header = worker_pb2.PaperHeader(
            holder=holder,
            kind=orders_pb2.PAPER_KIND_EXTRACT,
            sha256=hashlib.sha256(data).hexdigest(),
            size_bytes=len(data),
            file_name="a.zip",
            cad_num=CAD_NUM,
        )
        yield worker_pb2.UploadPaperRequest(header=header)
        for start in range(0, len(data), 600):
            yield worker_pb2.UploadPaperRequest(chunk=data[start : start + 600])

    stored = client.call("UploadPaper", parts()).order

    assert (account.login, account.sealed_password, account.can_take_new) == ("+70000000000", "sealed", True)
    assert (claimed.state, claimed.lane, claimed.is_bound) == (orders_pb2.ORDER_STATE_PROCESSING, "main", False)
    assert not claimed.HasField("submission")
    assert (intent.is_bound, intent.lane, intent.submission.is_uploaded) == (True, "@first", False)
    assert list(intent.submission.known_application_ids) == [7]
    assert gated.state == orders_pb2.ORDER_STATE_UNCONFIRMED
    assert (gated.open_send.send_id, gated.submission.was_sent) == (send_id, True)
    assert gated.as_of.ToNanoseconds() >= gated.open_send.gate_at.ToNanoseconds()
    assert gated.open_send.absent_from.seconds - gated.open_send.gate_at.seconds == 3600
    assert told.is_weighed
    assert (told.order.state, told.order.order_number) == (orders_pb2.ORDER_STATE_REGISTERED, "N-1")
    assert checked.application_id == 901
    assert checked.HasField("next_at")
    assert stored.state == orders_pb2.ORDER_STATE_COMPLETED


def test_the_other_reports_reach_their_use_cases(bench: Bench, client: Client) -> None:
    account = client.call("OpenAccount", worker_pb2.OpenAccountRequest(account="first", opened_by="host:1")).account
    holder = holder_of(bench.add_order(), account.epoch)
    client.call("ClaimOrder", worker_pb2.ClaimOrderRequest(holder=holder))

    released = client.call(
        "ReleaseOrder", worker_pb2.ReleaseOrderRequest(holder=holder, reason="stop", delay=Duration(seconds=5))
    ).order
    holder.fence += 1
    client.call("ClaimOrder", worker_pb2.ClaimOrderRequest(holder=holder))
    refusal = worker_pb2.PortalRefusal(step="search", http_status=500, text="нет")
    client.call("RecordFact", worker_pb2.RecordFactRequest(holder=holder, refusal=refusal))
    not_found = client.call(
        "RecordNotFound", worker_pb2.RecordNotFoundRequest(holder=holder, recheck_in=Duration(seconds=600))
    ).order
    holder.fence += 1
    client.call("ClaimOrder", worker_pb2.ClaimOrderRequest(holder=holder))
    failed = client.call("FailOrder", worker_pb2.FailOrderRequest(holder=holder, reason="нет")).order
    marked = client.call(
        "MarkAccount",
        worker_pb2.MarkAccountRequest(
            account="first",
            epoch=account.epoch,
            kind=rosreestr_users_pb2.STANDBY_KIND_EXHAUSTED,
            reason="why",
            retry_in=Duration(seconds=60),
        ),
    ).account
    read = client.call("ReadAccount", worker_pb2.ReadAccountRequest(account="first", epoch=account.epoch)).account

    assert (released.state, released.HasField("next_at")) == (orders_pb2.ORDER_STATE_QUEUED, True)
    assert not_found.state == orders_pb2.ORDER_STATE_QUEUED
    assert failed.state == orders_pb2.ORDER_STATE_FAILED
    assert (marked.standby_kind, marked.can_take_new) == (rosreestr_users_pb2.STANDBY_KIND_EXHAUSTED, False)
    assert "why" in marked.why_not
    assert read.HasField("standby_until")


def test_a_refusal_carries_its_reason_for_machines(bench: Bench, client: Client) -> None:
    holder = bench.sent()
    epoch = bench.add_account("second") and bench.open("second")
    stranger = worker_pb2.OrderHolder(
        account="second", epoch=epoch, order_id=holder.order_id, fence=holder.fence + 10, token="t"
    )

    error = client.refusal("ClaimOrder", worker_pb2.ClaimOrderRequest(holder=stranger))

    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    info = error_info(error)
    assert (info.domain, info.reason) == ("orders_service", "BOUND_TO_OTHER_ACCOUNT")
    assert info.metadata == {"account": "first"}


def test_every_reason_that_a_use_case_gives_is_the_contracts(bench: Bench, client: Client) -> None:
    """A worker's refusals have their enum, a person's theirs; WRONG_STATE is in both."""
    import re
    from pathlib import Path

    import orders_service

    source = Path(orders_service.__file__).parent
    text = "".join(path.read_text() for folder in ("life", "domain") for path in (source / folder).glob("*.py"))
    given = set(re.findall(r'Refused\(\s*"([A-Z_]+)"', text)) | set(re.findall(r'return \(?\s*"([A-Z_]{5,})"', text))
    known = {name.removeprefix("REFUSAL_REASON_") for name in worker_pb2.RefusalReason.keys()}  # noqa: SIM118

    decided = {name.removeprefix("DECISION_REFUSAL_") for name in operator_pb2.DecisionRefusal.keys()}  # noqa: SIM118

    assert given - known - decided == set()
    assert decided - {"UNSPECIFIED"} <= given | {"WRONG_STATE"}
    assert known & decided == {"UNSPECIFIED", "WRONG_STATE"}
    assert known - given == {"UNSPECIFIED"}


def test_unknown_orders_and_accounts_are_not_found(bench: Bench, client: Client) -> None:
    epoch = bench.open()

    order = client.refusal("ClaimOrder", worker_pb2.ClaimOrderRequest(holder=holder_of(404, epoch)))
    account = client.refusal("OpenAccount", worker_pb2.OpenAccountRequest(account="nobody", opened_by="x"))

    assert (order.code(), error_info(order).reason) == (grpc.StatusCode.NOT_FOUND, "ORDER_UNKNOWN")
    assert (account.code(), error_info(account).reason) == (grpc.StatusCode.NOT_FOUND, "ACCOUNT_UNKNOWN")


@pytest.mark.parametrize(
    ("method", "request_message", "field"),
    [
        ("ClaimOrder", worker_pb2.ClaimOrderRequest(), "holder.account"),
        ("ClaimOrder", worker_pb2.ClaimOrderRequest(holder=holder_of(1, 1, fence=-1)), "holder.fence"),
        ("RecordIntent", worker_pb2.RecordIntentRequest(holder=holder_of(1, 1)), "submission.person_oid"),
        (
            "RecordIntent",
            worker_pb2.RecordIntentRequest(
                holder=holder_of(1, 1),
                submission=worker_pb2.OrderSubmission(person_oid="1", access_key="k", portal_cad_num="1:1:1:1"),
            ),
            "submission.super_package_guid",
        ),
        (
            "PassGate",
            worker_pb2.PassGateRequest(holder=holder_of(1, 1), send_id="x", absent_after=Duration(seconds=1)),
            "send_id",
        ),
        ("RecordFact", worker_pb2.RecordFactRequest(holder=holder_of(1, 1)), "fact"),
        (
            "RecordFact",
            worker_pb2.RecordFactRequest(holder=holder_of(1, 1), reading=worker_pb2.ListReading()),
            "reading.begun_at",
        ),
    ],
)
def test_what_is_missing_is_named(client: Client, method: str, request_message: Message, field: str) -> None:
    error = client.refusal(method, request_message)

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() is not None
    assert field in str(error.details())


def test_an_upload_begins_with_its_header_and_has_one(bench: Bench, client: Client) -> None:
    holder = bench.registered()
    message = holder_message(holder)
    header = worker_pb2.PaperHeader(
        holder=message,
        kind=orders_pb2.PAPER_KIND_EXTRACT,
        sha256="0" * 64,
        size_bytes=3,
        file_name="a.zip",
        cad_num=CAD_NUM,
    )

    async def stream(*parts: worker_pb2.UploadPaperRequest) -> AsyncIterator[worker_pb2.UploadPaperRequest]:
        for part in parts:
            yield part

    chunk = worker_pb2.UploadPaperRequest(chunk=b"PK")
    head = worker_pb2.UploadPaperRequest(header=header)
    for parts in ((), (chunk,), (head, head), (head, chunk), (head, chunk, chunk), (head, chunk, head)):
        error = client.refusal("UploadPaper", stream(*parts))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT

    assert bench.all("select * from extracts") == []
    assert bench.state(holder.order_id) == "registered"


def test_while_the_database_is_away_a_call_is_unavailable(bench: Bench, client: Client) -> None:
    holder = bench.uploaded()
    message = holder_message(holder)
    bench.run(bench.db.close())

    error = client.refusal("RecordUpload", worker_pb2.RecordUploadRequest(holder=message))

    assert error.code() is grpc.StatusCode.UNAVAILABLE
