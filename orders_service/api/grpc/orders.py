"""OrdersService: orders, from the client's side."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, Literal

from orders_service import errors
from orders_service.access.callers import current
from orders_service.api.grpc.messages import (
    event_message,
    fit,
    order_message,
    paper_message,
    read_time,
    step_message,
    warning_messages,
)
from orders_service.api.grpc.statistics_messages import statistics_message
from orders_service.api.grpc.summary_messages import EXPORT_FORMATS, summary_message
from orders_service.api.grpc.words import STATES
from orders_service.domain import paging
from orders_service.life import cancelling
from orders_service.orders import accept, bundle, download, export, search, statistics, summaries
from orders_service.orders.validation import WantedOrder, check_length
from orders_service.orders.watch import Wish
from orders_service.turns import in_turn
from orders_service.v1 import orders_pb2 as v1
from orders_service.v1 import orders_pb2_grpc

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator, Iterable, Sequence

    from orders_service.api.grpc.status import Context
    from orders_service.orders.accept import CreatedOrder
    from orders_service.orders.validation import BadRow
    from orders_service.orders.watch import Watch
    from orders_service.store.db import Database


_MAX_REASON: Final = 1000
_MAX_ACTOR: Final = 200


class OrdersServicer(orders_pb2_grpc.OrdersServiceServicer):
    """Answers by the use cases of `orders_service.orders`."""

    def __init__(self, database: Database, watch: Watch) -> None:
        self._database = database
        self._watch = watch

    async def CreateOrder(self, request: v1.CreateOrderRequest, context: Context) -> v1.CreateOrderResponse:
        """Accept one order."""
        created = await accept.create_order(self._database, _wanted(request.order), client=_client())
        assert created.order is not None, "one order is answered whole"
        return v1.CreateOrderResponse(
            order=order_message(created.order), is_existing=created.is_existing, warnings=warning_messages(created)
        )

    async def BatchCreateOrders(
        self, request: v1.BatchCreateOrdersRequest, context: Context
    ) -> v1.BatchCreateOrdersResponse:
        """Accept many orders at once."""
        # Ten thousand messages take a while to read and to write: other calls go on meanwhile.
        wanted = await _read_all(request.orders)
        created = await accept.create_orders(self._database, wanted, client=_client(), with_orders=request.with_orders)
        return await in_turn(_batch_message, created)

    async def CheckOrders(self, request: v1.CheckOrdersRequest, context: Context) -> v1.CheckOrdersResponse:
        """What is wrong with orders."""
        wanted = await _read_all(request.orders)
        checked = await accept.check_orders(self._database, wanted, client=_client())
        return await in_turn(_check_message, [row for row in checked if row.index >= request.from_index])

    async def GetOrder(self, request: v1.GetOrderRequest, context: Context) -> v1.GetOrderResponse:
        """One order as it stands now."""
        match request.WhichOneof("which"):
            case "order_id":
                order = await search.get_order(self._database, request.order_id)
            case "idempotency_key":
                order = await search.get_order_by_key(self._database, request.idempotency_key, client=_client())
            case _:
                raise errors.InvalidInput.of("order_id", "give the order's id, or its idempotency_key.")
        return v1.GetOrderResponse(order=order_message(order))

    async def CancelOrder(self, request: v1.CancelOrderRequest, context: Context) -> v1.CancelOrderResponse:
        """End an order that was never sent."""
        if len(request.reason) > _MAX_REASON:
            raise errors.InvalidInput.of("reason", f"may have up to {_MAX_REASON} characters.")
        if len(request.actor) > _MAX_ACTOR:
            raise errors.InvalidInput.of("actor", f"may have up to {_MAX_ACTOR} characters.")
        await cancelling.cancel(self._database, request.order_id, actor=_actor(request.actor), reason=request.reason)
        return v1.CancelOrderResponse(order=order_message(await search.get_order(self._database, request.order_id)))

    async def BatchGetOrders(self, request: v1.BatchGetOrdersRequest, context: Context) -> v1.BatchGetOrdersResponse:
        """Several orders as they stand now."""
        found = await search.get_orders(
            self._database, request.order_ids, request.idempotency_keys, client=_client(), owned=current().owned
        )
        return v1.BatchGetOrdersResponse(
            orders=[order_message(order) for order in found.orders],
            missing_order_ids=found.missing_ids,
            missing_idempotency_keys=found.missing_keys,
        )

    async def ListOrders(self, request: v1.ListOrdersRequest, context: Context) -> v1.ListOrdersResponse:
        """A page of orders."""
        filters = _filters(request)
        page = await search.list_orders(
            self._database, filters, page_size=request.page_size, page_token=request.page_token
        )
        orders = fit(page.orders, order_message)
        has_more = page.has_more or len(orders) < len(page.orders)
        token = paging.write_token(orders[-1].order_id, *filters.content) if has_more else ""
        return v1.ListOrdersResponse(orders=orders, next_page_token=token)

    async def ListOrderEvents(self, request: v1.ListOrderEventsRequest, context: Context) -> v1.ListOrderEventsResponse:
        """A page of an order's history."""
        page = await search.list_events(
            self._database,
            request.order_id,
            after_id=request.after_event_id,
            page_size=request.page_size,
            page_token=request.page_token,
            newest_first=request.newest_first,
        )
        events = fit(page.events, event_message)
        has_more = page.has_more or len(events) < len(page.events)
        listed = search.event_list(request.order_id, request.after_event_id, newest_first=request.newest_first)
        token = paging.write_token(events[-1].event_id, *listed) if has_more else ""
        return v1.ListOrderEventsResponse(events=events, next_page_token=token)

    async def WatchOrders(
        self, request: v1.WatchOrdersRequest, context: Context
    ) -> AsyncIterator[v1.WatchOrdersResponse]:
        """Steps of orders as they are taken."""
        wish = Wish(
            after_event_id=request.after_event_id if request.HasField("after_event_id") else None,
            order_ids=frozenset(request.order_ids),
            client=current().owned,
        )
        async with contextlib.aclosing(self._watch.follow(wish)) as told:
            async for one in told:
                if one.step is not None:
                    yield step_message(one.step)
                else:
                    yield v1.WatchOrdersResponse(event_id=one.event_id)

    async def DownloadPaper(
        self, request: v1.DownloadPaperRequest, context: Context
    ) -> AsyncIterator[v1.DownloadPaperResponse]:
        """What came of an order on paper."""
        paper, stored = await download.find_paper(self._database, request.order_id, request.sha256)
        pieces = download.read_pieces(self._database, request.order_id, stored, offset=request.offset)
        first = await anext(pieces, None)
        yield v1.DownloadPaperResponse(header=paper_message(paper))
        if first is not None:
            yield v1.DownloadPaperResponse(chunk=first)
            async for piece in pieces:
                yield v1.DownloadPaperResponse(chunk=piece)

    async def DownloadPapers(
        self, request: v1.DownloadPapersRequest, context: Context
    ) -> AsyncIterator[v1.DownloadPapersResponse]:
        """What came of many orders on paper, as one ZIP."""
        async for piece in bundle.bundle(self._database, request.order_ids, owned=current().owned):
            yield v1.DownloadPapersResponse(chunk=piece)

    async def GetExtractSummary(
        self, request: v1.GetExtractSummaryRequest, context: Context
    ) -> v1.GetExtractSummaryResponse:
        """What an order's extract says."""
        summary = await summaries.get_summary(self._database, request.order_id)
        return v1.GetExtractSummaryResponse(summary=summary_message(summary))

    async def ExportOrders(
        self, request: v1.ExportOrdersRequest, context: Context
    ) -> AsyncIterator[v1.ExportOrdersResponse]:
        """Orders with what their extracts say as a table."""
        kind = export.ExportFormat(EXPORT_FORMATS.optional_word(request.format, "format") or "xlsx")
        async with export.export_orders(self._database, _filters(request), kind) as table:
            header = v1.ExportHeader(file_name=table.file_name, size_bytes=table.size_bytes, orders=table.orders)
            yield v1.ExportOrdersResponse(header=header)
            async for piece in table.read_pieces():
                yield v1.ExportOrdersResponse(chunk=piece)

    async def GetOrderStatistics(
        self, request: v1.GetOrderStatisticsRequest, context: Context
    ) -> v1.GetOrderStatisticsResponse:
        """How many orders there are, and how they stand."""
        span = statistics.Span(
            created_from=_time(request, "created_from"),
            created_before=_time(request, "created_before"),
            account=request.account,
            client=current().owned,
            time_zone=request.time_zone,
        )
        return statistics_message(await statistics.count_orders(self._database, span))


