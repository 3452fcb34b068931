"""A simulator in a thread of the test: the whole server, without the price of a process."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import uvicorn

from tests.integration.worker.simulator.control import Control
from tests.integration.worker.simulator.user import User
from worker.simulator import account_rows, accounts, cli, objects, runtime, server
from worker.simulator.plan import plan_of
from worker.simulator.settings import Knobs, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from worker.simulator.runtime import Simulator


class SimulatorThread(Control):
    """Serves accounts of these names (password `secret`), or of these rows, with these settings."""

    def __init__(self, *names: str, rows: list[Mapping[str, object]] | None = None, **settings: object) -> None:
        knobs = Knobs(Settings())
        knobs.change(settings)
        known = [account_rows.from_option(f"{name}:secret", seed=0) for name in names]
        known += account_rows.from_rows(rows or [], seed=0, where="rows")
        book = accounts.AccountBook(known)
        self._serve(runtime.opened(knobs.now, book, objects.ObjectRules(), None))

    @classmethod
    def of_options(cls, *options: str) -> SimulatorThread:
        """What the command would serve with these options."""
        self = cls.__new__(cls)
        context = cli.main.make_context("rosreestr-simulator", list(options))
        self._serve(plan_of(context.params).opened())
        return self

    def _serve(self, opened: AbstractContextManager[Simulator]) -> None:
        self._users: list[User] = []
        self._stack = contextlib.ExitStack()
        self.simulator = self._stack.enter_context(opened)
        sock = self._stack.enter_context(server.listen("127.0.0.1", 0))
        self.port = int(sock.getsockname()[1])
        super().__init__(f"http://127.0.0.1:{self.port}")
        self._server = uvicorn.Server(server.config_of(self.simulator))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [sock]}, daemon=True)
        self._thread.start()

    def user(self, username: str, password: str = "secret") -> User:
        """A person at the door, not logged in."""
        user = User(self.url, username, password)
        self._users.append(user)
        return user

    def bound(self, username: str) -> User:
        """A person who is logged in and acts in a role."""
        return self.user(username).log_in().bind()

    def close(self) -> None:
        """End it."""
        for user in self._users:
            user.http.close()
        self.close_control()
        self._server.should_exit = True
        self._thread.join(30)
        self._stack.close()
