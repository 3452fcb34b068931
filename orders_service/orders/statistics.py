"""How many orders there are, how they stand, how long extracts took and what was charged: of a span of time."""

from __future__ import annotations

import dataclasses
import datetime as dt
import zoneinfo
from typing import TYPE_CHECKING, Any, Final

from psycopg import errors as pg

from orders_service import errors
from orders_service.orders.search import find_account
from orders_service.store.queries import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orders_service.store.db import Database

DEFAULT_SPAN: Final = dt.timedelta(days=30)
#: A leap year: what is counted is read row by row.
MAX_SPAN: Final = dt.timedelta(days=366)
DEFAULT_ZONE: Final = "Europe/Moscow"
_MAX_ZONE: Final = 64

_ALL, _BY_ACCOUNT, _BY_ACCOUNT_AND_STATE, _BY_DAY_AND_STATE = 7, 3, 2, 4


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which orders are counted.

    Attributes:
        account: Only of this one; empty: of all.
        client: Only of this one; None: of all.
        time_zone: Whose days are meant; empty: `DEFAULT_ZONE`.
    """

    created_from: dt.datetime | None = None
    created_before: dt.datetime | None = None
    account: str = ""
    client: str | None = None
    time_zone: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Numbers of orders.

    Attributes:
        states: How many are in which state, by its name in the database.
        charges: Paid calls that made an application.
        open_sends: Paid calls of which it isn't known yet.
    """

    orders: int = 0
    states: Mapping[str, int] = dataclasses.field(default_factory=dict)
    on_hold: int = 0
    charges: int = 0
    open_sends: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long it took from accepting to the extract; all None where there is no extract."""

    extracts: int = 0
    median: dt.timedelta | None = None
    p90: dt.timedelta | None = None
    longest: dt.timedelta | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What was counted.

    Attributes:
        accounts: By account's name; the empty one has what no account has.
        days: By day, oldest first.
    """

    created_from: dt.datetime
    created_before: dt.datetime
    time_zone: str
    total: Numbers
    times: Times
    accounts: Mapping[str, tuple[Numbers, Times]]
    days: Mapping[dt.date, Numbers]


async def count_orders(database: Database, span: Span, *, now: dt.datetime | None = None) -> Statistics:
    """Count the orders that were accepted in a span of time, as they stand now.

    Raises:
        InvalidInput: The span is none or too long, or the zone isn't known.
        NotFound: There is no account of that name.
        DatabaseUnavailable: The database is away.
    """
    begin, end = _span_of(span, now or dt.datetime.now(dt.UTC))
    zone = span.time_zone or DEFAULT_ZONE
    _check_zone(zone)
    parameters: dict[str, object] = {
        "created_from": begin,
        "created_before": end,
        "client": span.client,
        "time_zone": zone,
    }
    try:
        async with database.transaction() as connection:
            parameters["account_id"] = await find_account(connection, span.account)
            # Unprepared: the plan then depends on how long the span is.
            cursor = await connection.execute(load("statistics")["count_orders"], parameters, prepare=False)
            rows = await cursor.fetchall()
    except pg.InvalidParameterValue as exc:
        raise _unknown_zone(zone) from exc
    by_account = _group(rows, _BY_ACCOUNT_AND_STATE, "account")
    by_day = _group(rows, _BY_DAY_AND_STATE, "day")
    return Statistics(
        created_from=begin,
        created_before=end,
        time_zone=zone,
        total=_add(row for row in rows if row["kind"] == _BY_ACCOUNT_AND_STATE),
        times=next((_times(row) for row in rows if row["kind"] == _ALL), Times()),
        accounts={
            row["account"] or "": (_add(by_account[row["account"]]), _times(row))
            for row in rows
            if row["kind"] == _BY_ACCOUNT
        },
        days={day: _add(of_day) for day, of_day in sorted(by_day.items())},
    )


def _span_of(span: Span, now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    end = span.created_before or now
    try:
        begin = span.created_from or end - DEFAULT_SPAN
    except OverflowError as exc:
        raise errors.InvalidInput.of("created_before", "is before any order can be.") from exc
    if begin >= end:
        raise errors.InvalidInput.of("created_from", "must be before created_before.")
    if end - begin > MAX_SPAN:
        raise errors.InvalidInput.of("created_from", f"may be up to {MAX_SPAN.days} days before created_before.")
    return begin, end


def _check_zone(zone: str) -> None:
    try:
        if len(zone) > _MAX_ZONE:
            raise ValueError
        zoneinfo.ZoneInfo(zone)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as exc:
        raise _unknown_zone(zone) from exc


def _unknown_zone(zone: str) -> errors.InvalidInput:
    return errors.InvalidInput.of("time_zone", f"must be a zone's name, like {DEFAULT_ZONE}, not {zone[:_MAX_ZONE]!r}.")


def _group(rows: Iterable[dict[str, Any]], kind: int, key: str) -> dict[Any, list[dict[str, Any]]]:
    grouped: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        if row["kind"] == kind:
            grouped.setdefault(row[key], []).append(row)
    return grouped


def _add(rows: Iterable[dict[str, Any]]) -> Numbers:
    """Put the numbers of states together."""
    found = list(rows)
    states: dict[str, int] = {}
    for row in found:
        states[row["state"]] = states.get(row["state"], 0) + row["orders"]
    sums = {name: sum(row[name] for row in found) for name in ("orders", "on_hold", "charges", "open_sends")}
    return Numbers(states=states, **sums)


def _times(row: dict[str, Any]) -> Times:
    if not row["extracts"]:
        return Times()
    median, p90, longest = (dt.timedelta(seconds=float(seconds)) for seconds in row["took_s"])
    return Times(extracts=row["extracts"], median=median, p90=p90, longest=longest)
