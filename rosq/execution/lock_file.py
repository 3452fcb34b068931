"""Proof that the last process of a worker's name is dead: a locked file on its machine."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: Tokens that are remembered. More than one, since a process may die between writing its own and taking the name in
#: Redis.
_MAX_TOKENS = 8


class LockFile:
    """A file whose lock the kernel gives back when its process dies, with the tokens of those that held it.

    Who can lock it knows that every process whose token stands in it is dead, or has left; a token that is also the
    holder's in Redis therefore proves that the name is nobody's any more. On another machine the file is another file,
    and proves nothing, as it should be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def lock(self, token: str) -> list[str]:
        """Lock the file, write one's own token into it, and return the tokens of those that are provably gone.

        Returns:
            Nothing if another living process has the file; then nothing is proved either.

        Raises:
            OSError: The file can't be opened or written.
        """
        if self._fd is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                return []
            except BaseException:
                os.close(fd)
                raise
            self._fd = fd
        tokens = [known for known in os.pread(self._fd, 4096, 0).decode("ascii", "replace").split() if known != token]
        # The own token first, before the name is taken: a crash in between must not leave a holder without proof.
        text = "\n".join([token, *tokens[: _MAX_TOKENS - 1]]) + "\n"
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, text.encode("ascii", "replace"), 0)
        os.fsync(self._fd)
        return tokens

    def release(self) -> None:
        """Give the lock back; the file stays, with the tokens. Safe twice."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)
