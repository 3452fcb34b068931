"""What every command is given, and how it fails."""

from __future__ import annotations

import dataclasses
import getpass
import logging
import os
from typing import TYPE_CHECKING, Final

import click

from orders_service.channel.settings import ChannelSettings
from orders_service.crypto import PREVIOUS_SECRETS_ENV, SECRET_ENV
from orders_service.settings import Address

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What may also be given as a file: DB_PASSWORD_FILE and so on. Redis' and the access token are where they are read.
SECRETS: Final = ("DB_PASSWORD", SECRET_ENV, PREVIOUS_SECRETS_ENV)

#: The pool repeats each failed attempt to connect; the loops say once that the database is away. What goes wrong in a
#: request is told by `api.rest`, and uvicorn would tell it again.
QUIET: Final = {
    "psycopg.pool": logging.ERROR,
    "uvicorn.error": logging.CRITICAL,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
}


class Failure(click.ClickException):
    """One sentence on stderr, and exit code 1."""


class WrongSetting(Failure):
    """The environment or an option can't be used: exit code 2, as for any wrong usage."""

    exit_code = 2


class Unreachable(Failure):
    """A server can't be reached: exit code 3."""

    exit_code = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where clients find the service, and how: prints as the address."""

    address: Address
    channel: ChannelSettings

    def __str__(self) -> str:
        return str(self.address)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The environment, with what the command line's own options say in it."""

    environ: Mapping[str, str]

    @property
    def service(self) -> Way:
        """The way to the service; read by those who call it, and by nobody else.

        Raises:
            SettingsInvalid: The port isn't one.
            ChannelInvalid: Another variable that says how to get there can't be used.
        """
        return Way(address=Address.of_service(self.environ), channel=ChannelSettings.from_env(self.environ))


def login_name() -> str:
    """Return who types, as the system knows him; by number where it has no name for him, as in many containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())
