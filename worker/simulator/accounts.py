"""Who can log in, and as whom."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from worker.simulator import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from worker.simulator import people
    from worker.simulator.login_steps import LoginStep

DEFAULT_BALANCE = 100
_KEYS_NAMESPACE = uuid.UUID("5b0a7f0e-4f2c-4b53-9d6a-1d7f7c1d0f11")


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One of the faces an account may act with: the person, or an organisation. Each has its own list of orders."""

    oid: str
    name: str
    type: str = "PERSON"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account of the portal."""

    username: str
    password: str = field(repr=False)
    #: What may be typed at the ESIA: phone, e-mail, СНИЛС … of one person; the username unless said otherwise.
    logins: tuple[str, ...]
    totp_secret: str | None = field(default=None, repr=False)
    #: Points bought; what is left is this less what was charged.
    balance: int = DEFAULT_BALANCE
    #: Whether the balance has the item of the subscription at all.
    has_subscription: bool = True
    roles: tuple[Role, ...]
    person: people.Person = field(repr=False)
    has_access_key: bool = True
    #: What the ESIA asks after the password.
    login_steps: tuple[LoginStep, ...] = field(default=(), repr=False)

    def role(self, oid: str) -> Role | None:
        """The role with this oid, if it is one of the account's."""
        return next((role for role in self.roles if role.oid == oid), None)

    def access_key(self, oid: str) -> str | None:
        """The access key of a role: a uuid that stays the same."""
        return str(uuid.uuid5(_KEYS_NAMESPACE, f"{self.username}/{oid}")) if self.has_access_key else None


class AccountBook:
    """All accounts, found by name or by login. A test may replace one while the simulator runs."""

    def __init__(self, accounts: Iterable[Account], *, may_be_empty: bool = False) -> None:
        self._by_name: dict[str, Account] = {}
        self._by_login: dict[str, str] = {}
        #: Makes an account of a login that nobody has yet, where a setting lets anybody in.
        self.make: Callable[[str], Account | None] = lambda login: None
        for account in accounts:
            self.add(account)
        if not self._by_name and not may_be_empty:
            raise errors.BadSettings("No account is given: name at least one by --account, --accounts or --scenario.")

    def add(self, account: Account) -> None:
        """One more.

        Raises:
            BadSettings: Its name or one of its logins belongs to another.
        """
        if account.username in self._by_name:
            raise errors.BadSettings(f"The account {account.username} is given twice; each needs a name of its own.")
        for login in account.logins:
            if login in self._by_login:
                raise errors.BadSettings(f"The login {login} belongs to two accounts; each needs its own.")
        self._by_name[account.username] = account
        self._by_login |= dict.fromkeys(account.logins, account.username)

    def __iter__(self) -> Iterator[Account]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def find(self, username: str) -> Account | None:
        """The account of this name."""
        return self._by_name.get(username)

    def find_by_login(self, login: str) -> Account | None:
        """The account that logs in by this; made now, where anybody is let in."""
        username = self._by_login.get(login)
        if username is not None:
            return self._by_name[username]
        made = self.make(login) if login else None
        if made is not None:
            self.add(made)
        return made

    def change(self, username: str, **changes: object) -> Account:
        """Replace fields of an account, as when a password was changed or points were bought."""
        changed = replace(self._by_name[username], **changes)  # type: ignore[arg-type]
        self._by_name[username] = changed
        return changed
