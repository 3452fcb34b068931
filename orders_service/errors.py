"""What can go wrong in the orders service, apart from what a caller may see of it (see `api.grpc.status`).

OrdersServiceError
├── InvalidInput         what was asked breaks a rule; names each field and its rule
├── NotFound             no such order or account
│   └── ExtractMissing   the order has no extract, though it says so: a person must look
├── AlreadyExists        the name or key is taken by something else
├── Refused              the call is in order, but not now: carries a RefusalReason
├── DatabaseUnavailable  PostgreSQL can't be reached, or went away in mid-call
├── DatabaseUnfit        PostgreSQL can be reached and must not be used
│   ├── DatabaseMissing  there is no database of that name
│   ├── NotMigrated      the schema isn't the one of this version
│   └── UnsafeServer     it can't be trusted with an order: it may forget, or garble, what it acknowledged
│       └── ReadOnlyServer  it takes no changes: a standby, or told so
├── MigrationFailed      a schema file can't be applied
│   └── MigrationChanged an applied file isn't the file that was applied
└── SettingsInvalid      an environment variable can't be used
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class OrdersServiceError(Exception):
    """The orders service can't do what was asked."""


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

    Attributes:
        violations: Every broken rule that was found, in the order of the request.
    """

    #: More would flood a terminal; the rest is in `violations`.
    MAX_SHOWN = 10

    def __init__(self, violations: Sequence[Violation]) -> None:
        shown = [f"{violation.field}: {violation.rule}" for violation in violations[: self.MAX_SHOWN]]
        if len(violations) > self.MAX_SHOWN:
            shown.append(f"and {len(violations) - self.MAX_SHOWN} more.")
        super().__init__(" ".join(shown))
        self.violations = tuple(violations)

    @classmethod
    def of(cls, field: str, rule: str) -> InvalidInput:
        """Make the error of one broken rule."""
        return cls([Violation(field=field, rule=rule)])


class NotFound(OrdersServiceError):
    """There is no such thing.

    Attributes:
        what: `order` or `account`.
        key: The id or name that was asked for.
    """

    def __init__(self, what: str, key: object, message: str | None = None) -> None:
        super().__init__(message or f"There is no {what} {key}.")
        self.what = what
        self.key = key


class ExtractMissing(NotFound):
    """The order says that it has an extract, and there is none: the database was tampered with."""

    def __init__(self, order_id: int) -> None:
        super().__init__("extract", order_id, f"The extract of order {order_id} isn't stored whole: restore a backup.")


class AlreadyExists(OrdersServiceError):
    """The name or key is taken by something else; nothing was stored."""


class Refused(OrdersServiceError):
    """The call is in order, but the order or account doesn't allow it now; nothing was changed.

    Attributes:
        reason: Name of a `RefusalReason` of the contract, without its prefix.
        metadata: What a machine needs beside the reason, such as `account` or `state`.
    """

    def __init__(self, reason: str, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.metadata = metadata


class DatabaseUnavailable(OrdersServiceError):
    """PostgreSQL can't be reached, or went away in mid-call.

    Attributes:
        is_outcome_unknown: It went away while the commit was on its way: the change may be stored or not. A repeat
            is right for every call of ours; an order without an idempotency key may then be accepted twice.
    """

    def __init__(self, message: str, *, is_outcome_unknown: bool = False) -> None:
        super().__init__(message)
        self.is_outcome_unknown = is_outcome_unknown


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


class SettingsInvalid(OrdersServiceError):
    """An environment variable can't be used.

    Attributes:
        variable: Its name.
    """

    def __init__(self, variable: str, rule: str) -> None:
        super().__init__(f"{variable} {rule}")
        self.variable = variable
