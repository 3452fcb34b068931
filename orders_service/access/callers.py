"""Who calls: a role, and what belongs to it. Known to everything that a call reaches, by `current`."""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


class Role(enum.StrEnum):
    """What a caller may do at all."""

    #: Orders, and sees its own.
    CLIENT = "client"
    #: Sees everything but personal data, and changes nothing.
    VIEWER = "viewer"
    #: Accounts, decisions, steering; everything that people do.
    OPERATOR = "operator"
    #: Works off orders with one account.
    WORKER = "worker"
    #: Whoever reaches a service that has no access tokens: it listens on loopback only. No token has this role.
    ANYBODY = "anybody"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls.

    Attributes:
        name: Of its access token.
        token_id: Of its access token; None: it has none, and needs none.
        client: Whose orders it sees, of a client; None: no client.
        account: The account that it works for, of a worker; None: no worker.
    """

    role: Role
    name: str
    token_id: int | None = None
    client: str | None = None
    account: str | None = None

    @property
    def actor(self) -> str:
        """Who it is in a history: `operator:ivan`, `client:crm`, `worker:rosreestr_user_1`; `anybody`."""
        match self.role:
            case Role.ANYBODY:
                return self.role.value
            case Role.CLIENT:
                return f"{self.role}:{self.client}"
            case Role.WORKER:
                return f"{self.role}:{self.account}"
            case _:
                return f"{self.role}:{self.name}"

    @property
    def key(self) -> str | None:
        """What tells callers apart where calls are counted; None: whoever needs no token is counted nowhere.

        He is on this machine, where he stands in the way of nobody else.
        """
        return f"token {self.token_id}" if self.token_id is not None else None

    @property
    def owned(self) -> str | None:
        """The client whose orders are all that it may see; None: it may see those of all."""
        return self.client if self.role is Role.CLIENT else None


ANYBODY: Final = Caller(role=Role.ANYBODY, name=Role.ANYBODY.value)

_current: contextvars.ContextVar[Caller] = contextvars.ContextVar("caller", default=ANYBODY)


def current() -> Caller:
    """Return who makes the call that is being answered; ANYBODY outside of a call."""
    return _current.get()


@contextlib.contextmanager
def calling(caller: Caller) -> Iterator[None]:
    """Let `current` return this caller within the block, which ends in the task that it began in."""
    token = _current.set(caller)
    try:
        yield
    finally:
        _current.reset(token)
