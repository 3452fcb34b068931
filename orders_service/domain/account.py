"""An account as its worker sees it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import datetime as dt

STANDBY_KINDS: Final = frozenset({"exhausted", "login_refused", "person_needed", "unusable", "forbidden", "limited"})
#: Those that are about what the account logs in with: a new secret ends them (`end_standby_by_secret`).
SECRETS_KINDS: Final = frozenset({"login_refused", "person_needed"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account with its sealed secrets; `repr` shows none of them.

    Attributes:
        person_oid: Who it is at the portal; None: not known before its first intent.
        epoch: How often it was opened; decisions must carry it.
        is_standby_over: `standby_until` has come, by the database's clock: the worker may try again.
        standby_left_s: Seconds until then; None: it waits for a person, or doesn't stand by.
        passwords_sent: Passwords in a row without a call in between that was of use.
        password_age_s: Seconds since the last of them; None: there is none.
        updated_at: Changes with every change of its secrets or standing.
    """

    id: int
    username: str
    gu_login: str | None
    password_encrypted: str | None = dataclasses.field(repr=False)
    totp_encrypted: str | None = dataclasses.field(repr=False)
    session_encrypted: str | None = dataclasses.field(repr=False)
    session_imported_at: dt.datetime | None
    declarant_category: str | None
    portal_role: str | None = dataclasses.field(repr=False)
    person_oid: str | None
    is_active: bool
    epoch: int
    standby_kind: str | None
    standby_reason: str | None
    standby_until: dt.datetime | None
    is_standby_over: bool
    standby_left_s: float | None
    passwords_sent: int
    password_age_s: float | None
    updated_at: dt.datetime

    @property
    def refusal(self) -> tuple[str, str] | None:
        """Why it takes no orders that aren't its own yet: a refusal's reason and a sentence. None: it does."""
        if not self.is_active:
            return "ACCOUNT_INACTIVE", f"Account {self.username} is inactive: activate it to take new orders."
        if not self.declarant_category:
            return (
                "NO_DECLARANT_CATEGORY",
                f"Account {self.username} has no declarant category: "
                f"set it with `orders-service accounts set {self.username} --declarant-category CODE`.",
            )
        if self.standby_kind is not None and not self.is_standby_over:
            return "ACCOUNT_ON_STANDBY", f"Account {self.username} stands by: {self.standby_reason}"
        return None

    @property
    def secrets_version(self) -> str:
        """Names what it logs in with, and tells nothing of it. Each sealing is another one, of one password, too."""
        tried = [self.gu_login, self.password_encrypted, self.session_encrypted, self.totp_encrypted, self.portal_role]
        return hashlib.sha256(json.dumps(tried).encode()).hexdigest()[:32]

    @property
    def can_take_new(self) -> bool:
        """Whether it may take orders that aren't its own yet."""
        return self.refusal is None

    @property
    def actor(self) -> str:
        """How its worker is named in the history."""
        return f"worker:{self.username}"
