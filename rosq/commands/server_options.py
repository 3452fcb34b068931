"""Options that say where Redis is, each the twin of a variable of the environment."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from rosq.redis_settings import SECRETS, WAYS, RedisSettings
from rosq.secret_files import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

_SECRET = "Better given by the environment, or in a file that it names (_FILE): others can see a command line."
OPTIONS: tuple[tuple[str, str | None], ...] = (
    ("REDIS_URL", "redis://USER:PASSWORD@HOST:PORT/DB, rediss:// for TLS, unix:///PATH?db=DB. " + _SECRET),
    ("REDIS_HOST", "Default: 127.0.0.1."),
    ("REDIS_PORT", "Default: 6379."),
    ("REDIS_UNIX_SOCKET", "Path of the server's socket, instead of host and port."),
    ("REDIS_SENTINELS", "HOST:PORT,HOST:PORT: ask these for the master."),
    ("REDIS_SENTINEL_MASTER", "What the sentinels call the master."),
    ("REDIS_SENTINEL_USERNAME", None),
    ("REDIS_SENTINEL_PASSWORD", _SECRET),
    ("REDIS_CLUSTER_NODES", "HOST:PORT,HOST:PORT: some nodes of a Cluster, which know the others."),
    ("REDIS_DB", "Default: 0."),
    ("REDIS_USERNAME", None),
    ("REDIS_PASSWORD", _SECRET),
    ("REDIS_TLS", "1 speaks TLS."),
    ("REDIS_TLS_CA_FILE", "Who may have signed the server's certificate. Default: whom this system trusts."),
    ("REDIS_TLS_CERT_FILE", "The client's own certificate, where the server asks for one."),
    ("REDIS_TLS_KEY_FILE", "Its key."),
    ("REDIS_TLS_CHECK_NAME", "0 accepts a certificate that is made out to another name. Default: 1."),
)
_FLAGS = {name: "--" + name.lower().replace("_", "-") for name, _ in OPTIONS}
#: The options with their variables; `--url` is what people type for the first of them.
VARIABLES = {flag: name for name, flag in _FLAGS.items()} | {"--url": "REDIS_URL"}
#: Those whose values nobody may see.
SECRET = ("--redis-url", "--url", "--redis-password", "--redis-sentinel-password")


def server_options(command: F) -> F:
    """Add the options; the command gets what they come to as `settings`."""

    @functools.wraps(command)
    @click.pass_context
    def wrapped(context: click.Context, *args: Any, **options: Any) -> Any:
        given = {name: options.pop(name.lower()) or "" for name, _ in OPTIONS}
        settings = RedisSettings.from_env(_prefer_command_line(context, given))
        return context.invoke(command, *args, settings=settings, **options)

    decorated: Any = wrapped
    for name, text in reversed(OPTIONS):
        decorated = click.option(_FLAGS[name], name.lower(), envvar=name, show_envvar=True, help=text)(decorated)
    return decorated  # type: ignore[no-any-return]


def _prefer_command_line(context: click.Context, given: dict[str, str]) -> dict[str, str]:
    """Whoever says on the command line where Redis is means that, and not what the environment says of it."""

    def is_typed(name: str) -> bool:
        return context.get_parameter_source(name.lower()) is ParameterSource.COMMANDLINE

    # Files are named by the environment alone: an option --redis-password-file would say no more than that.
    files = {name + SUFFIX: os.environ.get(name + SUFFIX, "") for name in SECRETS if not is_typed(name)}
    typed = [way for way in WAYS if any(is_typed(name) for name in way)]
    if not typed:
        return given | files
    dropped = {name for way in WAYS if way not in typed for name in way}
    dropped |= {name + SUFFIX for name in dropped}
    return {name: value for name, value in (given | files).items() if name not in dropped}
