"""Listening, serving, and leaving in good order."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
from typing import TYPE_CHECKING

import uvicorn

from worker.simulator import app, errors, protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from worker.simulator.runtime import Simulator

logger = logging.getLogger(__name__)

#: How long calls in hand may go on after a signal.
GRACE_S = 3
_BACKLOG = 512


def listen(host: str, port: int) -> socket.socket:
    """Take the address. From here on clients can connect; they are answered as soon as `serve` runs.

    Raises:
        PortUnavailable: Somebody else has it, or it may not be taken; says what to do.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
    except OSError as exc:
        raise errors.PortUnavailable(f"--host {host} is no address of this machine: {exc.strerror}.") from exc
    sock = socket.socket(family, kind)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError as exc:
        sock.close()
        raise _unavailable(host, port, exc) from exc
    return sock


def _unavailable(host: str, port: int, exc: OSError) -> errors.PortUnavailable:
    if exc.errno == errno.EADDRINUSE:
        why = "is in use by another process: stop that one, or give another --port (0 takes a free one)"
    elif exc.errno == errno.EACCES:
        why = "may not be opened by this user: give a --port above 1023 (0 takes a free one)"
    else:
        why = f"can't be opened ({exc.strerror}): give another --host or --port"
    return errors.PortUnavailable(f"Port {port} on {host} {why}.")


def write_port_file(path: Path, port: int) -> None:
    """Tell the port to whoever waits for this file; it is never seen half-written.

    Raises:
        StartRefused: The file can't be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(f"{port}\n", encoding="ascii")
        draft.replace(path)
    except OSError as exc:
        raise errors.StartRefused(f"--port-file {path} can't be written: {exc.strerror}.") from exc


def serve(simulator: Simulator, sock: socket.socket) -> None:
    """Answer until SIGTERM or SIGINT; calls in hand then have three seconds to end, or none after a second signal."""
    config = uvicorn.Config(
        app.build(simulator),
        http=protocol.bound_to(simulator.connections, idle_limit_s=simulator.settings.idle_limit_s),
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=GRACE_S,
    )
    _Server(config).run(sockets=[sock])


class _Server(uvicorn.Server):
    """uvicorn, but a signal that was obeyed isn't raised again: the command ends with exit code 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._leave(number))
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _leave(self, number: signal.Signals) -> Callable[[], None]:
        def leave() -> None:
            self.force_exit = self.should_exit
            self.should_exit = True
            logger.info("Leaving", extra={"event": "simulator_leaving", "signal": number.name})

        return leave
