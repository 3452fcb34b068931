"""Log lines of the worker process: a constant phrase, then the facts as `key=value`."""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
from typing import Final

_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class FactsFormatter(logging.Formatter):
    """Write time in UTC, level, logger, message and what `extra` gave; a value with blanks stands in quotes."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with a traceback below it where there is one."""
        at = dt.datetime.fromtimestamp(record.created, tz=dt.UTC).isoformat(timespec="milliseconds")
        facts = "".join(f" {key}={_show(value)}" for key, value in vars(record).items() if key not in _OWN)
        line = f"{at} {record.levelname} {record.name}: {record.getMessage()}{facts}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def configure(level: str) -> None:
    """Send the logs of this process to stderr; only a command line calls this."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FactsFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _show(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    is_plain = text and not any(character.isspace() or character in '"=' for character in text)
    return text if is_plain else json.dumps(text, ensure_ascii=False)
