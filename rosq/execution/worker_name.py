"""A worker's name: taken, waited for where another process has it, and given up."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rosq.errors import WorkerNameTaken
from rosq.execution.lock_file import LockFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rosq.connection.alarm import Alarm
    from rosq.execution.consumer import Consumer, NameHolder

log = logging.getLogger(__name__)

#: Seconds between two looks whether the name's last holder still has its job; its lease may run out sooner.
_OCCUPIED_LOOK_S = 1.0


class WorkerName:
    """Holds a worker's name exclusively; for its read loop.

    Args:
        worker_facts: Which worker it is, for the log.
        lock_file: By which a restart proves that its predecessor is dead.
        round_s: The longest wait.
        is_waiting: False raises WorkerNameTaken where another process has it.
    """

    def __init__(
        self,
        consumer: Consumer,
        worker_facts: Mapping[str, object],
        lock_file: Path | None,
        round_s: float,
        *,
        is_waiting: bool,
    ) -> None:
        self._consumer = consumer
        self._facts = worker_facts
        self._lock_file = LockFile(lock_file) if lock_file is not None else None
        self._round_s = round_s
        self._is_waiting = is_waiting
        #: Whether it was told that the name's last holder still has its job: once for each time that it is taken.
        self._is_occupied_told = False

    def take(self) -> NameHolder | None:
        """Take the name, or say who has it."""
        proofs = self._lock_file.lock(self._consumer.instance) if self._lock_file is not None else []
        holder = self._consumer.hold_name(proofs)
        if holder is None:
            self._is_occupied_told = False
        return holder

    def wait_for(self, holder: NameHolder, alarm: Alarm) -> None:
        """Wait a while for whoever has it.

        Raises:
            WorkerNameTaken: Waiting wasn't asked for.
        """
        who = f"process {holder.pid} on {holder.host}"
        if not self._is_waiting:
            raise WorkerNameTaken(self._consumer.name, who, holder.rest_s)
        log.info(
            "Waiting: another process has this worker's name",
            extra={"event": "name_taken", **self._facts, "holder": who, "delay_s": holder.rest_s},
        )
        # Its bell rings when the holder leaves; if it died, the hold runs out. No sooner is there anything to see.
        self._consumer.sleep_until_name_may_be_free(min(holder.rest_s + 0.01, self._round_s), alarm)

    def wait_for_last_job(self, rest_s: float, alarm: Alarm) -> None:
        """The name is this process's, and its last holder may still be at work on a job: nothing is begun beside it."""
        if not self._is_occupied_told:
            self._is_occupied_told = True
            log.info(
                "Waiting: the last holder of this worker's name still has its job",
                extra={"event": "name_occupied", **self._facts, "delay_s": rest_s},
            )
        alarm.wait(min(rest_s + 0.001, _OCCUPIED_LOOK_S))

    def leave(self, lanes: Sequence[str]) -> None:
        """Give it up, and ring on for these lanes."""
        self._consumer.leave(lanes)

    def unlock(self) -> None:
        """Give the lock file back."""
        if self._lock_file is not None:
            self._lock_file.release()
