"""Connections to Redis in every way in which it can be reached: text answers, RESP2, no repeating of their own.

On a Cluster a connection leads to the one node that has a queue: all keys of a queue lie in one slot, so nothing needs
to be routed command by command. What changes, a Sentinel's master or a slot's node, is looked up at each connect
(`rosq.connection.locating`): whoever finds the server changed drops the connection.
"""

from __future__ import annotations

import functools
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import redis
from redis import exceptions as redis_errors
from redis.backoff import NoBackoff
from redis.retry import Retry

from rosq.connection.locating import ClusterGuide, SentinelGuide
from rosq.connection.packing import Packer
from rosq.connection.translating import NoTls, UnusableFiles, is_changed

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from rosq.connection.locating import Ask, Guide
    from rosq.redis_settings import RedisSettings
    from rosq.redis_values import Address


class _TlsConnection(redis.SSLConnection):
    """TLS with a context that isn't made anew by each: making one reads all certificates of the system."""

    def __init__(self, *, get_context: Callable[[], ssl.SSLContext], **options: Any) -> None:
        super().__init__(**options)
        self._get_context = get_context
        self._context: ssl.SSLContext | None = None

    def connect(self) -> None:
        if self._sock is None:
            # First of all: without its files there is nothing to be asked of any server.
            self._context = self._get_context()
        cast("Any", super()).connect()

    def _wrap_socket_with_ssl(self, sock: socket.socket) -> ssl.SSLSocket:
        context = self._context or self._get_context()
        try:
            return context.wrap_socket(sock, server_hostname=self.host)
        except ssl.SSLCertVerificationError:
            raise
        except TimeoutError as error:
            # A server that speaks no TLS takes the greeting for the beginning of a command.
            raise NoTls("it gave no answer to the greeting of TLS in time") from error
        except OSError as error:
            raise NoTls(f"it doesn't answer as TLS asks ({error})") from error


class _Guided:
    """Asks its guide where to connect to, each time that it connects."""

    def __init__(self, *, guide: Guide, **options: Any) -> None:
        super().__init__(**options)
        self._guide = guide

    def connect(self) -> None:
        connection = cast("Any", self)
        if connection._sock is not None:
            return
        connection.host, connection.port = self._guide.locate()
        cast("Any", super()).connect()
        try:
            self._guide.check(connection)
        except BaseException:
            connection.disconnect()
            raise


class _GuidedPlainConnection(_Guided, redis.Connection):
    pass


class _GuidedTlsConnection(_Guided, _TlsConnection):
    pass


class _Renewed:
    """In a pool: a connection that is closed and opened anew before its next use, where it can't be relied on.

    That is where its server isn't the right one any more; and where a signal handler has broken off what was under way:
    redis-py gives it back then, half open (before it was told password and database), or with an answer that is still
    to come, which the next command would take for its own.
    """

    #: Answers that are to come.
    _owed = 0
    #: Whether all that belongs to the opening of it was done.
    _is_open = False

    def connect(self) -> None:
        """Make sure that it is ready; asked for by the pool before each use."""
        connection = cast("Any", self)
        if connection._sock is not None and (self._owed or not self._is_open):
            connection.disconnect()
        if connection._sock is None:
            self._owed, self._is_open = 0, False
            cast("Any", super()).connect()
            self._is_open = True

    def send_command(self, *command: Any, **options: Any) -> None:
        self._owed += 1
        cast("Any", super()).send_command(*command, **options)

    def pack_commands(self, commands: Sequence[Any]) -> Any:
        self._owed += len(commands)
        return cast("Any", super()).pack_commands(commands)

    def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            answer = cast("Any", super()).read_response(*args, **options)
        except redis_errors.ResponseError as error:
            self._owed -= 1
            if is_changed(error):
                cast("Any", self).mark_for_reconnect()
            raise
        self._owed -= 1
        return answer


