"""Services that die on the way from the order's row to its answer: one at the first step, the next at the second …

`python -m …dying_service PORT FIRST STRIDE` serves in a process of its own for each step, beginning with FIRST. A
process dies at a call whose keys begin with `death N:`, N being its step, and answers every other call as ever.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

import grpc

from orders_service.api.grpc.orders import OrdersServicer
from orders_service.orders import accept
from orders_service.orders.watch import Watch
from orders_service.server import interceptors
from orders_service.settings import DatabaseSettings
from orders_service.store.db import Database
from orders_service.v1 import orders_pb2_grpc
from tests.system import die_with_parent

if TYPE_CHECKING:
    from types import FrameType

_OURS = f"{os.sep}orders_service{os.sep}"


class Death:
    """Counts the lines of our own code that run after the rows were written, before and after the commit."""

    def __init__(self, step: int) -> None:
        self._step = step
        self._is_meant = False
        self._steps: int | None = None

    def trace(self, frame: FrameType, event: str, argument: object) -> Any:
        """Follow what runs: a function for `sys.settrace`."""
        code = frame.f_code
        if _OURS not in code.co_filename or "/tests/" in code.co_filename:
            return None
        if code is accept._create.__code__ and event == "call":
            self._is_meant = frame.f_locals["wanted"][0].idempotency_key.startswith(f"death {self._step}:")
        # A coroutine returns whenever it waits, too: its own answer is a dict.
        elif code is accept._insert.__code__ and event == "return" and isinstance(argument, dict) and self._is_meant:
            self._steps = 0
        elif self._steps is not None and event == "line":
            if self._steps == self._step:
                os.kill(os.getpid(), signal.SIGKILL)
            self._steps += 1
        return self.trace


async def _serve(port: int, step: int) -> None:
    database = Database(DatabaseSettings.from_env(os.environ))
    await database.open()
    server = grpc.aio.server(interceptors=interceptors())
    orders_pb2_grpc.add_OrdersServiceServicer_to_server(OrdersServicer(database, Watch(database)), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    death = Death(step)
    # Messages are made in a thread.
    threading.settrace(death.trace)
    sys.settrace(death.trace)
    await server.start()
    await server.wait_for_termination()


def main(port: int, first: int, stride: int) -> None:
    """Serve, and serve again."""
    step = first
    # Held all the time, and never listened on: between two services nobody else takes the port.
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind(("127.0.0.1", port))
    while True:
        # What is imported is imported once, and nothing of gRPC has begun to run here.
        child = os.fork()
        if child == 0:
            die_with_parent()
            try:
                asyncio.run(_serve(port, step))
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            step += stride


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
