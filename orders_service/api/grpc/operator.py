"""OperatorService: what persons decide about orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.access.callers import current
from orders_service.api.grpc import webhook_calls
from orders_service.api.grpc.messages import order_message, paper_message, time_message
from orders_service.api.grpc.worker_messages import read_uuid
from orders_service.domain.decisions import Basis
from orders_service.life import cases, deciding, retrying
from orders_service.orders import download, search
from orders_service.v1 import operator_pb2 as v1
from orders_service.v1 import operator_pb2_grpc
from orders_service.webhooks import manage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from orders_service.api.grpc.status import Context
    from orders_service.settings import Settings
    from orders_service.store.db import Database
    from orders_service.v1 import orders_pb2

_MAX_NUMBER: Final = 100
_MAX_ACTOR: Final = 200
#: More than a list has rows of one object, and finish has answers.
_MAX_NAMED: Final = 1000


class OperatorServicer(operator_pb2_grpc.OperatorServiceServicer):
    """Answers by the use cases of `orders_service.life`."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._lease_s = settings.order_lease_s

    async def GetOrderCase(self, request: v1.GetOrderCaseRequest, context: Context) -> v1.GetOrderCaseResponse:
        """What a person must know before deciding."""
        case = await cases.read_case(self._database, request.order_id, lease_s=self._lease_s)
        return v1.GetOrderCaseResponse(
            case_no=case.case_no,
            send_id=str(case.send_id or ""),
            hold_reason=case.hold_reason or "",
            rows=[
                v1.CandidateRow(
                    application_id=row.application_id,
                    order_number=row.order_number,
                    cad_num=row.cad_num,
                    request_status=row.request_status,
                    first_seen_at=time_message(row.first_seen_at),
                    last_seen_at=time_message(row.last_seen_at),
                )
                for row in case.seen.rows
            ],
            answers=case.seen.answers,
            unread_facts=case.seen.unread,
            balance=case.seen.balance,
            ways=case.ways,
        )

    async def SettleByNumber(self, request: v1.SettleByNumberRequest, context: Context) -> v1.SettleByNumberResponse:
        """It stands at the portal under this number."""
        if len(request.number) > _MAX_NUMBER:
            raise errors.InvalidInput.of("number", f"may have up to {_MAX_NUMBER} characters.")
        await deciding.settle_by_number(
            self._database,
            _basis(request.basis),
            request.number,
            despite=_named(request.despite),
            is_unseen=request.is_unseen,
            lease_s=self._lease_s,
        )
        return v1.SettleByNumberResponse(order=await self._order(request.basis))

    async def SettleAsAbsent(self, request: v1.SettleAsAbsentRequest, context: Context) -> v1.SettleAsAbsentResponse:
        """It isn't at the portal."""
        if len(request.application_ids) > _MAX_NAMED:
            raise errors.InvalidInput.of("application_ids", f"may name up to {_MAX_NAMED} rows.")
        await deciding.settle_as_absent(
            self._database,
            _basis(request.basis),
            application_ids=request.application_ids,
            despite=_named(request.despite),
            lease_s=self._lease_s,
        )
        return v1.SettleAsAbsentResponse(order=await self._order(request.basis))

    async def ResumeOrder(self, request: v1.ResumeOrderRequest, context: Context) -> v1.ResumeOrderResponse:
        """Lift the hold and decide nothing."""
        await deciding.resume(self._database, _basis(request.basis), lease_s=self._lease_s)
        return v1.ResumeOrderResponse(order=await self._order(request.basis))

    async def GiveUpOrder(self, request: v1.GiveUpOrderRequest, context: Context) -> v1.GiveUpOrderResponse:
        """End the order."""
        await deciding.give_up(self._database, _basis(request.basis), lease_s=self._lease_s)
        return v1.GiveUpOrderResponse(order=await self._order(request.basis))

    async def RetryOrder(self, request: v1.RetryOrderRequest, context: Context) -> v1.RetryOrderResponse:
        """Try an order again that is over."""
        await retrying.retry(self._database, _basis(request.basis), lease_s=self._lease_s)
        return v1.RetryOrderResponse(order=await self._order(request.basis))

    async def _order(self, basis: v1.DecisionBasis) -> orders_pb2.Order:
        return order_message(await search.get_order(self._database, basis.order_id))

    async def DownloadAnyPaper(
        self, request: v1.DownloadAnyPaperRequest, context: Context
    ) -> AsyncIterator[v1.DownloadAnyPaperResponse]:
        """Any paper of an order, also one that was put aside."""
        paper, stored = await download.find_any_paper(self._database, request.order_id, request.sha256)
        pieces = download.read_pieces(self._database, request.order_id, stored, offset=request.offset)
        first = await anext(pieces, None)
        yield v1.DownloadAnyPaperResponse(header=paper_message(paper))
        if first is not None:
            yield v1.DownloadAnyPaperResponse(chunk=first)
            async for piece in pieces:
                yield v1.DownloadAnyPaperResponse(chunk=piece)

    async def GetWebhook(self, request: v1.GetWebhookRequest, context: Context) -> v1.GetWebhookResponse:
        """Where a client is told of its orders."""
        view = await manage.find_webhook(self._database, request.webhook_name)
        return v1.GetWebhookResponse(webhook=webhook_calls.webhook_message(view))

    async def SwitchWebhook(self, request: v1.SwitchWebhookRequest, context: Context) -> v1.SwitchWebhookResponse:
        """Tell the client nothing more, or again."""
        return v1.SwitchWebhookResponse(webhook=await webhook_calls.switch(self._database, request))

    async def ListWebhookNotifications(
        self, request: v1.ListWebhookNotificationsRequest, context: Context
    ) -> v1.ListWebhookNotificationsResponse:
        """What clients were told of."""
        return await webhook_calls.list_page(self._database, request)

    async def ResendWebhookNotifications(
        self, request: v1.ResendWebhookNotificationsRequest, context: Context
    ) -> v1.ResendWebhookNotificationsResponse:
        """Tell it again."""
        return v1.ResendWebhookNotificationsResponse(count=await webhook_calls.resend(self._database, request))


def _basis(message: v1.DecisionBasis) -> Basis:
    if len(message.actor) > _MAX_ACTOR:
        raise errors.InvalidInput.of("basis.actor", f"may have up to {_MAX_ACTOR} characters.")
    # Who has a token can't decide in the name of another.
    actor = current().name if current().token_id is not None else message.actor
    return Basis(
        order_id=message.order_id,
        send_id=read_uuid(message.send_id, "basis.send_id") if message.send_id else None,
        case_no=message.case_no,
        actor=actor,
        reason=message.reason,
    )


def _named(despite: Collection[str]) -> Collection[str]:
    if len(despite) > _MAX_NAMED:
        raise errors.InvalidInput.of("despite", f"may name up to {_MAX_NAMED} numbers.")
    return despite
