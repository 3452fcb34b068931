"""Logging in by QR: a code on the screen, the app that scans it, and the event that tells the screen."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.simulator.clock import Clock
    from worker.simulator.settings import Knobs

EXPIRED = "ESIA-007110"


@dataclass(slots=True, kw_only=True)
class QrCode:
    """One code that is shown somewhere."""

    qr_id: str
    signed_token: str
    expires_at_s: float
    #: Set when it was scanned, refused or withdrawn.
    is_over: asyncio.Event = field(default_factory=asyncio.Event)
    #: Who scanned it.
    account: str | None = None

    @property
    def text(self) -> str:
        """What the picture holds."""
        return f"gosuslugi://auth/signed_token={self.signed_token}"


class QrDesk:
    """The codes that are shown now, oldest first."""

    def __init__(self, clock: Clock, knobs: Knobs) -> None:
        self._clock = clock
        self._knobs = knobs
        self._codes: dict[str, QrCode] = {}

    def make(self) -> QrCode:
        """A new code."""
        code = QrCode(
            qr_id=str(uuid.uuid4()),
            signed_token=uuid.uuid4().hex * 2,
            expires_at_s=self._clock.elapsed_s() + self._knobs.now.qr_ttl_s,
        )
        self._codes[code.qr_id] = code
        return code

    def find(self, qr_id: str) -> QrCode | None:
        """The code of this id, also one whose time is over."""
        return self._codes.get(qr_id)

    def list(self) -> list[QrCode]:
        """Every code that waits to be scanned."""
        return [code for code in self._codes.values() if not code.is_over.is_set() and self.left_s(code) > 0]

    def left_s(self, code: QrCode) -> float:
        """Seconds until its time is over."""
        return code.expires_at_s - self._clock.elapsed_s()

    def scan(self, code: QrCode, account: str | None) -> None:
        """Somebody scans it with the app; None: and refuses."""
        code.account = account
        code.is_over.set()

    def forget(self, code: QrCode) -> None:
        """The screen was told."""
        self._codes.pop(code.qr_id, None)
