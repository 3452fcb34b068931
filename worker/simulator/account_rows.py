"""Accounts as they are written: an `--account` option, a row of an accounts file, of a scenario, of a test's JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from worker.simulator import accounts, errors, people
from worker.simulator.login import totp
from worker.simulator.login_steps import steps_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from worker.simulator.login_steps import LoginStep


def from_option(text: str, *, seed: int) -> accounts.Account:
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


def from_file(path: Path, *, seed: int) -> list[accounts.Account]:
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


def from_rows(rows: Iterable[object], *, seed: int, where: str) -> list[accounts.Account]:
    """The accounts of a list of objects."""
    return [_account(row, seed=seed, where=f"{where}[{index}]") for index, row in enumerate(rows)]


_KINDS: Mapping[str, tuple[type, str]] = {
    "username": (str, "a text"),
    "password": (str, "a text"),
    "login": (str, "a text"),
    "logins": (list, "a list of texts"),
    "login_steps": (list, "a list of steps"),
    "totp_secret": (str, "a base32 text"),
    "balance": (int, "a whole number"),
    "has_subscription": (bool, "true or false"),
    "oid": (str, "a text of digits"),
    "roles": (list, "a list"),
    "has_passport": (bool, "true or false"),
    "has_middle_name": (bool, "true or false"),
    "has_access_key": (bool, "true or false"),
}


def _account(row: object, *, seed: int, where: str) -> accounts.Account:
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
    balance = values.get("balance", accounts.DEFAULT_BALANCE)
    assert isinstance(balance, int)
    if balance < 0:
        raise errors.BadSettings(f"{where}: balance can't be less than 0.")
    return accounts.Account(
        username=username,
        password=str(values["password"]),
        logins=_logins(values, username, where),
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
        login_steps=_login_steps(values, where),
    )


def _logins(values: Mapping[str, object], username: str, where: str) -> tuple[str, ...]:
    if "login" in values and "logins" in values:
        raise errors.BadSettings(f"{where}: give either login or logins, not both.")
    logins = values.get("logins", [values.get("login", username)])
    if not isinstance(logins, list) or not logins or not all(isinstance(login, str) and login for login in logins):
        raise errors.BadSettings(f"{where}: logins must be a list of texts that aren't empty.")
    return tuple(logins)


def _login_steps(values: Mapping[str, object], where: str) -> tuple[LoginStep, ...]:
    has_totp = "totp_secret" in values
    try:
        return steps_of(values.get("login_steps", ["totp"] if has_totp else []), has_totp=has_totp)
    except ValueError as exc:
        raise errors.BadSettings(f"{where}: {exc}.") from exc


def _roles(values: Mapping[str, object], *, seed: int, username: str, where: str) -> tuple[accounts.Role, ...]:
    rows = values.get("roles")
    if rows is None:
        oid = str(values.get("oid", people.oid_of(seed, username)))
        rows = [{"oid": oid, "name": "Физическое лицо"}]
    if not isinstance(rows, list) or not rows:
        raise errors.BadSettings(f"{where}: roles must hold at least one role.")
    kinds: Mapping[str, tuple[type, str]] = {name: (str, "a text") for name in ("oid", "name", "type")}
    roles: list[accounts.Role] = []
    for index, row in enumerate(rows):
        role = _checked(row, kinds, where=f"{where}, roles[{index}]")
        oid = str(role.get("oid", people.oid_of(seed, username, index)))
        if not (oid.isascii() and oid.isdigit()):
            raise errors.BadSettings(f"{where}: the oid {oid!r} must be digits only.")
        roles.append(accounts.Role(oid=oid, name=str(role.get("name", "Роль")), type=str(role.get("type", "PERSON"))))
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
