"""What can go wrong in a worker itself, by what the worker must do about it.

    WorkerError
    ├── SettingsInvalid          a setting is wrong: fix it, then start
    ├── AccountNotUsable         the worker can't start with this account: it ends and says why
    ├── AccountStandsBy          it was found to stand by already: the order goes to others
    ├── AccountExhausted         no orders are left: the account stands by for a while
    ├── AccountSecretsUnusable   password or session can't be opened: the account stands by until they are set again
    ├── PersonChanged            the session is another person's than the one who ordered: that order rests
    ├── ObjectDoubtful           the portal shows another object, or several: asked again, and an attempt is spent
    ├── PaperBroken              the paper can't be used: it is brought again, and an attempt is spent
    ├── PaidCallNotSent          no byte of the paid call left, and the journal says so: later again
    └── …                        what the orders service answers, or doesn't: worker.service.errors

The portal's errors are in worker.portal.errors. What the queue is told (Snooze, Release, Fail) are no errors.
"""

from __future__ import annotations

__all__ = [
    "AccountExhausted",
    "AccountNotUsable",
    "AccountSecretsUnusable",
    "AccountStandsBy",
    "ObjectDoubtful",
    "PaidCallNotSent",
    "PaperBroken",
    "PersonChanged",
    "SettingsInvalid",
    "WorkerError",
]


class WorkerError(Exception):
    """The worker can't do what it should."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__class__.__doc__)


class SettingsInvalid(WorkerError):
    """A setting of the worker is wrong."""


class AccountNotUsable(WorkerError):
    """The worker can't start with this account."""


class AccountStandsBy(WorkerError):
    """The account stands by."""


class AccountExhausted(WorkerError):
    """The account has no orders left."""

    def __init__(self, balance: int) -> None:
        super().__init__(f"The account has {balance} orders left at the portal: buy more there.")
        self.balance = balance


class AccountSecretsUnusable(WorkerError):
    """The account has no password and no session that can be used."""


class PersonChanged(WorkerError):
    """The session is another person's than the one who ordered: log in as that one, or settle the order by hand."""


class ObjectDoubtful(WorkerError):
    """The portal shows another object than was ordered, or several."""


class PaidCallNotSent(WorkerError):
    """The paid call wasn't sent."""


class PaperBroken(WorkerError):
    """The paper that came can't be used."""
