"""Opens a channel to the service."""

from __future__ import annotations

import collections
import logging
import os
from typing import TYPE_CHECKING, Any, Final

import grpc

from orders_service.channel.settings import CA_ENV, CERT_ENV, KEY_ENV, TOKEN_ENV, is_sendable, read_file
from rosq.errors import InvalidSettings
from rosq.secret_files import SUFFIX, read_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orders_service.channel.settings import ChannelSettings

logger = logging.getLogger(__name__)

_OPTIONS: Final = (("grpc.enable_http_proxy", 0),)


def open_channel(address: str, settings: ChannelSettings, options: Sequence[tuple[str, Any]] = ()) -> grpc.Channel:
    """Return a channel; nothing is connected yet.

    Raises:
        ChannelInvalid: A file of TLS can't be read.
    """
    all_options = [*_OPTIONS, *options]
    if settings.is_tls:
        credentials = grpc.ssl_channel_credentials(
            root_certificates=read_file(CA_ENV, settings.ca_file),
            private_key=read_file(KEY_ENV, settings.key_file),
            certificate_chain=read_file(CERT_ENV, settings.cert_file),
        )
        channel = grpc.secure_channel(address, credentials, options=all_options)
    else:
        channel = grpc.insecure_channel(address, options=all_options)
    find_token = _token_source(settings)
    return channel if find_token is None else grpc.intercept_channel(channel, _TokenSender(find_token))


class _TokenSender(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Puts the token into each call. Not as credentials of a call: gRPC sends those by TLS alone."""

    def __init__(self, find_token: Callable[[], str | None]) -> None:
        self._find_token = find_token

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(self._with_token(client_call_details), request)

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(self._with_token(client_call_details), request)

    def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return continuation(self._with_token(client_call_details), request_iterator)

    def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return continuation(self._with_token(client_call_details), request_iterator)

    def _with_token(self, details: Any) -> Any:
        token = self._find_token()
        if token is None:
            return details
        metadata = [*(details.metadata or ()), ("authorization", f"Bearer {token}")]
        return _CallDetails(
            details.method,
            details.timeout,
            metadata,
            details.credentials,
            getattr(details, "wait_for_ready", None),
            getattr(details, "compression", None),
        )


class _CallDetails(
    collections.namedtuple(  # what gRPC reads by name
        "_CallDetails", ("method", "timeout", "metadata", "credentials", "wait_for_ready", "compression")
    ),
    grpc.ClientCallDetails,
):
    pass


class _TokenFile:
    """An access token that lies in a file: read again when the file changes."""

    def __init__(self, path: str, token: str | None) -> None:
        self._path = path
        self._read: object = None
        #: As it was read with the settings.
        self._token = token
        self._trouble: str | None = None

    def find(self) -> str | None:
        """Return the token as the file has it; while it can't be read, the one before, with a line in the log."""
        try:
            self._look()
        except (OSError, InvalidSettings) as error:
            # Being replaced at this moment, perhaps: the one that we have may still be right.
            reason = f"{error.strerror}" if isinstance(error, OSError) else str(error)
            if reason != self._trouble:
                logger.warning(
                    "The file with the access token can't be used: the token before is sent",
                    extra={"event": "token_file_broken", "file": self._path, "error": reason},
                )
            self._trouble = reason
        else:
            self._trouble = None
        return self._token

    def _look(self) -> None:
        found = os.stat(self._path)  # noqa: PTH116  # before each call: as cheap as can be
        changed = (found.st_mtime_ns, found.st_size, found.st_ino)
        if self._read == changed:
            return
        token = read_secret(TOKEN_ENV + SUFFIX, self._path)
        if not is_sendable(token):
            raise InvalidSettings(f"{TOKEN_ENV}{SUFFIX} names {self._path!r}, which holds no access token.")
        if self._read is not None:
            logger.info("The access token was read anew", extra={"event": "token_file_read", "file": self._path})
        self._read, self._token = changed, token


def _token_source(settings: ChannelSettings) -> Callable[[], str | None] | None:
    """Return what finds the token for each call; None where there is none."""
    if settings.token_file is not None:
        return _TokenFile(settings.token_file, settings.token).find
    return None if settings.token is None else lambda: settings.token
