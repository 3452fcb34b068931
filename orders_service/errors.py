"""What can go wrong in the orders service, apart from what a caller may see of it (see `api.grpc.status`).

OrdersServiceError
├── InvalidInput         what was asked breaks a rule; names each field and its rule
├── NotFound             no such order, account or paper
├── PaperDamaged         a paper isn't stored whole, though the order says so: a person must look
├── AlreadyExists        the name or key is taken by something else
│   ├── AccountExists    .account
│   ├── SamePerson       another account takes orders as the same person
│   └── KeyTaken         by orders with other content; names each row
├── Refused              the call is in order, but not now: carries a RefusalReason
├── Unauthenticated      nobody knows who calls
├── Forbidden            who calls may not make this call
├── TooManyCalls         who calls has made too many
├── TooLong              a message is longer than one of this call may be
├── TooSlow              a request didn't come in time
├── TakesNothing         an answer wasn't taken in time
├── DatabaseUnavailable  PostgreSQL can't be reached, or went away in mid-call
│   └── StoreUnavailable the folder or store of extracts can't be used now
├── DatabaseUnfit        PostgreSQL can be reached and must not be used
│   ├── DatabaseMissing  there is no database of that name
│   ├── NotMigrated      the schema isn't the one of this version
│   ├── RightMissing     its user may not do what the service does
│   └── UnsafeServer     it can't be trusted with an order: it may forget, or garble, what it acknowledged
│       └── ReadOnlyServer  it takes no changes: a standby, or told so
├── Inconsistent         what can't be was found: a defect, and nothing of the call was stored
├── MigrationFailed      a schema file can't be applied
│   └── MigrationChanged an applied file isn't the file that was applied
├── Unsafe               the service would be open to others
└── SettingsInvalid      an environment variable can't be used
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class OrdersServiceError(Exception):
    """The orders service can't do what was asked.

    Attributes:
        metadata: What a machine needs beside the error's reason, such as `order_id`.
    """

    def __init__(self, message: str, metadata: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.metadata = {key: str(value) for key, value in (metadata or {}).items()}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One broken rule.

    Attributes:
        field: Path of the field in the request, like `orders[3].cad_num`.
        rule: One sentence: what is wrong and what to do.
    """

    field: str
    rule: str


class InvalidInput(OrdersServiceError):
    """What was asked breaks a rule; nothing was stored.

    Args:
        violations: Every broken rule that was found, in the order of the request.
        bad_rows: In how many rows, where what was asked is a batch.
    """

    def __init__(self, violations: Sequence[Violation], *, bad_rows: int | None = None) -> None:
        metadata: dict[str, object] = {"violations": len(violations)}
        if bad_rows is not None:
            metadata["bad_rows"] = bad_rows
        super().__init__(_told(violations), metadata)
        self.violations = tuple(violations)

    @classmethod
    def of(cls, field: str, rule: str) -> InvalidInput:
        """Make the error of one broken rule."""
        return cls([Violation(field=field, rule=rule)])


class NotFound(OrdersServiceError):
    """There is no such thing.

    Args:
        what: `order`, `account` or `paper`.
        key: The id or name that was asked for.
        field: What the key is, by default an order's id and an account's name.
        told: The same as a person reads it, where the key alone says too little.
        metadata: What else belongs to it.
    """

    def __init__(self, what: str, key: object, *, field: str = "", told: str = "", **metadata: object) -> None:
        own = {field or ("order_id" if what == "order" else what): key}
        super().__init__(f"There is no {what} {told or key}.", own | metadata)
        self.what = what


class PaperDamaged(OrdersServiceError):
    """The order says that it has a paper, and that isn't stored whole: the database was tampered with."""

    def __init__(self, order_id: int) -> None:
        super().__init__(f"The paper of order {order_id} isn't stored whole: restore a backup.", {"order_id": order_id})


class AlreadyExists(OrdersServiceError):
    """The name or key is taken by something else; nothing was stored."""


class AccountExists(AlreadyExists):
    """The account's name is taken."""

    def __init__(self, account: str) -> None:
        super().__init__(
            f"There is an account {account} already: change it, or choose another name.", {"account": account}
        )


class SamePerson(AlreadyExists):
    """Another account takes orders as the same person at the portal; nothing was changed."""

    def __init__(self, account: str, other: str) -> None:
        super().__init__(
            f"Account {account} is the same person at the portal as account {other}, which takes orders: deactivate "
            "that one first.",
            {"account": account},
        )


class KeyTaken(AlreadyExists):
    """Idempotency keys were used before with other content; nothing was stored.

    Args:
        violations: One for each such row, in the order of the request.
        metadata: Of the first: index, idempotency_key, order_id; and bad_rows.
    """

    def __init__(self, violations: Sequence[Violation], metadata: Mapping[str, object]) -> None:
        super().__init__(_told(violations), metadata)
        self.violations = tuple(violations)


class Refused(OrdersServiceError):
    """The call is in order, but the order or account doesn't allow it now; nothing was changed.

    Attributes:
        reason: Name of a `RefusalReason`, `DecisionRefusal` or `ErrorReason` of the contract, without its prefix.
    """

    def __init__(self, reason: str, message: str, **metadata: str) -> None:
        super().__init__(message, metadata)
        self.reason = reason


