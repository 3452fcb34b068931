"""A process that was forked off a worker's by what it calls, a handler or a hook, and came back instead of ending.

It has a copy of the worker in hand: the job, the name, the loop. It never becomes the worker: it ends.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback


def end_if_forked(process_id: int, error: BaseException | None = None) -> None:
    """Return in the worker's own process. Any other ends here, with the exit code that its program would have had.

    Nothing of the worker's is tidied up: it is the parent's. What was open of connections was closed by the fork
    (`rosq.connection.line`).

    Args:
        process_id: The worker's own.
        error: What came out of what was called, if anything did.
    """
    if os.getpid() == process_id:
        return
    # Nothing may come out of here, or the child would go on.
    try:
        code = _tell(error)
        for stream in (sys.stdout, sys.stderr):
            # None where there is none, closed, or a pipe that nobody reads any more.
            with contextlib.suppress(AttributeError, ValueError, OSError):
                stream.flush()
    except BaseException:
        code = 1
    os._exit(code)


def _tell(error: BaseException | None) -> int:
    """Say on stderr how it ended, as Python does; return the exit code."""
    if error is None:
        return 0
    if not isinstance(error, SystemExit):
        traceback.print_exception(error)
        return 1
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    print(error.code, file=sys.stderr)  # noqa: T201 - what sys.exit does with a text
    return 1
