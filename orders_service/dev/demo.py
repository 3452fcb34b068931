"""The demo: real orders through the whole system, a worker killed in the middle, and an honest verdict at the end."""

from __future__ import annotations

import dataclasses
import os
import secrets
import signal
import time
import zipfile
from typing import TYPE_CHECKING

from orders_service.dev import client, demo_view, errors, judge
from orders_service.v1 import orders_pb2

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from orders_service.dev.stack import Stack
    from orders_service.dev.supervisor import Supervisor

#: The simulated portal doesn't know this one.
UNKNOWN = "77:05:0009999:404"
CAD_NUMS = (
    "77:01:0001001:1001",
    "77:01:0001001:1002",
    "78:13:0007410:22",
    "50:20:0030112:999999",
    "01:08:0500000:77",
    "16:50:011820:12345",
    UNKNOWN,
    "21:02:010106:333",
    "23:43:0101001:87654321",
    "26:12:022704:900",
    "38:06:144003:4700",
    "47:07:1047003:6",
    "54:35:101001:44",
    "61:44:0040713:440",
)

#: Faster than anybody may be at the real portal.
PACE = {
    "ROSREESTR_MIN_INTERVAL_S": "0.15",
    "ROSREESTR_JITTER_S": "0",
    "ROSREESTR_DAILY_LIMIT": "0",
    "ROSREESTR_FIRST_CHECK_S": "1",
    "ROSREESTR_CHECK_INTERVAL_S": "1",
    "ROSREESTR_NOT_FOUND_RECHECK_S": "2",
    "ROSREESTR_ABSENT_AFTER_S": "15",
    "RECONCILE_INTERVAL_S": "2",
}
SIMULATOR_OPTIONS = ("--ready-after", "3", "--latency", "0.05:0.2", "--unknown", UNKNOWN)

DEADLINE_S = 75.0
ROUND_S = 0.1
# Long enough for the eye; a worker that died by itself would be started again by its service manager as late.
DEAD_FOR_S = 1.0

_IN_HAND = {orders_pb2.ORDER_STATE_PROCESSING, orders_pb2.ORDER_STATE_UNCONFIRMED}


@dataclasses.dataclass(slots=True)
class Victim:
    """The worker that is killed in mid-work, and started again."""

    username: str
    order_id: int
    #: Of the order when its worker was killed.
    status: str
    killed_at_s: float
    is_back: bool = False


