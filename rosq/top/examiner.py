"""The doctor's examinations: each looks at up to tens of thousands of keys, so it is made once, and shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq import errors
from rosq.inspect.view import DOCTOR_SCAN

if TYPE_CHECKING:
    from rosq.inspect.doctor.examination import Diagnosis
    from rosq.inspect.inspector import Inspector


class Examiner:
    """Keeps what the last examination found."""

    def __init__(self, inspector: Inspector) -> None:
        self._inspector = inspector
        self._last: tuple[str, int] | None = None
        self._found: Diagnosis | errors.RosqError

    def examine(self, queue: str, number: int) -> Diagnosis | errors.RosqError:
        """Return what an examination found, or why it broke off; it is made when its number is first asked for.

        One that broke off isn't made again either: what fails late would cost the server as much each time.
        """
        if self._last != (queue, number):
            try:
                self._found = self._inspector.examine(queue, scan=DOCTOR_SCAN)
            except errors.RosqError as error:
                self._found = error
            self._last = queue, number
        return self._found
