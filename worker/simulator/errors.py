"""What can go wrong in the simulator itself.

SimulatorError
├── StartRefused        the command stops with one sentence and exit code 1
│   ├── BadSettings     an option or a field of the accounts file is wrong (exit code 2)
│   ├── PortUnavailable the port is taken or may not be opened
│   └── StateUnusable   the state file is locked, unreadable or not ours
├── StateWriteFailed    a record didn't reach the disk: nothing of it counts
└── Refusal             an answer other than 2xx that an endpoint means to give
"""

from __future__ import annotations


class SimulatorError(Exception):
    """Anything that the simulator raises by itself."""


class StartRefused(SimulatorError):
    """The simulator can't start as it was asked to."""


class BadSettings(StartRefused):
    """An option has a value that makes no sense."""


class PortUnavailable(StartRefused):
    """The address can't be listened on."""


class StateUnusable(StartRefused):
    """The state file can't be continued."""


class StateWriteFailed(SimulatorError):
    """The record wasn't made durable, so what it says did not happen."""


class Refusal(SimulatorError):
    """An endpoint's own answer other than 2xx; the body is JSON, as everywhere at the portal.

    Args:
        status: HTTP status.
        message: For people; Russian where the portal would say it.
        field: Path of the field that is wrong, where one is.
        retry_after_s: Whole seconds for a `Retry-After` header.
    """

    def __init__(
        self, status: int, message: str, *, field: str | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.field = field
        self.retry_after_s = retry_after_s
