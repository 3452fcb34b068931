"""Secrets that lie in files: `REDIS_PASSWORD_FILE` names the file that holds what `REDIS_PASSWORD` would say.

So that a secret needn't stand in an environment, where every child and many a crash report finds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from rosq.errors import InvalidSettings

#: What is put behind a variable's name.
SUFFIX: Final = "_FILE"
#: More is no secret, but the wrong file.
_MAX_BYTES: Final = 64 * 1024


class SecretFiles(Mapping[str, str]):
    """An environment in which each of these variables may also be given as a file.

    A file is read when its variable is asked for, so a command that needs no such secret needs no such file either.
    Line ends at the file's end, which an editor or `echo` leaves there, don't belong to the secret.

    Args:
        environ: The variables as they are.
        names: Those that may be given as files.
    """

    def __init__(self, environ: Mapping[str, str], names: tuple[str, ...]) -> None:
        self._environ = environ
        self._names = frozenset(names)

    def __getitem__(self, name: str) -> str:
        """Return the variable, or what its file holds.

        Raises:
            KeyError: It is given in neither way.
            InvalidSettings: It is given in both, or the file can't be read or is empty.
        """
        path = self._environ.get(name + SUFFIX) if name in self._names else None
        if not path:
            return self._environ[name]
        if self._environ.get(name):
            raise InvalidSettings(f"{name} and {name}{SUFFIX} are both set: set one of them.")
        return read_secret(name + SUFFIX, path)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the variables as they were given: a secret in a file is not among them."""
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)


def read_secret(variable: str, path: str) -> str:
    """Return the secret that the file holds; `variable` is where its path came from, for the message.

    Raises:
        InvalidSettings: It can't be read, is empty, or is no file of text.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is no path"
        raise InvalidSettings(f"{variable} names {path!r}, which can't be read ({reason}).") from exc
    try:
        text = data.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        text = ""
    if not text or len(data) > _MAX_BYTES:
        raise InvalidSettings(f"{variable} names {path!r}, which holds no secret: it must be a short text in UTF-8.")
    return text
