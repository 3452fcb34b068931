"""Access tokens: made, shown once, found again by their hash, revoked.

A token is 32 random bytes behind `ost_`, by which scanners for leaked secrets can know it. Nobody guesses those, so a
plain SHA-256 is hash enough, and the database holds nothing that lets anybody in.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Any, Final

from orders_service import errors
from orders_service.access.callers import Caller, Role
from orders_service.store.queries import load

if TYPE_CHECKING:
    import datetime as dt

    from orders_service.store.db import Connection, Database

PREFIX: Final = "ost_"
#: Roles that a token may have.
ROLES: Final = (Role.CLIENT, Role.VIEWER, Role.OPERATOR, Role.WORKER)

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NAME_RULE: Final = "must be 1 to 64 of A-Z a-z 0-9 . _ -"
#: Some room for what comes after this version; what is longer is no token.
_TOKEN: Final = re.compile(r"ost_[A-Za-z0-9_-]{16,128}")
_SQL: Final = load("tokens")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """What a token is to be.

    Attributes:
        client: Whose orders it sees; for a client, and required there.
        account: The account that it works for; for a worker, and required there.
        ends_at: From when on it lets nobody in; None: never.
        created_by: Who made it, for the audit.
    """

    name: str
    role: Role
    client: str | None = None
    account: str | None = None
    ends_at: dt.datetime | None = None
    created_by: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TokenView:
    """A token as it stands, without what lets its owner in."""

    id: int
    name: str
    role: Role
    client: str | None
    account: str | None
    created_at: dt.datetime
    created_by: str
    ends_at: dt.datetime | None
    has_ended: bool
    revoked_at: dt.datetime | None
    revoked_by: str | None
    last_used_at: dt.datetime | None
    last_used_from: str | None

    @property
    def caller(self) -> Caller:
        """Who calls with it."""
        return Caller(role=self.role, name=self.name, token_id=self.id, client=self.client, account=self.account)


def is_possible(secret: str) -> bool:
    """Whether the text can be a token at all."""
    return _TOKEN.fullmatch(secret) is not None


def digest(secret: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(secret.encode()).digest()


async def add_token(database: Database, wanted: NewToken) -> tuple[TokenView, str]:
    """Make a token, and return it with the secret, which nobody can read again.

    Raises:
        InvalidInput: Something of it breaks a rule.
        AlreadyExists: A token of this name is in use.
        DatabaseUnavailable: The database is away.
    """
    _check(wanted)
    secret = PREFIX + secrets.token_urlsafe(32)
    async with database.transaction() as connection:
        parameters = {**dataclasses.asdict(wanted), "role": wanted.role.value, "hash": digest(secret)}
        row = await _one(connection, "add_token", parameters)
        if row is None:
            raise errors.AlreadyExists(
                f"There is a token {wanted.name} already: revoke it, or choose another name for this one."
            )
        return _token(row), secret


async def list_tokens(database: Database, *, with_past: bool = False) -> list[TokenView]:
    """Return the tokens by id, `with_past` also those that let nobody in any more.

    Raises:
        DatabaseUnavailable: The database is away.
    """
    async with database.transaction() as connection:
        cursor = await connection.execute(_SQL["list_tokens"], {"with_past": with_past})
        return [_token(row) for row in await cursor.fetchall()]


async def revoke_token(database: Database, name: str, *, revoked_by: str) -> TokenView:
    """Let nobody in with the token of this name any more. The repeat changes nothing.

    Raises:
        NotFound: There never was one.
        DatabaseUnavailable: The database is away.
    """
    if not _NAME.fullmatch(name):
        raise errors.NotFound("token", repr(name))
    async with database.transaction() as connection:
        row = await _one(connection, "revoke_token", {"name": name, "revoked_by": revoked_by})
        # Revoked before: the last one of the name.
        row = row or await _one(connection, "find_by_name", {"name": name})
        if row is None:
            raise errors.NotFound("token", name)
        return _token(row)


async def find_token(connection: Connection, secret: str) -> TokenView | None:
    """Return the token, whether it lets anybody in or not; None: there is no such."""
    row = await _one(connection, "find_by_hash", {"hash": digest(secret)})
    return None if row is None else _token(row)


async def note_use(connection: Connection, token_id: int, peer: str) -> None:
    """Note that the token was used just now."""
    await connection.execute(_SQL["note_use"], {"id": token_id, "peer": peer})


async def is_any_made(connection: Connection) -> bool:
    """Whether a token was ever made: from then on everybody needs one."""
    row = await _one(connection, "is_any_made", {})
    assert row is not None
    return bool(row["is_any_made"])


def _check(wanted: NewToken) -> None:
    violations = []
    if not _NAME.fullmatch(wanted.name):
        violations.append(errors.Violation(field="name", rule=f"{_NAME_RULE}, not {wanted.name!r}."))
    for field, role in (("client", Role.CLIENT), ("account", Role.WORKER)):
        value: str | None = getattr(wanted, field)
        if wanted.role is role and value is None:
            violations.append(errors.Violation(field=field, rule=f"is required for the role {role}."))
        elif wanted.role is not role and value is not None:
            violations.append(errors.Violation(field=field, rule=f"is for the role {role} only."))
        elif value is not None and not _NAME.fullmatch(value):
            violations.append(errors.Violation(field=field, rule=f"{_NAME_RULE}, not {value!r}."))
    if violations:
        raise errors.InvalidInput(violations)


async def _one(connection: Connection, statement: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
    cursor = await connection.execute(_SQL[statement], parameters)
    return await cursor.fetchone()


def _token(row: dict[str, Any]) -> TokenView:
    return TokenView(**{**row, "role": Role(row["role"])})