class Demo:
    """One run of the demo on a stack that is up.

    Args:
        extracts_dir: Where the extracts are put.
        console: Where progress and result are shown.
    """

    def __init__(self, stack: Stack, supervisor: Supervisor, extracts_dir: Path, console: Console) -> None:
        self._stack = stack
        self._supervisor = supervisor
        self._extracts_dir = extracts_dir
        self._console = console
        self._victim: Victim | None = None

    def run(self) -> None:
        """Submit, watch, kill, and judge.

        Raises:
            DemoFailed: An order isn't where it must be, or something was paid twice; names what.
        """
        with (
            client.Client(self._stack.service_address, self._stack.token) as orders_client,
            self._supervisor.children_in_error(),
        ):
            batch = secrets.token_hex(4)
            submitted = orders_client.create_orders(
                orders_pb2.NewOrder(cad_num=number, idempotency_key=f"demo-{batch}-{index}", comment="demo")
                for index, number in enumerate(CAD_NUMS)
            )
            orders = self._watch(orders_client, set(submitted))
            files = self._download(orders_client, orders)
            everything = orders_client.list_orders()
        demo_view.print_result(self._console, orders, {key: path.name for key, path in files.items()})
        ids = {order.order_id for order in orders}
        self._judge(orders, [order for order in everything if order.order_id not in ids], files)

    def _watch(self, orders_client: client.Client, ids: set[int]) -> list[orders_pb2.Order]:
        """Show the orders until each is at its end; kill a worker on the way and start it again."""
        deadline_s = time.monotonic() + DEADLINE_S
        with demo_view.DemoView(self._console) as view:
            view.note(f"{len(ids)} orders accepted in one call, {len(self._stack.usernames)} workers take them")
            while True:
                orders = [order for order in orders_client.list_orders() if order.order_id in ids]
                view.update(orders)
                self._kill_and_restart(orders_client, orders, view)
                if all(order.state in client.FINAL_STATES for order in orders):
                    return orders
                if time.monotonic() > deadline_s:
                    open_ids = [str(order.order_id) for order in orders if order.state not in client.FINAL_STATES]
                    raise errors.DemoFailed(f"Not done within {DEADLINE_S:g} s: orders {', '.join(open_ids)}.")
                self._supervisor.pause(ROUND_S)

    def _kill_and_restart(
        self, orders_client: client.Client, orders: list[orders_pb2.Order], view: demo_view.DemoView
    ) -> None:
        if self._victim is None:
            # From here on everything is in full swing: some wait, some run, some are registered. Many workers have all
            # orders registered at nearly one time: then the first number is the moment.
            numbered = sum(bool(order.order_number) for order in orders)
            if numbered >= (4 if len(self._stack.workers) <= 4 else 1):
                self._victim = self._kill_one(orders_client, orders)
                if self._victim is not None:
                    view.note(
                        f"{self._victim.username} killed by SIGKILL in mid-work: order {self._victim.order_id} is "
                        f"«{self._victim.status}»"
                    )
        elif not self._victim.is_back and time.monotonic() - self._victim.killed_at_s > DEAD_FOR_S:
            self._stack.start_worker(self._victim.username)
            self._victim.is_back = True
            view.note(f"{self._victim.username} started again")

    def _kill_one(self, orders_client: client.Client, orders: list[orders_pb2.Order]) -> Victim | None:
        """Kill a worker that surely is in mid-work; None where none is, or its order moved on meanwhile."""
        # The hardest moment first: the paid call may be on its way, and nobody knows what came of it.
        for state in (orders_pb2.ORDER_STATE_UNCONFIRMED, orders_pb2.ORDER_STATE_PROCESSING):
            for order in orders:
                worker = self._stack.workers.get(order.account)
                if order.state != state or worker is None:
                    continue
                # Stopped first, so that what is read then still holds when it is killed.
                os.kill(worker.pid, signal.SIGSTOP)
                now = orders_client.get_order(order.order_id)
                if now.state in _IN_HAND and now.account == order.account:
                    self._supervisor.kill(worker)
                    return Victim(
                        username=now.account, order_id=now.order_id, status=now.status, killed_at_s=time.monotonic()
                    )
                os.kill(worker.pid, signal.SIGCONT)
        return None

    def _download(self, orders_client: client.Client, orders: list[orders_pb2.Order]) -> dict[int, Path]:
        files = {}
        for order in orders:
            if order.state == orders_pb2.ORDER_STATE_COMPLETED:
                path = orders_client.download(order.order_id, self._extracts_dir)
                _check_zip(path, order.order_id)
                files[order.order_id] = path
                self._supervisor.check()
        return files

    def _judge(self, orders: list[orders_pb2.Order], others: list[orders_pb2.Order], files: dict[int, Path]) -> None:
        ledger = client.read_json(f"{self._stack.portal_url}/_simulator/ledger")
        faults = judge.find_faults(orders, ledger, {UNKNOWN}, len(CAD_NUMS), {order.order_number for order in others})
        if self._victim is None:
            faults.append("No worker was killed: none was seen in mid-work.")
        elif not self._victim.is_back:
            faults.append(f"{self._victim.username} was killed and not started again: the orders were done before.")
        if faults:
            raise errors.DemoFailed("The result isn't what it must be.", detail="\n".join(faults))
        assert self._victim is not None
        charges = len(ledger["charges"])
        for line in (
            f"{charges} orders registered, {charges} charges at the portal: each exactly once.",
            f"{self._victim.username} was killed in mid-work on order {self._victim.order_id}: it went on.",
            f"{UNKNOWN} isn't known to the portal: failed, and not paid for.",
            f"{len(files)} checked extracts (ZIP with XML and PDF) lie in {self._extracts_dir}",
        ):
            self._console.print(f"[green]✓[/] {line}", soft_wrap=True)


def _check_zip(path: Path, order_id: int) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            names = archive.namelist()
    except zipfile.BadZipFile as exc:
        raise errors.DemoFailed(f"The extract of order {order_id} isn't a ZIP: {path}.") from exc
    kinds = {name.lower().rpartition(".")[2] for name in names}
    if broken is not None or not {"xml", "pdf"} <= kinds:
        raise errors.DemoFailed(f"The extract of order {order_id} is broken: {path}.")
