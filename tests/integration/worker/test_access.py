"""A worker beside a service that asks for access tokens."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres import Database
    from tests.system import System


def run(system: System, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `orders-service ARGS` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "orders_service.cli", *args],
        env={**system.env(), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def add_token(system: System, name: str, *args: str) -> Path:
    path = system.folder / f"{name}.token"
    answer = run(system, "tokens", "add", name, *args, "--to", str(path))
    assert answer.returncode == 0, answer.stderr
    return path


def test_a_worker_with_its_token_works_and_one_with_anothers_ends_saying_so(
    system: System, fresh_database: Database
) -> None:
    mine = add_token(system, "worker-1", "--role", "worker", "--account", "a1")
    client = add_token(system, "crm", "--role", "client", "--client", "crm")
    # From now on, within a few seconds, the service asks everybody.
    wait_until(lambda: run(system, "orders", "list").returncode == 1, "the service to ask for tokens", 30)

    wrong = system.start_worker("a2", ORDERS_SERVICE_TOKEN_FILE=str(mine))
    assert wrong.wait_end(60) == 1
    assert "is the worker's of account a1, not of 'a2'" in wrong.log
    system.start_worker("a1", ORDERS_SERVICE_TOKEN_FILE=str(mine))
    submitted = run(
        system, "orders", "submit", "--cad-num", "77:01:0001001:1001", ORDERS_SERVICE_TOKEN_FILE=str(client)
    )
    assert submitted.returncode == 0, submitted.stderr

    def is_completed() -> bool:
        with fresh_database.connect() as connection:
            return connection.execute("select state, client from orders").fetchall() == [("completed", "crm")]

    system.wait(is_completed, "the order to be completed", 60)
