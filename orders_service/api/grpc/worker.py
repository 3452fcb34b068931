"""WorkerService: what a worker asks and reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orders_service import errors
from orders_service.api.grpc import worker_messages as messages
from orders_service.api.grpc.messages import read_seconds
from orders_service.api.grpc.words import PAPER_KINDS, STANDBY_KINDS
from orders_service.life import calls, claiming, keeping_facts, opening, papers, reporting, submitting
from orders_service.store import extracts
from orders_service.v1 import worker_pb2 as v1
from orders_service.v1 import worker_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from orders_service.api.grpc.status import Context
    from orders_service.settings import Settings
    from orders_service.store.db import Database


class WorkerServicer(worker_pb2_grpc.WorkerServiceServicer):
    """Answers by the use cases of `orders_service.life`."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._lease_s = settings.order_lease_s
        self._place = extracts.check_place(settings.extract_store)

    async def OpenAccount(self, request: v1.OpenAccountRequest, context: Context) -> v1.OpenAccountResponse:
        """Raise the account's epoch."""
        opened = await opening.open_account(self._database, request.account, request.opened_by)
        return v1.OpenAccountResponse(account=messages.account_message(opened))

    async def ReadAccount(self, request: v1.ReadAccountRequest, context: Context) -> v1.ReadAccountResponse:
        """The account as it stands."""
        account = await opening.read_account(self._database, request.account, request.epoch)
        return v1.ReadAccountResponse(account=messages.account_message(account))

    async def MarkAccount(self, request: v1.MarkAccountRequest, context: Context) -> v1.MarkAccountResponse:
        """Say how the account stands."""
        account = await opening.mark_account(
            self._database,
            request.account,
            request.epoch,
            kind=STANDBY_KINDS.optional_word(request.kind, "kind"),
            reason=request.reason,
            retry_in_s=read_seconds(request.retry_in) if request.HasField("retry_in") else None,
            secrets_version=request.secrets_version,
        )
        return v1.MarkAccountResponse(account=messages.account_message(account))

    async def RecordPassword(self, request: v1.RecordPasswordRequest, context: Context) -> v1.RecordPasswordResponse:
        """Count a password."""
        account = await opening.record_password(
            self._database, request.account, request.epoch, was_useful=request.was_useful
        )
        return v1.RecordPasswordResponse(account=messages.account_message(account))

    async def ReserveCalls(self, request: v1.ReserveCallsRequest, context: Context) -> v1.ReserveCallsResponse:
        """Reserve calls to the portal."""
        reserved = await calls.reserve_calls(
            self._database, request.account, request.epoch, calls=request.calls, daily_limit=request.daily_limit
        )
        return v1.ReserveCallsResponse(
            granted=reserved.granted, day_left=messages.duration_message(reserved.day_left_s)
        )

    async def ClaimOrder(self, request: v1.ClaimOrderRequest, context: Context) -> v1.ClaimOrderResponse:
        """Take the order in hand."""
        order = await claiming.claim_order(self._database, messages.read_holder(request.holder))
        return v1.ClaimOrderResponse(order=messages.order_message(order))

    async def RecordIntent(self, request: v1.RecordIntentRequest, context: Context) -> v1.RecordIntentResponse:
        """Write the intent."""
        holder = messages.read_holder(request.holder)
        order = await submitting.record_intent(self._database, holder, messages.read_submission(request.submission))
        return v1.RecordIntentResponse(order=messages.order_message(order))

    async def RecordUpload(self, request: v1.RecordUploadRequest, context: Context) -> v1.RecordUploadResponse:
        """Journal the upload."""
        order = await submitting.record_upload(self._database, messages.read_holder(request.holder))
        return v1.RecordUploadResponse(order=messages.order_message(order))

    async def PassGate(self, request: v1.PassGateRequest, context: Context) -> v1.PassGateResponse:
        """Pass the gate."""
        order = await submitting.pass_gate(
            self._database,
            messages.read_holder(request.holder),
            messages.read_uuid(request.send_id, "send_id"),
            absent_after_s=read_seconds(request.absent_after),
            is_portal_on_loopback=request.is_portal_on_loopback,
        )
        return v1.PassGateResponse(order=messages.order_message(order))

    async def RecordFact(self, request: v1.RecordFactRequest, context: Context) -> v1.RecordFactResponse:
        """Keep a fact."""
        send_id = messages.read_uuid(request.send_id, "send_id") if request.send_id else None
        recorded = await keeping_facts.record_fact(
            self._database,
            messages.read_holder(request.holder),
            messages.read_fact(request),
            send_id=send_id,
            lease_s=self._lease_s,
        )
        return v1.RecordFactResponse(order=messages.order_message(recorded.order), is_weighed=recorded.is_weighed)

    async def RecordNotFound(self, request: v1.RecordNotFoundRequest, context: Context) -> v1.RecordNotFoundResponse:
        """The object isn't known."""
        order = await reporting.record_not_found(
            self._database, messages.read_holder(request.holder), recheck_s=read_seconds(request.recheck_in)
        )
        return v1.RecordNotFoundResponse(order=messages.order_message(order))

    async def RecordCheck(self, request: v1.RecordCheckRequest, context: Context) -> v1.RecordCheckResponse:
        """Not ready yet."""
        order = await reporting.record_check(
            self._database,
            messages.read_holder(request.holder),
            row=messages.read_row(request.row) if request.HasField("row") else None,
            next_check_s=read_seconds(request.next_check_in),
        )
        return v1.RecordCheckResponse(order=messages.order_message(order))

    async def ReleaseOrder(self, request: v1.ReleaseOrderRequest, context: Context) -> v1.ReleaseOrderResponse:
        """Put the order down."""
        order = await claiming.release_order(
            self._database,
            messages.read_holder(request.holder),
            reason=request.reason,
            delay_s=read_seconds(request.delay),
            trouble=messages.read_trouble(request.trouble) if request.HasField("trouble") else None,
        )
        return v1.ReleaseOrderResponse(order=messages.order_message(order))

    async def FailOrder(self, request: v1.FailOrderRequest, context: Context) -> v1.FailOrderResponse:
        """The order can't be fulfilled."""
        order = await reporting.fail_order(
            self._database,
            messages.read_holder(request.holder),
            reason=request.reason,
            is_portal_verdict=request.is_portal_verdict,
        )
        return v1.FailOrderResponse(order=messages.order_message(order))

    async def UploadPaper(
        self, request_iterator: AsyncIterator[v1.UploadPaperRequest], context: Context
    ) -> v1.UploadPaperResponse:
        """Bring the paper."""
        first = await anext(request_iterator, None)
        if first is None or first.WhichOneof("part") != "header":
            raise errors.InvalidInput.of("header", "must be the first message.")
        header = first.header
        order = await papers.store_paper(
            self._database,
            messages.read_holder(header.holder),
            papers.NewPaper(
                kind=PAPER_KINDS.word(header.kind, "header.kind"),
                sha256=header.sha256,
                size_bytes=header.size_bytes,
                file_name=header.file_name,
                cad_num=header.cad_num,
                registration_number=header.registration_number,
                formed_on=header.formed_on,
                reason=header.reason,
                row=messages.read_row(header.row) if header.HasField("row") else None,
            ),
            _chunks(request_iterator),
            place=self._place,
        )
        return v1.UploadPaperResponse(order=messages.order_message(order))


async def _chunks(requests: AsyncIterator[v1.UploadPaperRequest]) -> AsyncIterator[bytes]:
    async for request in requests:
        if request.WhichOneof("part") != "chunk":
            raise errors.InvalidInput.of("header", "may only be the first message.")
        yield request.chunk
