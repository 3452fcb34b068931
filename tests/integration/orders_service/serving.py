"""`orders-service` as a process, for tests of what a user sees."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from orders_service.v1 import operator_pb2_grpc, orders_pb2_grpc, rosreestr_users_pb2_grpc, worker_pb2_grpc
from tests.servers import free_port
from tests.system import Process
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SECRET = "secret of the tests"


class Service:
    """A running `orders-service serve`, its stubs, and the command line that talks to it."""

    def __init__(self, env: Mapping[str, str], folder: Path) -> None:
        self.port = free_port()
        self.rest_port = free_port()
        self.folder = folder
        self.env = clean_env(
            {
                "ROSREESTR_CRYPTO_SECRET": SECRET,
                "ORDERS_SERVICE_HOST": "127.0.0.1",
                "ORDERS_SERVICE_PORT": str(self.port),
                "ORDERS_SERVICE_LISTEN": f"127.0.0.1:{self.port}",
                "ORDERS_SERVICE_REST_LISTEN": f"127.0.0.1:{self.rest_port}",
                "RECONCILE_INTERVAL_S": "0.5",
                "ORDERS_SERVICE_GRACE_S": "5",
                **env,
            }
        )
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{self.port}",
            options=[("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)],
        )
        self.orders = orders_pb2_grpc.OrdersServiceStub(self.channel)
        self.operator = operator_pb2_grpc.OperatorServiceStub(self.channel)
        self.accounts = rosreestr_users_pb2_grpc.RosreestrUsersServiceStub(self.channel)
        self.worker = worker_pb2_grpc.WorkerServiceStub(self.channel)
        self.process = self.start()

    def start(self) -> Process:
        """Start another process with the same settings; returns at once."""
        command = [sys.executable, "-m", "orders_service.cli", "serve"]
        # In its folder: with `-m` what lies in the present one comes first, whatever PYTHONPATH says.
        return Process("service", command, self.env, self.folder, cwd=self.folder)

    def wait_ready(self) -> None:
        """Wait until it serves."""

        def is_serving() -> bool:
            assert self.process.is_running(), self.process.log
            return "event=serving" in self.process.log

        wait_until(is_serving, "the service to serve", 60)

    def cli(self, *args: str, text: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `orders-service ARGS` to its end, in the folder of this test."""
        return run_cli(*args, env={**self.env, **env}, text=text, folder=self.folder)

    def close(self) -> None:
        self.channel.close()
        if self.process.is_running():
            self.process.send(signal.SIGCONT)
            self.process.kill()


def clean_env(env: Mapping[str, str]) -> dict[str, str]:
    """This environment without what would lead a process of ours astray, and with `env`."""
    prefixes = (
        "EXTRACT_",
        "DB_",
        "REDIS_",
        "ROSREESTR_",
        "ORDERS_SERVICE_",
        "ROSQ_",
        "ORDER_",
        "RECONCILE_",
        "RELAY_",
        "WEBHOOK_",
    )
    kept = {key: value for key, value in os.environ.items() if not key.startswith(prefixes)}
    # Tests run in a folder of their own.
    path = str(Path(__file__).parents[3])
    return {**kept, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "ORDERS_SERVICE_LANG": "en", **env}


def run_cli(
    *args: str, env: Mapping[str, str], folder: Path, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `orders-service ARGS` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "orders_service.cli", *args],
        env=dict(env),
        cwd=folder,
        input=text if text is not None else "",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def error_of(call: Callable[..., object], request: object) -> grpc.Call:
    """Make a call that must fail; its error, which is a call too."""
    try:
        call(request, timeout=20)
    except grpc.RpcError as error:
        assert isinstance(error, grpc.Call)
        return error
    raise AssertionError("the call was answered")
