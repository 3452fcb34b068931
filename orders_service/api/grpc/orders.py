"""OrdersService: orders, from the client's side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from orders_service.api.grpc.messages import event_message, order_message, paper_message, read_time, state_name
from orders_service.api.grpc.status import translates_errors, translates_stream_errors
from orders_service.orders import accept, download, search
from orders_service.orders.validation import WantedOrder
from orders_service.v1 import orders_pb2 as v1
from orders_service.v1 import orders_pb2_grpc

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator

    from orders_service.api.grpc.status import Context
    from orders_service.store.db import Database


class OrdersServicer(orders_pb2_grpc.OrdersServiceServicer):
    """Answers by the use cases of `orders_service.orders`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @translates_errors
    async def CreateOrders(self, request: v1.CreateOrdersRequest, context: Context) -> v1.CreateOrdersResponse:
        """Accept many orders at once."""
        wanted = [
            WantedOrder(
                cad_num=order.cad_num,
                idempotency_key=order.idempotency_key,
                recipient=order.recipient,
                comment=order.comment,
                is_urgent=order.is_urgent,
            )
            for order in request.orders
        ]
        created = await accept.create_orders(self._database, wanted)
        return v1.CreateOrdersResponse(
            orders=[v1.CreatedOrder(order=order_message(one.order), is_existing=one.is_existing) for one in created]
        )

    @translates_errors
    async def GetOrder(self, request: v1.GetOrderRequest, context: Context) -> v1.GetOrderResponse:
        """One order as it stands now."""
        order = await search.get_order(self._database, request.id)
        events = await search.list_events(self._database, request.id) if request.with_events else []
        return v1.GetOrderResponse(order=order_message(order), events=[event_message(event) for event in events])

    @translates_errors
    async def ListOrders(self, request: v1.ListOrdersRequest, context: Context) -> v1.ListOrdersResponse:
        """A page of orders."""
        filters = search.Filters(
            states=tuple(state_name(value, f"states[{index}]") for index, value in enumerate(request.states)),
            cad_num=request.cad_num,
            username=request.username,
            only_on_hold=request.only_on_hold,
            created_from=_time(request, "created_from"),
            created_before=_time(request, "created_before"),
        )
        page = await search.list_orders(
            self._database,
            filters,
            page_size=request.page_size or search.DEFAULT_PAGE,
            page_token=request.page_token,
        )
        return v1.ListOrdersResponse(
            orders=[order_message(order) for order in page.orders], next_page_token=page.next_page_token
        )

    @translates_stream_errors
    async def DownloadExtract(
        self, request: v1.DownloadExtractRequest, context: Context
    ) -> AsyncIterator[v1.DownloadExtractResponse]:
        """The extract's ZIP."""
        paper, extract_id = await download.find_paper(self._database, request.order_id)
        yield v1.DownloadExtractResponse(header=paper_message(paper))
        async for piece in download.read_pieces(self._database, request.order_id, paper, extract_id):
            yield v1.DownloadExtractResponse(chunk=piece)


def _time(request: v1.ListOrdersRequest, field: Literal["created_from", "created_before"]) -> dt.datetime | None:
    return read_time(getattr(request, field), field) if request.HasField(field) else None
