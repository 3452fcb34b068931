"""What the environment says of the way to the service. Knows no gRPC: whoever only asks for help needs none."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rosq.errors import InvalidSettings
from rosq.secret_files import SUFFIX, SecretFiles

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN_ENV: Final = "ORDERS_SERVICE_TOKEN"
TLS_ENV: Final = "ORDERS_SERVICE_TLS"
CA_ENV: Final = "ORDERS_SERVICE_TLS_CA_FILE"
CERT_ENV: Final = "ORDERS_SERVICE_TLS_CERT_FILE"
KEY_ENV: Final = "ORDERS_SERVICE_TLS_KEY_FILE"


_YES: Final = ("1", "yes", "true", "on")
_NO: Final = ("0", "no", "false", "off", "")


class ChannelInvalid(Exception):
    """A variable that says how to reach the orders service can't be used; the message names it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings:
    """How to reach the service.

    Attributes:
        token: The access token; None: none is sent.
        token_file: Where it lies instead; read again when the file changes.
        is_tls: Whether to speak TLS.
        ca_file: Who may have signed the service's certificate; None: whom this system trusts.
        cert_file: The own certificate, where the service asks for one; `key_file` is its key.
    """

    token: str | None = dataclasses.field(default=None, repr=False)
    token_file: str | None = None
    is_tls: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> ChannelSettings:
        """Read ORDERS_SERVICE_TOKEN, ORDERS_SERVICE_TOKEN_FILE, ORDERS_SERVICE_TLS and its files.

        Raises:
            ChannelInvalid: One can't be used, or two contradict each other.
        """
        given = {name: environ.get(name, "").strip() for name in (TLS_ENV, CA_ENV, CERT_ENV, KEY_ENV)}
        switch = given[TLS_ENV].lower()
        if switch not in (*_YES, *_NO):
            raise ChannelInvalid(f"{TLS_ENV} must be 1 or 0, not {given[TLS_ENV]!r}.")
        is_tls = switch in _YES
        for name in (CA_ENV, CERT_ENV, KEY_ENV):
            if given[name] and not is_tls:
                raise ChannelInvalid(f"{name} is set, but no TLS is asked for: set {TLS_ENV}=1.")
        if bool(given[CERT_ENV]) != bool(given[KEY_ENV]):
            raise ChannelInvalid(f"{CERT_ENV} and {KEY_ENV} belong together: set both.")
        try:
            token = SecretFiles(environ, (TOKEN_ENV,)).get(TOKEN_ENV) or None
        except InvalidSettings as exc:
            raise ChannelInvalid(str(exc)) from exc
        for name in (CA_ENV, CERT_ENV, KEY_ENV):
            read_file(name, given[name] or None)
        token_file = environ.get(TOKEN_ENV + SUFFIX) or None
        if token is not None and not is_sendable(token):
            raise ChannelInvalid(
                f"{TOKEN_ENV} is no access token: it must be letters, digits and signs, without blanks."
            )
        return cls(
            token=token,
            token_file=token_file,
            is_tls=is_tls,
            ca_file=given[CA_ENV] or None,
            cert_file=given[CERT_ENV] or None,
            key_file=given[KEY_ENV] or None,
        )


def is_sendable(token: str) -> bool:
    """Whether the text can stand in a header."""
    return token.isascii() and token.isprintable() and not any(character.isspace() for character in token)


def read_file(variable: str, path: str | None) -> bytes | None:
    """Return what the file holds; None where there is none.

    Raises:
        ChannelInvalid: It can't be read.
    """
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as exc:
        raise ChannelInvalid(f"{variable} names {path!r}, which can't be read ({exc.strerror}).") from exc
