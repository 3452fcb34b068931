"""The folder where a stack keeps everything: its lock, secrets, ports, logs, and what the servers store."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import socket
from typing import TYPE_CHECKING, Self

from orders_service.dev import errors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

_LOCK = "lock"
_NOTE = "This folder belongs to `orders-service dev`. Stop it before you delete anything here.\n"

# All that a run stores. What else lies in the folder isn't ours, and is never thrown away.
_OWN = ("secrets", "run", "log", "locks", "postgres", "valkey", "simulator", "extracts", "ports.json", "env")


class StateFolder:
    """One folder, held by one run at a time: use it as a context manager.

    Files with secrets are of mode 0600. Where we are root the folder itself may be entered, not read, by others: the
    database server runs as another user and has to reach its own part.

    Raises:
        FolderInUse: Another run holds it.
        FolderUnfit: It can't be made or written, or holds files that aren't ours.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock: int | None = None

    def __enter__(self) -> Self:
        try:
            self._make()
        except OSError as exc:
            raise errors.FolderUnfit(
                f"{self.path} can't be used ({exc.strerror}): give another folder with --dir."
            ) from exc
        self._take_lock()
        self._make_folders()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)  # the lock file stays: whoever waits for it holds the same one
            self._lock = None

    @property
    def secrets_dir(self) -> Path:
        """Where generated secrets lie."""
        return self.path / "secrets"

    @property
    def run_dir(self) -> Path:
        """Pid files."""
        return self.path / "run"

    @property
    def log_dir(self) -> Path:
        """A log for each child."""
        return self.path / "log"

    @property
    def env_path(self) -> Path:
        """A file for a shell to source: it then finds this stack."""
        return self.path / "env"

    def log_path(self, name: str) -> Path:
        """The log of one child."""
        return self.log_dir / f"{name}.log"

    def clear(self) -> None:
        """Throw away what an earlier run stored, for a fresh start. Nothing that isn't ours is touched."""
        for entry in (self.path / name for name in _OWN):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)
        self._make_folders()

    def secret(self, name: str) -> str:
        """Return the secret of this name; made once, at random, and kept."""
        path = self.secrets_dir / name
        if not path.exists():
            write_private(path, secrets.token_urlsafe(32) + "\n")
        return path.read_text(encoding="ascii").strip()

    def port(self, name: str, preferred: int | None = None) -> int:
        """Return a free loopback port: the one of the last run if it can be had, so that open shells go on working."""
        path = self.path / "ports.json"
        ports = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        candidates = [ports.get(name), preferred]
        ports[name] = next((port for port in candidates if port is not None and is_free(port)), None) or free_port()
        write_private(path, json.dumps(ports, indent=2) + "\n")
        return int(ports[name])

    def write_env(self, variables: Mapping[str, str], bin_dir: Path) -> None:
        """Write the file to source: it sets the variables, and finds the commands. It holds secrets."""
        lines = [f"export {name}={_quote(value)}\n" for name, value in variables.items()]
        lines.append(f'export PATH={_quote(str(bin_dir))}:"$PATH"\n')
        write_private(self.env_path, "".join(lines))

    def subfolder(self, name: str) -> Path:
        """A folder of one part, for nobody else; made where it is missing."""
        assert name in _OWN, name
        path = self.path / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def _make_folders(self) -> None:
        for folder in (self.secrets_dir, self.run_dir, self.log_dir):
            folder.mkdir(mode=0o700, exist_ok=True)

    def _make(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        lock = self.path / _LOCK
        is_ours = lock.is_file() and _NOTE in lock.read_text(encoding="utf-8", errors="replace")
        if not is_ours and any(entry.name != _LOCK for entry in self.path.iterdir()):
            raise errors.FolderUnfit(
                f"{self.path} holds files that aren't of `orders-service dev`: give an empty folder with --dir."
            )
        self._lock = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)

    def _take_lock(self) -> None:
        assert self._lock is not None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._lock, 200, 0).decode(errors="replace").partition("\n")[0]
            os.close(self._lock)
            self._lock = None
            raise errors.FolderInUse(self.path, holder or "process unknown") from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"process {os.getpid()}\n{_NOTE}".encode(), 0)


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 at once: a reader, or a crash, finds the old one or the new one whole."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        # As servers do it: a port with old connections in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _quote(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"
