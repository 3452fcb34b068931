"""Listening, serving, and leaving in good order."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import logging
import os
import signal
import socket
import ssl
from typing import TYPE_CHECKING

import uvicorn

from worker.simulator import app, errors, protocol
from worker.simulator.control.table import perform

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from worker.simulator.runtime import Simulator
    from worker.simulator.scenario import Step

logger = logging.getLogger(__name__)

#: How long calls in hand may go on after a signal.
GRACE_S = 3
_BACKLOG = 512
_ENDING = (signal.SIGINT, signal.SIGTERM)


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


def hold_signals() -> None:
    """Keep SIGTERM and SIGINT for `serve`: whoever was told that it listens may end it before it serves."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)


def checked_certificate(cert: Path | None, key: Path | None) -> tuple[Path, Path] | None:
    """Certificate and key, where HTTPS is wanted.

    Raises:
        BadSettings: One is missing, can't be read, or isn't the other's.
    """
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise errors.BadSettings("--tls-cert and --tls-key come together.")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except (OSError, ValueError) as exc:
        raise errors.BadSettings(f"--tls-cert {cert} and --tls-key {key} can't be used: {exc}.") from exc
    return cert, key


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


def serve(
    simulator: Simulator, sock: socket.socket, steps: Sequence[Step] = (), certificate: tuple[Path, Path] | None = None
) -> None:
    """Answer until SIGTERM or SIGINT; calls in hand then have three seconds to end, or none after a second signal."""
    config = config_of(simulator)
    if certificate is not None:
        config.ssl_certfile, config.ssl_keyfile = certificate
    _Server(config, functools.partial(_walk, simulator, steps)).run(sockets=[sock])


def _walk(simulator: Simulator, steps: Sequence[Step]) -> None:
    """Let each step of a scenario come at its time."""
    loop = asyncio.get_running_loop()
    for step in steps:
        loop.call_later(step.at_s, _take, simulator, step)


def _take(simulator: Simulator, step: Step) -> None:
    facts = {"event": "simulator_step", "call": f"{step.method} {step.path}", "at_s": step.at_s}
    try:
        perform(simulator, step.method, step.path, step.body)
    except errors.SimulatorError as exc:
        logger.error("A step of the scenario failed", extra={**facts, "error": str(exc)})
    else:
        logger.info("A step of the scenario", extra=facts)


def config_of(simulator: Simulator) -> uvicorn.Config:
    """How it is served: HTTP/1.1 alone, in one thread, with the idle limit of the settings."""
    return uvicorn.Config(
        app.build(simulator),
        http=protocol.bound_to(simulator.connections, simulator.knobs),
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


class _Server(uvicorn.Server):
    """uvicorn, but a signal that was obeyed isn't raised again: the command ends with exit code 0."""

    def __init__(self, config: uvicorn.Config, begin: Callable[[], None]) -> None:
        super().__init__(config)
        self._begin = begin

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        loop = asyncio.get_running_loop()
        self._begin()
        for number in _ENDING:
            loop.add_signal_handler(number, self._leave(number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        try:
            yield
        finally:
            for number in _ENDING:
                loop.remove_signal_handler(number)

    def _leave(self, number: signal.Signals) -> Callable[[], None]:
        def leave() -> None:
            self.force_exit = self.should_exit
            self.should_exit = True
            logger.info("Leaving", extra={"event": "simulator_leaving", "signal": number.name})

        return leave
