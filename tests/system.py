"""The whole system as real processes, for tests that kill parts of it.

Each process writes to a log of its own; when a wait runs out, the tails of the logs are in the failure.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from orders_service.v1 import (
    operator_pb2_grpc,
    orders_pb2,
    orders_pb2_grpc,
    rosreestr_users_pb2,
    rosreestr_users_pb2_grpc,
)
from tests.servers import RedisServer, free_port
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PR_SET_PDEATHSIG = 1
DECLARANT_CATEGORY = "357039000000"
FINAL_STATES = {orders_pb2.ORDER_STATE_COMPLETED, orders_pb2.ORDER_STATE_FAILED, orders_pb2.ORDER_STATE_CANCELLED}

FAST_WORKER = {
    "ROSREESTR_MIN_INTERVAL_S": "0.02",
    "ROSREESTR_JITTER_S": "0",
    "ROSREESTR_DAILY_LIMIT": "0",
    "ROSREESTR_FIRST_CHECK_S": "0.3",
    "ROSREESTR_CHECK_INTERVAL_S": "0.3",
    "ROSREESTR_NOT_FOUND_RECHECK_S": "0.5",
    "ROSREESTR_ABSENT_AFTER_S": "4",
    "ROSREESTR_STANDBY_CHECK_S": "0.5",
}


def die_with_parent() -> None:
    """Let the kernel end this process with the one that started it."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """One process of ours, and what it wrote."""

    def __init__(
        self, name: str, command: Sequence[str], env: Mapping[str, str], folder: Path, *, cwd: Path | None = None
    ) -> None:
        self.name = name
        self.log_path = folder / f"{name}.log"
        with self.log_path.open("ab") as log:
            self._popen = subprocess.Popen(
                list(command),
                env=dict(env),
                cwd=cwd,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def is_running(self) -> bool:
        return self._popen.poll() is None

    def wait_end(self, timeout_s: float = 30.0) -> int:
        """Wait until it ended by itself; its exit code, negative for a signal."""
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {timeout_s:g} s:\n{self.log[-3000:]}") from None

    def send(self, sig: signal.Signals) -> None:
        self._popen.send_signal(sig)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self._popen.wait(10)

    def stop(self, timeout_s: float = 15.0) -> int:
        """End it in order; its exit code."""
        if self.is_running():
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
        return self.wait_end(timeout_s)

    def is_stopped(self) -> bool:
        """Whether it stands still by SIGSTOP."""
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"


class System:
    """PostgreSQL and Redis as given; simulator, service and workers as processes of this test."""

    def __init__(self, folder: Path, db_env: Mapping[str, str], redis: RedisServer, queue: str) -> None:
        self.folder = folder
        self.redis = redis
        self.queue = queue
        self.port = free_port()
        self.rest_port = free_port()
        self.portal_url = ""
        self._env = {
            **{
                k: v
                for k, v in os.environ.items()
                if not k.startswith(("DB_", "REDIS_", "ROSREESTR_", "ORDERS_SERVICE_"))
            },
            **db_env,
            **redis.env(),
            "ROSREESTR_CRYPTO_SECRET": "test secret of this run",
            "ORDERS_SERVICE_HOST": "127.0.0.1",
            "ORDERS_SERVICE_PORT": str(self.port),
            "ROSQ_QUEUE": queue,
            "ORDER_LEASE_S": "3",
            "RECONCILE_INTERVAL_S": "1",
            "PYTHONUNBUFFERED": "1",
            **FAST_WORKER,
        }
        self.processes: list[Process] = []
        self._channel: grpc.Channel | None = None

    # Processes

    def start(self, name: str, *command: str, **env: str) -> Process:
        """Start a process of ours by module: `start("w", "worker.cli", "--account", "a", ENV="x")`."""
        module, *args = command
        process = Process(name, [sys.executable, "-m", module, *args], {**self._env, **env}, self.folder)
        self.processes.append(process)
        return process

    def start_simulator(self, *options: str, accounts: Sequence[str] = ("a1", "a2", "a3")) -> Process:
        """Start the portal's simulator, and return when it answers."""
        port_file = self.folder / "simulator.port"
        port_file.unlink(missing_ok=True)
        names = [part for name in accounts for part in ("--account", f"{name}:secret-{name}")]
        fixed = ["--port", "0", "--port-file", str(port_file), "--state", str(self.folder / "simulator.json")]
        pace = ["--latency", "0:0.01", "--ready-after", "0.5", "--idle-limit", "2"]
        process = self.start("simulator", "worker.simulator.cli", *fixed, *pace, *names, *options)
        self.wait(lambda: port_file.exists() and port_file.read_text().strip(), "the simulator's port", process=process)
        self.portal_url = f"http://127.0.0.1:{port_file.read_text().strip()}"
        self._env["ROSREESTR_PORTAL_URL"] = self.portal_url
        return process

    def start_service(self, **env: str) -> Process:
        """Start `orders-service serve`, and return when it serves."""
        listen = ("--listen", f"127.0.0.1:{self.port}", "--rest-listen", f"127.0.0.1:{self.rest_port}")
        process = self.start("service", "orders_service.cli", "serve", *listen, **env)
        self.wait(self._is_serving, "the service to serve", process=process)
        return process

    def start_worker(
        self,
        name: str,
        *,
        account: str | None = None,
        kill_at: str = "",
        stop_at: str = "",
        deliver_twice: bool = False,
        **env: str,
    ) -> Process:
        """Start the worker of an account (by default the one called `name`), with a lease of 3 s.

        Args:
            kill_at: SIGKILL itself when it first reaches this point of `worker.order.points.Point`.
            stop_at: SIGSTOP itself there.
            deliver_twice: The queue hands every job to two workers at once.
        """
        chaos = {"WORKER_CHAOS_DIR": str(self.folder), "WORKER_KILL_AT": kill_at, "WORKER_STOP_AT": stop_at}
        chaos["WORKER_DELIVER_TWICE"] = "1" if deliver_twice else ""
        options = ["--account", account or name, "--lock-dir", str(self.folder), "--lease-s", "3"]
        return self.start(f"worker-{name}", "tests.chaos.worker_process", *options, **chaos, **env)

    def env(self) -> dict[str, str]:
        """The environment in which a person's command finds this system."""
        return dict(self._env)

    def _is_serving(self) -> bool:
        with contextlib.suppress(grpc.RpcError):
            self.orders.ListOrders(orders_pb2.ListOrdersRequest(page_size=1), timeout=1)
            return True
        return False

    # The client's side

    @property
    def channel(self) -> grpc.Channel:
        if self._channel is None:
            options = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)]
            self._channel = grpc.insecure_channel(f"127.0.0.1:{self.port}", options=options)
        return self._channel

    @property
    def orders(self) -> orders_pb2_grpc.OrdersServiceStub:
        return orders_pb2_grpc.OrdersServiceStub(self.channel)

    @property
    def operator(self) -> operator_pb2_grpc.OperatorServiceStub:
        return operator_pb2_grpc.OperatorServiceStub(self.channel)

    @property
    def users(self) -> rosreestr_users_pb2_grpc.RosreestrUsersServiceStub:
        return rosreestr_users_pb2_grpc.RosreestrUsersServiceStub(self.channel)

    def add_accounts(self, *names: str) -> None:
        """Add accounts that the simulator knows, ready to order."""
        for name in names:
            self.users.CreateRosreestrUser(
                rosreestr_users_pb2.CreateRosreestrUserRequest(
                    account=name, password=f"secret-{name}", declarant_category=DECLARANT_CATEGORY
                ),
                timeout=10,
            )

    def submit(self, *cad_nums: str) -> list[int]:
        """Order extracts; the ids of the orders."""
        orders = [orders_pb2.NewOrder(cad_num=number, idempotency_key=str(uuid.uuid4())) for number in cad_nums]
        request = orders_pb2.BatchCreateOrdersRequest(orders=orders)
        return [created.order_id for created in self.orders.BatchCreateOrders(request, timeout=10).orders]

    def order(self, order_id: int) -> orders_pb2.Order:
        return self.orders.GetOrder(orders_pb2.GetOrderRequest(order_id=order_id), timeout=10).order

    def events(self, order_id: int) -> list[orders_pb2.OrderEvent]:
        request = orders_pb2.ListOrderEventsRequest(order_id=order_id, page_size=500)
        return list(self.orders.ListOrderEvents(request, timeout=10).events)

    def wait_state(self, order_id: int, state: int, timeout_s: float = 60.0) -> orders_pb2.Order:
        """Wait until the order is in `state`; the order."""
        name = orders_pb2.OrderState.Name(state)  # type: ignore[arg-type]

        def reached() -> orders_pb2.Order | None:
            order = self.order(order_id)
            if order.state in FINAL_STATES and order.state != state:
                raise AssertionError(f"order {order_id} is {order.status}, not {name}\n{self.tails()}")
            return order if order.state == state else None

        self.wait(reached, f"order {order_id} to be {name}", timeout_s)
        return self.order(order_id)

    def wait_completed(self, *order_ids: int, timeout_s: float = 60.0) -> list[orders_pb2.Order]:
        return [self.wait_state(order_id, orders_pb2.ORDER_STATE_COMPLETED, timeout_s) for order_id in order_ids]

    def download(self, order_id: int) -> bytes:
        """The extract's bytes, by the stream that a client uses."""
        stream = self.orders.DownloadPaper(orders_pb2.DownloadPaperRequest(order_id=order_id), timeout=30)
        return b"".join(part.chunk for part in stream)

    # The portal's side

    def portal(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Ask the simulator's own side (`/_simulator/...`)."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # the simulator's address, on loopback
            self.portal_url + path, data=data, method=method, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def charges(self) -> list[dict[str, Any]]:
        """What was charged at the portal, in order."""
        return list(self.portal("/_simulator/ledger")["charges"])

    # Waiting

    def wait(
        self, condition: Callable[[], Any], what: str, timeout_s: float = 30.0, process: Process | None = None
    ) -> Any:
        """wait_until, with the logs' tails in the failure; fails at once when `process` has ended."""

        def checked() -> Any:
            if process is not None and not process.is_running():
                raise AssertionError(f"{process.name} ended while waiting for: {what}\n{process.log[-3000:]}")
            return condition()

        try:
            return wait_until(checked, what, timeout_s, every_s=0.05)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tails()}") from None

    def tails(self) -> str:
        return "\n".join(f"--- {process.name}\n{process.log[-1500:]}" for process in self.processes)

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
        for process in reversed(self.processes):
            if process.is_running():
                process.kill()


@contextlib.contextmanager
def running_system(db_env: Mapping[str, str], redis: RedisServer, queue: str) -> Iterator[System]:
    """A folder and an empty System; whatever it started is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="rosq-system-") as folder:
        system = System(Path(folder), db_env, redis, queue)
        try:
            yield system
        finally:
            system.close()