class Unauthenticated(OrdersServiceError):
    """Nobody knows who calls; nothing was done.

    Attributes:
        reason: NO_TOKEN, TOKEN_UNKNOWN, TOKEN_REVOKED or TOKEN_ENDED.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Forbidden(OrdersServiceError):
    """Who calls may not make this call; nothing was done.

    Attributes:
        reason: ROLE_FORBIDDEN, or ACCOUNT_FORBIDDEN where a worker names an account that isn't its own.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class TooManyCalls(OrdersServiceError):
    """Who calls has made too many; nothing was done.

    Attributes:
        wait_s: After so many seconds the next one is let through.
    """

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"That were too many calls at once: make the next one in {wait_s:.1f} s.")
        self.wait_s = wait_s


class TooLong(OrdersServiceError):
    """A message is longer than one of this call may be; it wasn't read."""

    def __init__(self, rpc: str, size: int, most: int) -> None:
        super().__init__(f"A message of {rpc} may have {most} bytes, this one has {size}: send it in smaller parts.")


class TooSlow(OrdersServiceError):
    """A request didn't come in time; nothing of it was stored."""

    def __init__(self, rpc: str, *, idle_s: float, max_s: float) -> None:
        super().__init__(
            f"The request of {rpc} didn't come in time ({max_s:g} s, and {idle_s:g} s from one message to the next): "
            "send it again."
        )


class TakesNothing(OrdersServiceError):
    """Who calls took nothing of his answer for long."""

    def __init__(self, rpc: str, stalled_s: float) -> None:
        super().__init__(f"Nothing of the answer to {rpc} was taken for {stalled_s:g} s: ask for it again.")


class Inconsistent(OrdersServiceError):
    """What can't be was found: a defect of the service, or rows that were changed past it. Nothing was stored."""


class DatabaseUnavailable(OrdersServiceError):
    """PostgreSQL can't be reached, or went away in mid-call.

    Attributes:
        is_outcome_unknown: It went away while the commit was on its way: the change may be stored or not. A repeat of
            the same call is right for every call of ours.
    """

    def __init__(self, message: str, *, is_outcome_unknown: bool = False) -> None:
        super().__init__(message)
        self.is_outcome_unknown = is_outcome_unknown


class StoreUnavailable(DatabaseUnavailable):
    """The folder or S3-like store of extracts can't be read from or written to now; nothing was stored."""


class DatabaseUnfit(OrdersServiceError):
    """PostgreSQL can be reached, and must not be used as it is."""


class DatabaseMissing(DatabaseUnfit):
    """The server has no database of this name."""

    def __init__(self, name: str, where: str) -> None:
        super().__init__(
            f"There is no database {name!r} on {where}: create it, or run `orders-service migrate --create-database`."
        )
        self.name = name


class NotMigrated(DatabaseUnfit):
    """The database's schema isn't the one that this version needs.

    Attributes:
        missing: Names of the files that aren't applied.
    """

    def __init__(self, missing: Sequence[str]) -> None:
        names = f" {', '.join(missing)} " + ("is" if len(missing) == 1 else "are") if missing else " its schema is"
        super().__init__(f"The database isn't migrated:{names} missing. Run `orders-service migrate`.")
        self.missing = tuple(missing)


class RightMissing(DatabaseUnfit):
    """The service's user may not read or write something that it must."""

    def __init__(self, user: str, what: str) -> None:
        super().__init__(f"The database's user {user!r} lacks a right ({what}): grant it, and try again.")


class UnsafeServer(DatabaseUnfit):
    """This server may take back, or can't store, what it acknowledges, and a forgotten gate is a second payment."""


class ReadOnlyServer(UnsafeServer):
    """The server takes no changes: a standby, a primary that was demoted, or one that was told so."""


class MigrationFailed(OrdersServiceError):
    """A schema file can't be applied; what came before it stays applied, of it nothing (unless it runs alone)."""


class MigrationChanged(MigrationFailed):
    """A file that was applied isn't the same any more.

    Attributes:
        files: Names of those files.
    """

    def __init__(self, files: Sequence[str]) -> None:
        super().__init__(
            f"{', '.join(files)} {'was' if len(files) == 1 else 'were'} changed after being applied: "
            "put the applied text back, and write the change as a new file."
        )
        self.files = tuple(files)


class Unsafe(OrdersServiceError):
    """The service was told to listen where others would reach it unasked."""


class SettingsInvalid(OrdersServiceError):
    """An environment variable can't be used.

    Attributes:
        variable: Its name.
    """

    def __init__(self, variable: str, rule: str) -> None:
        super().__init__(f"{variable} {rule}")
        self.variable = variable


#: More would flood a terminal; the rest is in `violations`.
_MAX_TOLD: Final = 10


def _told(violations: Sequence[Violation]) -> str:
    told = [f"{violation.field}: {violation.rule}" for violation in violations[:_MAX_TOLD]]
    if len(violations) > _MAX_TOLD:
        told.append(f"and {len(violations) - _MAX_TOLD} more.")
    return " ".join(told)
