"""A service that notes what keeps its event loop from others, and tells it line by line.

`python -m …watched_service PORT` serves by gRPC. A line of its output is one JSON object: what ran, for how long by the
clock, and how much of that the loop's own thread computed; or the longest time that the loop came late.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from typing import Any, Final

from orders_service import process
from orders_service.api.auth.gatekeeper import Gatekeeper
from orders_service.crypto import Secretbox
from orders_service.listening import ListenSettings
from orders_service.server import Server
from orders_service.settings import Address, Settings
from orders_service.store.db import Database
from tests.system import die_with_parent

#: What is shorter isn't told.
_TOLD_S: Final = 0.004
_BEAT_S: Final = 0.002


def tell(**what: Any) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


def watch() -> None:
    """Note every step of the event loop."""
    run: Any = asyncio.Handle._run

    def noted(handle: asyncio.Handle) -> None:
        clock, cpu = time.perf_counter(), time.thread_time()
        run(handle)
        clock, cpu = time.perf_counter() - clock, time.thread_time() - cpu
        if clock > _TOLD_S:
            tell(step=name_of(handle), clock_ms=round(clock * 1000, 1), cpu_ms=round(cpu * 1000, 1))

    asyncio.Handle._run = noted  # type: ignore[assignment, method-assign]
    began = [0.0]

    def collected(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            began[0] = time.perf_counter()
        elif (took := time.perf_counter() - began[0]) > _TOLD_S:
            tell(garbage=info["generation"], clock_ms=round(took * 1000, 1))

    gc.callbacks.append(collected)


def name_of(handle: Any) -> str:
    """What ran; never with its values, which may be megabytes."""
    task = getattr(handle._callback, "__self__", None)
    coroutine = task.get_coro() if isinstance(task, asyncio.Task) else handle._callback
    return str(getattr(coroutine, "__qualname__", type(coroutine).__name__))


async def beat() -> None:
    """Tell how late the loop is, whenever it is."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _BEAT_S
        await asyncio.sleep(_BEAT_S)
        if (late := loop.time() - due) > _TOLD_S:
            tell(late_ms=round(late * 1000, 1))


async def serve(port: int) -> None:
    settings = Settings.from_env(os.environ)
    database = Database(settings)
    await database.open()
    listen = ListenSettings(address=Address(host="127.0.0.1", port=port))
    gatekeeper = Gatekeeper(database, is_token_required=False)
    server = Server(database, Secretbox("secret of the tests"), settings, listen, gatekeeper)
    process.settle_down()
    await server.start()
    beating = asyncio.create_task(beat())
    writing = asyncio.create_task(gatekeeper.scribe.run())
    tell(serving=port)
    await asyncio.gather(beating, writing)


if __name__ == "__main__":
    die_with_parent()
    watch()
    asyncio.run(serve(int(sys.argv[1])))
