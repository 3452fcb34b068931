"""The schema as the numbered files in `sql/` say it: forward only, each applied once, never changed after.

Marks are lines of their own in a file:

- `-- no-transaction`: it holds one statement that can't run in a transaction and may be repeated.
- `-- after-deploy`: a service of the version before can't live with it, so it comes when none runs any more. Every
  other file is for before the deploy, which may be said by `-- before-deploy`: the version before runs on beside it.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.store.queries import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orders_service.store.db import Connection

#: Where the files are, when they aren't in a folder `sql` above this package.
FOLDER_VARIABLE: Final = "ORDERS_SERVICE_SQL_DIR"

_FILE_NAME: Final = re.compile(r"(?P<version>[0-9]{4})_[a-z0-9_]+\.sql")
_ALONE: Final = re.compile(r"^-- no-transaction\s*$", re.MULTILINE)
_BEFORE: Final = re.compile(r"^-- before-deploy\s*$", re.MULTILINE)
_AFTER: Final = re.compile(r"^-- after-deploy\s*$", re.MULTILINE)


class Phase(enum.Enum):
    """Which files are meant."""

    #: All of them: no service of another version runs.
    ALL = "all"
    #: Those that the version before can live with.
    BEFORE_DEPLOY = "before-deploy"
    #: Those that wait until no service of the version before runs.
    AFTER_DEPLOY = "after-deploy"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file.

    Attributes:
        name: The file's name.
        sha256: Of its text with line ends as `\\n`, so that a checkout on Windows is the same file.
        is_alone: Marked `-- no-transaction`: it runs outside of one.
        is_after_deploy: Marked `-- after-deploy`.
    """

    version: int
    name: str
    text: str
    sha256: str
    is_alone: bool
    is_after_deploy: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What stands in the database and what is still to be applied.

    Attributes:
        applied: Names of the applied files that are known here.
        unknown: Names of applied files that aren't here: the database is ahead of this version.
        pending: To be applied, in order.
        left: Not applied, and left for another phase.
    """

    applied: tuple[str, ...]
    unknown: tuple[str, ...]
    pending: tuple[Migration, ...]
    left: tuple[Migration, ...] = ()


def find_folder(environ: Mapping[str, str]) -> Path:
    """Find the folder of the files: ORDERS_SERVICE_SQL_DIR, else the nearest `sql` above this package.

    Raises:
        MigrationFailed: There is none.
    """
    if given := environ.get(FOLDER_VARIABLE):
        return Path(given)
    for parent in Path(__file__).resolve().parents:
        if any((parent / "sql").glob("0001_*.sql")):
            return parent / "sql"
    raise errors.MigrationFailed(
        f"The folder sql/ with the schema isn't beside the package: name it with --sql-dir or {FOLDER_VARIABLE}."
    )


def read_folder(folder: Path) -> list[Migration]:
    """Read the files in the order of their numbers.

    Raises:
        MigrationFailed: The folder can't be read or is empty, or a name or number is wrong.
    """
    try:
        paths = sorted(folder.glob("*.sql"))
        migrations = [_read(path) for path in paths]
    except (OSError, UnicodeDecodeError) as exc:
        raise errors.MigrationFailed(f"The schema's files in {folder} can't be read: {exc}.") from exc
    if not migrations:
        raise errors.MigrationFailed(f"{folder} holds no schema files (0001_some_words.sql): name the right folder.")
    for one, other in itertools.pairwise(migrations):
        if one.version == other.version:
            raise errors.MigrationFailed(f"{one.name} and {other.name} have the same number: give one the next free.")
    return migrations


async def make_plan(connection: Connection, migrations: Sequence[Migration]) -> Plan:
    """Compare the files with what the database says was applied. Changes nothing.

    Raises:
        MigrationChanged: An applied file has another text now.
        MigrationFailed: A file for before a deploy that isn't applied has a lower number than one that is.
    """
    applied = await _read_applied(connection)
    changed = [one.name for one in migrations if one.version in applied and applied[one.version][1] != one.sha256]
    if changed:
        raise errors.MigrationChanged(changed)
    pending = tuple(one for one in migrations if one.version not in applied)
    # What waits for after a deploy may be overtaken by what comes before the next.
    late = [one.name for one in pending if applied and one.version < max(applied) and not one.is_after_deploy]
    if late:
        raise errors.MigrationFailed(
            f"{', '.join(late)} would come after a higher number that is applied already: give it the next free number."
        )
    known = {one.version for one in migrations}
    return Plan(
        applied=tuple(one.name for one in migrations if one.version in applied),
        unknown=tuple(name for version, (name, _) in sorted(applied.items()) if version not in known),
        pending=pending,
    )


def choose(plan: Plan, phase: Phase) -> Plan:
    """Return the plan of this phase: of the pending files its own, in their order.

    A file for after the deploy is overtaken by later ones for before: no file may rest on another one's having taken
    something away.

    Raises:
        MigrationFailed: Files for before the deploy are pending after it.
    """
    if phase is Phase.ALL:
        return plan
    is_after = phase is Phase.AFTER_DEPLOY
    pending = tuple(one for one in plan.pending if one.is_after_deploy is is_after)
    left = tuple(one for one in plan.pending if one.is_after_deploy is not is_after)
    if is_after and left:
        raise errors.MigrationFailed(
            f"{', '.join(one.name for one in left)} {'is' if len(left) == 1 else 'are'} for before the deploy, and not "
            "applied: first `orders-service migrate --before-deploy`, then deploy."
        )
    return dataclasses.replace(plan, pending=pending, left=left)


async def require_current(connection: Connection, migrations: Sequence[Migration]) -> Plan:
    """Make sure that every file that the code rests on is applied. A database that is ahead is fine: the schema goes
    before the code; and what comes after the deploy may come late.

    Raises:
        NotMigrated: Some aren't.
        MigrationFailed: As for `make_plan`.
    """
    plan = await make_plan(connection, migrations)
    if missing := [one.name for one in plan.pending if not one.is_after_deploy]:
        raise errors.NotMigrated(missing)
    return plan


def _read(path: Path) -> Migration:
    match = _FILE_NAME.fullmatch(path.name)
    if match is None:
        raise errors.MigrationFailed(f"{path.name} isn't named like 0001_some_words.sql: rename it.")
    text = path.read_bytes().decode("utf-8").replace("\r\n", "\n")
    is_after_deploy = _AFTER.search(text) is not None
    if is_after_deploy and _BEFORE.search(text):
        raise errors.MigrationFailed(
            f"{path.name} is marked for before and for after the deploy: it can be one of them."
        )
    return Migration(
        version=int(match["version"]),
        name=path.name,
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        is_alone=_ALONE.search(text) is not None,
        is_after_deploy=is_after_deploy,
    )


async def _read_applied(connection: Connection) -> dict[int, tuple[str, str]]:
    statements = load("migrations")
    cursor = await connection.execute(statements["find_table"])
    row = await cursor.fetchone()
    if row is None or row["schema_migrations"] is None:
        return {}
    cursor = await connection.execute(statements["list_applied"])
    return {row["version"]: (row["name"], row["sha256"]) for row in await cursor.fetchall()}