class Connector:
    """Makes connections to the server that has a key.

    Args:
        settings: Where Redis is.
        key: Any key of the queue; only a Cluster makes a difference between them.
    """

    def __init__(self, settings: RedisSettings, key: str) -> None:
        #: Where Redis is, for messages.
        self.address = settings.address
        self.settings = settings
        self._guide = _make_guide(settings, key)

    def make(self, client_name: str | None) -> Any:
        """Return a `redis.Connection` that isn't open yet. Opening it raises what redis-py raises, and ServerUnfit."""
        kind, options = self._choose()
        return kind(client_name=client_name, **options)

    def make_client(self, client_name: str) -> redis.Redis:
        """Return redis-py's client; it connects when it is first used, and the caller closes it."""
        kind, options = self._choose()
        pool = redis.ConnectionPool(connection_class=_pooled(kind), client_name=client_name, **options)
        return redis.Redis.from_pool(pool)

    def _choose(self) -> tuple[type[Any], dict[str, Any]]:
        settings = self.settings
        options = _common(settings) | {"db": settings.db}
        options |= {"username": settings.username, "password": settings.password}
        if settings.unix_socket:
            return redis.UnixDomainSocketConnection, options | {"path": settings.unix_socket}
        if settings.is_tls:
            options["get_context"] = functools.partial(_get_context, settings)
        if self._guide is not None:
            kind = _GuidedTlsConnection if settings.is_tls else _GuidedPlainConnection
            return kind, options | {"guide": self._guide}
        kind_of_one: type[Any] = _TlsConnection if settings.is_tls else redis.Connection
        return kind_of_one, options | {"host": settings.host, "port": settings.port}


def make_client(settings: RedisSettings, client_name: str, key: str) -> redis.Redis:
    """Return redis-py's client, which connects when it is first used; the caller closes it.

    Args:
        key: Any key of the queue: on a Cluster the client speaks to the node that has it, and to no other.
    """
    return Connector(settings, key).make_client(client_name)


def _pooled(kind: type[Any]) -> type[Any]:
    return type(f"Pooled{kind.__name__}", (_Renewed, kind), {})


def _common(settings: RedisSettings) -> dict[str, Any]:
    return {
        "socket_connect_timeout": settings.connect_timeout_s,
        "socket_timeout": settings.answer_timeout_s,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "decode_responses": True,
        "command_packer": Packer(),
        # What isn't UTF-8 is read too, as something that can be printed.
        "encoding_errors": "backslashreplace",
        # The client's name says who it is; what else redis-py would tell costs two more commands, and a right to each.
        "driver_info": None,
    }


def _get_context(settings: RedisSettings) -> ssl.SSLContext:
    """The context of these settings; made anew when a file has changed, for certificates are renewed."""
    files = (settings.tls_ca_file, settings.tls_cert_file, settings.tls_key_file)
    try:
        changed_ns = tuple(Path(file).stat().st_mtime_ns if file else 0 for file in files)
        return _make_context(files, changed_ns, settings.is_tls_name_checked)
    except OSError as error:
        # What is being written at this moment may be whole at the next connect.
        raise UnusableFiles(str(error)) from error


@functools.lru_cache(maxsize=16)
def _make_context(
    files: tuple[str | None, str | None, str | None], changed_ns: tuple[int, ...], is_name_checked: bool
) -> ssl.SSLContext:
    ca_file, cert_file, key_file = files
    # With an authority of one's own no other is trusted.
    context = ssl.create_default_context(cafile=ca_file)
    context.check_hostname = is_name_checked
    if cert_file and key_file:
        context.load_cert_chain(cert_file, key_file, _refuse_to_ask)
    return context


def _refuse_to_ask() -> str:
    """OpenSSL itself would ask the terminal, and wait."""
    raise UnusableFiles("the key is locked by a passphrase, which nobody can be asked for")


def _make_guide(settings: RedisSettings, key: str) -> Guide | None:
    if settings.sentinels:
        name, password = settings.sentinel_username, settings.sentinel_password
        ask = _make_ask(settings, name, password)
        return SentinelGuide(settings.sentinels, settings.sentinel_master, ask)
    if settings.cluster_nodes:
        return make_cluster_guide(settings, key)
    return None


def make_cluster_guide(settings: RedisSettings, key: str) -> ClusterGuide:
    """Return what finds the node of a Cluster that has a key."""
    return ClusterGuide(settings.cluster_nodes, key, _make_ask(settings, settings.username, settings.password))


def _make_ask(settings: RedisSettings, username: str | None, password: str | None) -> Ask:
    """A question of its own, over a connection of its own. Half of the time that a connect may take: one that hangs
    leaves time for the next."""
    options = _common(settings) | {"username": username, "password": password}
    longest_s = min(settings.connect_timeout_s, settings.answer_timeout_s) / 2
    options |= {"socket_connect_timeout": longest_s, "socket_timeout": longest_s}

    def ask(address: Address, command: Sequence[str]) -> Any:
        kind: type[Any] = redis.Connection
        extra: dict[str, Any] = {}
        if settings.is_tls:
            kind, extra = _TlsConnection, {"get_context": functools.partial(_get_context, settings)}
        connection = kind(host=address.host, port=address.port, **options, **extra)
        try:
            connection.connect()
            connection.send_command(*command)
            return connection.read_response()
        except OSError as error:
            raise redis_errors.ConnectionError(str(error)) from error
        finally:
            connection.disconnect()

    return ask
