"""What is told of a worker, a delivery, an error: facts of log lines, by the names that `docs/events.md` gives them,
and what a job keeps of an exception. Never the values of variables."""

from __future__ import annotations

import collections
import re
import traceback
from pathlib import PurePath
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

#: Letters of an error's text, and of its class's name, that are kept; bytes of its trace.
TEXT_MAX = 1_000
CLASS_MAX = 64
TRACE_MAX_BYTES = 2_048
_FRAMES = 8
_LINE_MAX = 120
#: Causes that are named, from the error back.
_CAUSES = 3
_LIBRARY = re.compile(r".*/(?:site-packages|dist-packages|python\d+\.\d+)/")
#: rosq's own frames above a handler say nothing about the handler.
_OWN = str(PurePath(__file__).parent)
_NAME_OF = type.__dict__["__name__"]


def name_class(error: BaseException | None) -> str:
    """The name of an error's class; '' for none."""
    # As `type` says it: a class of classes may say something else, or raise.
    return clean(_NAME_OF.__get__(type(error)))[:CLASS_MAX] if error is not None else ""


def describe(said: object) -> str:
    """Say what an error says, or whatever stands in its place; one whose own text can't be made doesn't take its job's
    worker with it."""
    return _say("text", lambda: str(said))[:TEXT_MAX]


def clean(text: str) -> str:
    """Make a text that UTF-8 can say: what came from bytes undecoded is escaped."""
    return str.encode(text, "utf-8", "backslashreplace").decode()


def shorten_trace(error: BaseException | None) -> str:
    """Name the last places that an exception went through, outermost first, and its causes; '' for none.

    A place is `file:line function: the line of code`, its path from the folder of packages on or else its last parts.
    No longer than TRACE_MAX_BYTES.
    """
    return _say("trace", lambda: _trace(error)) if error is not None else ""


def _say(what: str, make: Callable[[], str]) -> str:
    """Make a text. Whose code it runs may raise whatever it likes: what came of it says so."""
    try:
        return clean(make())
    except BaseException as broken:
        return f"its {what} can't be made ({name_class(broken)})"


def _trace(error: BaseException) -> str:
    lines = _list_places(error)
    seen, cause = {id(error)}, _cause_of(error)
    for _ in range(_CAUSES):
        if cause is None or id(cause) in seen:
            break
        seen.add(id(cause))
        lines.append(f"caused by {name_class(cause)}: {describe(cause)[:_LINE_MAX]}")
        lines += _list_places(cause)[-2:]
        cause = _cause_of(cause)
    kept: list[str] = []
    size = 0
    # The innermost places say most.
    for line in reversed(lines):
        size += len(line.encode()) + 1
        if size > TRACE_MAX_BYTES:
            break
        kept.append(line)
    return "\n".join(reversed(kept))


def _cause_of(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None:
        return error.__cause__
    return None if error.__suppress_context__ else error.__context__


def _list_places(error: BaseException) -> list[str]:
    # Endless recursion has a thousand frames: only those that are kept are read.
    last: collections.deque[tuple[FrameType, int]] = collections.deque(maxlen=_FRAMES)
    last.extend(
        (frame, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not frame.f_code.co_filename.startswith(_OWN)
    )
    summary = traceback.StackSummary.extract(iter(last), capture_locals=False)
    return [
        clean(f"{_shorten_path(frame.filename)}:{frame.lineno} {frame.name}: {frame.line or ''}"[: 2 * _LINE_MAX])
        for frame in summary
    ]


def _shorten_path(path: str) -> str:
    posix = path.replace("\\", "/")
    inside = _LIBRARY.sub("", posix)
    return inside if inside != posix else "/".join(posix.split("/")[-3:]).lstrip("/")


def of_worker(queue: str, worker: str) -> dict[str, object]:
    """Which worker of which queue speaks."""
    return {"queue": queue, "worker_id": worker}


class Handed(Protocol):
    """One hand-out of a job: what a delivery is to a log line."""

    @property
    def job_id(self) -> str: ...
    @property
    def fence(self) -> int: ...
    @property
    def attempt(self) -> int: ...


def of_delivery(delivery: Handed) -> dict[str, object]:
    """Which hand-out of which job is meant."""
    return {"job_id": delivery.job_id, "delivery": delivery.fence, "attempt": delivery.attempt}


def of_error(error: BaseException) -> dict[str, object]:
    """What went wrong."""
    return {"error_type": name_class(error), "error": describe(error)}
