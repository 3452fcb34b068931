"""Who can log in: from `--account` options and an accounts file."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from worker.simulator import errors, people, totp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

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
    #: What is typed at the ESIA; the username unless the file says otherwise.
    login: str
    totp_secret: str | None = field(default=None, repr=False)
    #: Points bought; what is left is this less what was charged.
    balance: int = DEFAULT_BALANCE
    #: Whether the balance has the item of the subscription at all.
    has_subscription: bool = True
    roles: tuple[Role, ...]
    person: people.Person = field(repr=False)
    has_access_key: bool = True

    def role(self, oid: str) -> Role | None:
        """The role with this oid, if it is one of the account's."""
        return next((role for role in self.roles if role.oid == oid), None)

    def access_key(self, oid: str) -> str | None:
        """The access key of a role: a uuid that stays the same."""
        return str(uuid.uuid5(_KEYS_NAMESPACE, f"{self.username}/{oid}")) if self.has_access_key else None


class AccountBook:
    """All accounts, found by name or by login. A test may replace one while the simulator runs."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._by_name: dict[str, Account] = {}
        for account in accounts:
            if account.username in self._by_name:
                raise errors.BadSettings(
                    f"The account {account.username} is given twice; each needs a name of its own."
                )
            if self.find_by_login(account.login) is not None:
                raise errors.BadSettings(f"The login {account.login} belongs to two accounts; each needs its own.")
            self._by_name[account.username] = account
        if not self._by_name:
            raise errors.BadSettings("No account is given: name at least one by --account or --accounts.")

    def __iter__(self) -> Iterator[Account]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def find(self, username: str) -> Account | None:
        """The account of this name."""
        return self._by_name.get(username)

    def find_by_login(self, login: str) -> Account | None:
        """The account that logs in by this."""
        return next((account for account in self._by_name.values() if account.login == login), None)

    def change(self, username: str, **changes: object) -> Account:
        """Replace fields of an account, as when a password was changed or points were bought."""
        changed = replace(self._by_name[username], **changes)  # type: ignore[arg-type]
        self._by_name[username] = changed
        return changed


def from_option(text: str, *, seed: int) -> Account:
    """An account from `USERNAME:PASSWORD[:TOTP_SECRET]`."""
    parts = text.split(":")
    if len(parts) not in (2, 3) or not all(parts):
        raise errors.BadSettings(
            "--account is USERNAME:PASSWORD or USERNAME:PASSWORD:TOTP_SECRET;"
            " a name or password with a colon goes into a file for --accounts."
        )
    fields: dict[str, object] = {"username": parts[0], "password": parts[1]}
    if len(parts) == 3:
        fields["totp_secret"] = parts[2]
    return _account(fields, seed=seed, where=f"--account {parts[0]}")


def from_file(path: Path, *, seed: int) -> list[Account]:
    """The accounts of a JSON file: a list of objects, or an object with the list under `accounts`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise errors.BadSettings(f"The accounts file {path} can't be read: {exc.strerror or exc}.") from exc
    except ValueError as exc:
        raise errors.BadSettings(f"The accounts file {path} is not JSON: {exc}.") from exc
    rows = content.get("accounts") if isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise errors.BadSettings(f'The accounts file {path} must hold a list, or an object with a list "accounts".')
    return from_rows(rows, seed=seed, where=f"{path}, accounts")


def from_rows(rows: Iterable[object], *, seed: int, where: str) -> list[Account]:
    """The accounts of a list of objects."""
    return [_account(row, seed=seed, where=f"{where}[{index}]") for index, row in enumerate(rows)]


_KINDS: Mapping[str, tuple[type, str]] = {
    "username": (str, "a text"),
    "password": (str, "a text"),
    "login": (str, "a text"),
    "totp_secret": (str, "a base32 text"),
    "balance": (int, "a whole number"),
    "has_subscription": (bool, "true or false"),
    "oid": (str, "a text of digits"),
    "roles": (list, "a list"),
    "has_passport": (bool, "true or false"),
    "has_middle_name": (bool, "true or false"),
    "has_access_key": (bool, "true or false"),
}


def _account(row: object, *, seed: int, where: str) -> Account:
    values = _checked(row, _KINDS, where=where)
    for name in ("username", "password"):
        if not values.get(name):
            raise errors.BadSettings(f"{where}: {name} is missing.")
    username = str(values["username"])
    if "totp_secret" in values:
        try:
            totp.code(str(values["totp_secret"]), 0)
        except ValueError as exc:
            raise errors.BadSettings(f"{where}: totp_secret must be base32 (A-Z, 2-7).") from exc
    if "oid" in values and "roles" in values:
        raise errors.BadSettings(f"{where}: give either oid or roles, not both.")
    balance = values.get("balance", DEFAULT_BALANCE)
    assert isinstance(balance, int)
    if balance < 0:
        raise errors.BadSettings(f"{where}: balance can't be less than 0.")
    return Account(
        username=username,
        password=str(values["password"]),
        login=str(values.get("login", username)),
        totp_secret=str(values["totp_secret"]) if "totp_secret" in values else None,
        balance=balance,
        has_subscription=bool(values.get("has_subscription", True)),
        roles=_roles(values, seed=seed, username=username, where=where),
        person=people.person_of(
            seed,
            username,
            has_passport=bool(values.get("has_passport", True)),
            has_middle_name=bool(values.get("has_middle_name", True)),
        ),
        has_access_key=bool(values.get("has_access_key", True)),
    )


def _roles(values: Mapping[str, object], *, seed: int, username: str, where: str) -> tuple[Role, ...]:
    rows = values.get("roles")
    if rows is None:
        oid = str(values.get("oid", people.oid_of(seed, username)))
        rows = [{"oid": oid, "name": "Физическое лицо"}]
    if not isinstance(rows, list) or not rows:
        raise errors.BadSettings(f"{where}: roles must hold at least one role.")
    kinds: Mapping[str, tuple[type, str]] = {name: (str, "a text") for name in ("oid", "name", "type")}
    roles = []
    for index, row in enumerate(rows):
        role = _checked(row, kinds, where=f"{where}, roles[{index}]")
        oid = str(role.get("oid", people.oid_of(seed, username, index)))
        if not (oid.isascii() and oid.isdigit()):
            raise errors.BadSettings(f"{where}: the oid {oid!r} must be digits only.")
        roles.append(Role(oid=oid, name=str(role.get("name", "Роль")), type=str(role.get("type", "PERSON"))))
    if len({role.oid for role in roles}) != len(roles):
        raise errors.BadSettings(f"{where}: two roles have the same oid.")
    return tuple(roles)


def _checked(row: object, kinds: Mapping[str, tuple[type, str]], *, where: str) -> dict[str, object]:
    if not isinstance(row, dict):
        raise errors.BadSettings(f"{where} must be an object.")
    values: dict[str, object] = {}
    for name, value in row.items():
        if name not in kinds:
            raise errors.BadSettings(f"{where}: unknown field {name!r}; known are {', '.join(kinds)}.")
        kind, said = kinds[name]
        if value is None:
            continue
        if type(value) is not kind:
            raise errors.BadSettings(f"{where}: {name} must be {said}.")
        values[name] = value
    return values
