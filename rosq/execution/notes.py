"""What a running handler says of its progress, what it logs, and until when it rests: kept with its job, for people to
look at."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Protocol

from rosq import errors, facts
from rosq.connection.pool import WirePool
from rosq.delays import to_ms
from rosq.execution.lease import WHY_LOST
from rosq.job import CancelRequest
from rosq.scripts import loader
from rosq.scripts.loader import Code

if TYPE_CHECKING:
    from rosq.connection.wire import Wire
    from rosq.execution.hand_out import HandOut
    from rosq.execution.lease import Lease
    from rosq.job import JsonValue
    from rosq.store.keys import Keys
    from rosq.store.standing import StandingSettings

log = logging.getLogger(__name__)

#: Bytes that a line's time and its blank take.
_STAMP_BYTES = 14
#: Of why a handler rests.
_MAX_REASON_BYTES = 200
#: White space that means a blank; other control characters are spelled out.
_BLANKS = str.maketrans({"\t": " ", "\r": None})


class Held(Protocol):
    """What a note is about: a hand-out that is held, and where its holder hears that it is to be cancelled."""

    cancel_request: CancelRequest | None

    @property
    def handed(self) -> HandOut: ...
    @property
    def lease(self) -> Lease: ...


class Notes:
    """Writes notes for one worker's deliveries (`note.lua`), from any thread.

    Over connections of its own, opened by the first note: the read loop's would be idle while the handler works, but a
    thread that the handler left behind would then read the loop's answers.
    """

    def __init__(self, keys: Keys, wire: Wire, standing: StandingSettings) -> None:
        self._keys = keys
        self._standing = standing
        self._wires = WirePool(wire.twin)

    def encode_progress(self, job_id: str, value: JsonValue) -> str:
        """Spell a progress as it is kept.

        Raises:
            InvalidData: It isn't JSON, or too long.
        """
        try:
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise errors.InvalidData(f"Job {job_id}: its progress isn't JSON: {error}.") from error
        size, most = len(text.encode()), self._standing.current.max_progress_bytes
        if size > most:
            raise errors.InvalidData(
                f"Job {job_id}: its progress takes {size} bytes, {most} are allowed. Say less, or use the log."
            )
        return text

    def encode_lines(self, text: str) -> list[str]:
        """Spell lines of a log as they are kept: the last ones, each cut where it is too long, nothing in them that a
        terminal would obey."""
        most = self._standing.current.max_log_bytes - _STAMP_BYTES
        lines = [_make_harmless(line, most) for line in text.split("\n")]
        return [line for line in lines if line][-self._standing.current.max_log_lines :]

    def write(
        self,
        hold: Held,
        *,
        progress: str = "",
        lines: list[str] | None = None,
        rest_s: float | None = None,
        reason: str = "",
    ) -> bool:
        """Keep a progress, or lines, or how long the handler rests and why; one round trip. Whoever says anything but
        that it rests works again.

        Returns:
            False if Redis gave no answer: it may be kept or not. That is logged, and no reason to fail a job.

        Raises:
            LeaseLost: The job isn't this delivery's any more; nothing was written.
        """
        # Where that is in doubt Redis decides.
        hold.lease.check_not_lost()
        handed = hold.handed
        if not handed.is_real:
            return True
        kept = self._standing.current
        args: list[str | int] = [handed.fence, handed.token, progress]
        args += ["" if rest_s is None else to_ms(rest_s), _make_harmless(reason.replace("\n", " "), _MAX_REASON_BYTES)]
        args += [kept.max_log_lines, kept.max_log_bytes, *(lines or [])]
        try:
            with self._wires.borrow() as wire:
                code, *asked = wire.run(loader.load("note"), [self._keys.job(handed.job_id)], args)
        except errors.ServerUnreachable as error:
            log.warning(
                "Progress, log lines or a rest of a job may not be kept",
                extra={
                    "event": "note_failed",
                    "queue": self._keys.queue,
                    **facts.of_delivery(handed),
                    **facts.of_error(error),
                },
            )
            return False
        if code != Code.HELD:
            reason = WHY_LOST[Code(code)]
            hold.lease.lose(reason)
            raise errors.LeaseLost(handed.job_id, reason)
        if asked and hold.cancel_request is None:
            hold.cancel_request = CancelRequest(by=asked[0], reason=asked[1])
        return True

    def close(self) -> None:
        """Drop the connections."""
        self._wires.close()


def _make_harmless(line: str, most_bytes: int) -> str:
    plain = line.translate(_BLANKS)
    if not plain.isprintable():
        plain = "".join(
            letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in plain
        )
    encoded = plain.encode()
    if len(encoded) <= most_bytes:
        return plain
    return encoded[: most_bytes - 3].decode(errors="ignore") + "…"
