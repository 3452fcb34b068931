"""What was counted, as a message of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from orders_service.api.grpc.messages import time_message
from orders_service.api.grpc.words import STATES
from orders_service.v1 import orders_pb2 as v1

if TYPE_CHECKING:
    import datetime as dt

    from orders_service.orders.statistics import Numbers, Statistics, Times


def statistics_message(counted: Statistics) -> v1.GetOrderStatisticsResponse:
    """Return what was counted."""
    return v1.GetOrderStatisticsResponse(
        created_from=time_message(counted.created_from),
        created_before=time_message(counted.created_before),
        time_zone=counted.time_zone,
        total=_numbers(counted.total),
        times=_times(counted.times),
        accounts=[
            v1.AccountNumbers(account=account, numbers=_numbers(numbers), times=_times(times))
            for account, (numbers, times) in counted.accounts.items()
        ],
        days=[v1.DayNumbers(day=day.isoformat(), numbers=_numbers(numbers)) for day, numbers in counted.days.items()],
    )


def _numbers(numbers: Numbers) -> v1.OrderNumbers:
    # A state that a newer version wrote is told as one that isn't known here.
    states = [v1.StateNumber(state=STATES.value(state), orders=count) for state, count in numbers.states.items()]
    return v1.OrderNumbers(
        orders=numbers.orders,
        states=sorted(states, key=lambda one: one.state),
        on_hold=numbers.on_hold,
        charges=numbers.charges,
        open_sends=numbers.open_sends,
    )


def _times(times: Times) -> v1.ExtractTimes:
    return v1.ExtractTimes(
        extracts=times.extracts,
        median=_duration(times.median),
        p90=_duration(times.p90),
        longest=_duration(times.longest),
    )


def _duration(time: dt.timedelta | None) -> Duration | None:
    if time is None:
        return None
    message = Duration()
    message.FromTimedelta(time)
    return message
