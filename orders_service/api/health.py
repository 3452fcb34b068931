"""Whether the service can do its work, as it was last seen; what gRPC's health service and /readyz answer from."""

from __future__ import annotations

import time


class Readiness:
    """Set by whoever looks; true only while somebody looks.

    Args:
        valid_s: A look counts this long. Older than that, nobody knows, and the answer is no.
    """

    def __init__(self, *, valid_s: float) -> None:
        self._valid_s = valid_s
        self._looked_at: float | None = None
        self._trouble: str | None = None
        self._is_stopping = False

    def note(self, trouble: str | None) -> None:
        """Note what is in the way just now, in words that anybody may read; None: nothing."""
        self._looked_at, self._trouble = time.monotonic(), trouble

    def stop(self) -> None:
        """Say no from now on: the service takes no more work."""
        self._is_stopping = True

    @property
    def trouble(self) -> str | None:
        """What is in the way; None: nothing."""
        if self._is_stopping:
            return "It is stopping."
        if self._looked_at is None:
            return "It is starting: the database wasn't looked at yet."
        if self._trouble is None and time.monotonic() - self._looked_at > self._valid_s:
            return f"The database wasn't looked at for {time.monotonic() - self._looked_at:.0f} s."
        return self._trouble
