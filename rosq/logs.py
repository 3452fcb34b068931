"""Log lines for people and machines: a constant phrase, then the facts as `key=value`.

The libraries of this project configure nothing; each command line asks for these lines.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def configure(level: str, *, quiet: Mapping[str, int] | None = None) -> None:
    """Send the logs of this process to stderr; only a command line calls this.

    Args:
        quiet: Loggers that say less than `level`, by name.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FactsFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, least in (quiet or {}).items():
        logging.getLogger(name).setLevel(least)


def _show(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    is_plain = text and not any(character.isspace() or character in '"=' for character in text)
    return text if is_plain else json.dumps(text, ensure_ascii=False)
