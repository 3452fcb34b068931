"""Log lines."""

from __future__ import annotations

import logging

from rosq.logs import FactsFormatter


def test_a_line_has_time_level_logger_message_and_facts() -> None:
    record = logging.LogRecord("orders_service.x", logging.INFO, "x.py", 1, "Something %s", ("happened",), None)
    record.event, record.error, record.delay_s, record.empty = "thing", 'a "b" c', 1.5, ""
    record.created = 0.0

    line = FactsFormatter().format(record)

    assert line == (
        "1970-01-01T00:00:00.000+00:00 INFO orders_service.x: Something happened "
        r'event=thing error="a \"b\" c" delay_s=1.5 empty=""'
    )


def test_a_traceback_stands_below_its_line() -> None:
    try:
        raise ValueError("x")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "Failed", (), info)

    assert FactsFormatter().format(record).splitlines()[-1] == "ValueError: x"