def _filters(request: v1.ListOrdersRequest | v1.ExportOrdersRequest) -> search.Filters:
    return search.Filters(
        states=tuple(STATES.word(value, f"states[{index}]") for index, value in enumerate(request.states)),
        cad_num=request.cad_num,
        account=request.account,
        only_on_hold=request.only_on_hold,
        client=current().owned,
        created_from=_time(request, "created_from"),
        created_before=_time(request, "created_before"),
    )


def _client() -> str:
    """Whose orders and keys the call is about; empty: of those who need no name of a client."""
    return current().client or ""


def _wanted(order: v1.NewOrder) -> WantedOrder:
    return WantedOrder(
        cad_num=order.cad_num,
        idempotency_key=order.idempotency_key,
        recipient=order.recipient,
        comment=order.comment,
        is_urgent=order.is_urgent,
    )


async def _read_all(orders: Sequence[v1.NewOrder]) -> list[WantedOrder]:
    # Before anything is made of them: there may be millions that are empty.
    check_length(len(orders))
    return await in_turn(lambda: [_wanted(order) for order in orders])


def _batch_message(created: Iterable[CreatedOrder]) -> v1.BatchCreateOrdersResponse:
    return v1.BatchCreateOrdersResponse(
        orders=[
            v1.CreatedOrder(
                order_id=one.order_id,
                state=STATES.value(one.state),
                is_existing=one.is_existing,
                warnings=warning_messages(one),
                order=order_message(one.order) if one.order is not None else None,
            )
            for one in created
        ]
    )


def _check_message(bad: Sequence[BadRow]) -> v1.CheckOrdersResponse:
    rows = fit(bad, _bad_row_message)
    return v1.CheckOrdersResponse(bad_rows=rows, next_index=bad[len(rows)].index if len(rows) < len(bad) else 0)


def _bad_row_message(row: BadRow) -> v1.BadRow:
    return v1.BadRow(
        index=row.index,
        rules=[
            v1.BrokenRule(field=rule.field, rule=rule.rule, other_order_id=rule.other_order_id or 0)
            for rule in row.rules
        ],
    )


def _time(
    request: v1.ListOrdersRequest | v1.ExportOrdersRequest | v1.GetOrderStatisticsRequest,
    field: Literal["created_from", "created_before"],
) -> dt.datetime | None:
    return read_time(getattr(request, field), field) if request.HasField(field) else None


def _actor(named: str) -> str:
    """Who makes this call, for the history: who has a token can't do it in the name of another."""
    caller = current()
    return f"operator:{named.strip()}" if caller.token_id is None and named.strip() else caller.actor
