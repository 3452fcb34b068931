"""Running as root: PostgreSQL refuses to, so its programs run as the user `nobody`."""

from __future__ import annotations

import dataclasses
import os
import pwd
import stat
from typing import TYPE_CHECKING

from orders_service.dev import errors

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

USER = "nobody"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LessUser:
    """Another user to run a program as."""

    uid: int
    gid: int
    #: Whether it must keep the right to enter folders that only root may enter.
    keeps_path_access: bool


def find_less_user(paths: Iterable[Path]) -> LessUser | None:
    """Say as whom a program that refuses root can run and reach these paths; None: as who we are, we aren't root.

    No permission of any folder is changed for it: where a parent is closed to others, as the home of root is, the
    program keeps the right to pass it.

    Raises:
        DevError: We are root, and the machine has no user `nobody`.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(USER)
    except KeyError as exc:
        raise errors.DevError(
            f"PostgreSQL can't run as root, and this machine has no user {USER}: run as an ordinary user."
        ) from exc
    is_closed = any(not _is_open_to_others(path) for path in paths)
    return LessUser(uid=entry.pw_uid, gid=entry.pw_gid, keeps_path_access=is_closed)


def give(path: Path, user: LessUser | None) -> None:
    """Make a folder the user's own, for nobody else."""
    path.chmod(0o700)
    if user is not None:
        os.chown(path, user.uid, user.gid)


def _is_open_to_others(path: Path) -> bool:
    # A parent that isn't there yet will be made by us, and open enough.
    parents = [parent for parent in path.resolve().parents if parent.exists()]
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in parents)
