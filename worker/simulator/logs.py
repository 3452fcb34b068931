"""Log lines on stderr: the phrase, then the facts as key=value."""

from __future__ import annotations

import logging
import sys

_STANDARD = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


class KeyValueFormatter(logging.Formatter):
    """One line a record; a value with a space in it is quoted."""

    def format(self, record: logging.LogRecord) -> str:
        """Add the record's own facts to the line."""
        facts = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
        line = super().format(record)
        return " ".join([line, *(f"{name}={_quoted(value)}" for name, value in facts.items())])


def _quoted(value: object) -> str:
    text = str(value)
    return repr(text) if not text or any(char.isspace() or not char.isprintable() for char in text) else text


def configure(level: str) -> None:
    """Send everything of this level and above to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(KeyValueFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # The server's own notes on its life say nothing that the command's doesn't.
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, logging.getLogger().level))
