"""Several services on one database, behind a pooler, killed and cut off while clients order: every order is a job once.

Each service relays, so there are three relays. `make test-long` lets 10,000 orders in.
"""

from __future__ import annotations

import collections
import os
import random
import threading
import time
from typing import TYPE_CHECKING

import grpc
import pytest

from orders_service.v1 import orders_pb2
from rosq import Worker, WorkerSettings
from tests.integration.orders_service.serving import Service
from tests.integration.orders_service.stage import opened_queue
from tests.pooler import pooler
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rosq import Delivery, Queue
    from tests.pooler import Pooler
    from tests.postgres import Database
    from tests.servers import RedisServer

ORDERS = int(os.environ.get("ORDERS_MANY_SERVICES", "400"))
SERVICES = 3
CLIENTS = 4
BATCH = 20
PAUSE_S = 0.5
SEED = int(os.environ.get("ORDERS_SEED", "0")) or random.randrange(1, 1 << 31)


@pytest.fixture
def way(fresh_database: Database) -> Iterator[Pooler]:
    with pooler(fresh_database) as made:
        yield made


@pytest.fixture
def services(
    way: Pooler, fresh_database: Database, redis_server: RedisServer, queue_name: str, tmp_path: Path
) -> Iterator[list[Service]]:
    made = []
    for number in range(SERVICES):
        folder = tmp_path / str(number)
        folder.mkdir()
        env = {**way.env(fresh_database), **redis_server.env(), "ROSQ_QUEUE": queue_name, "DB_POOL_SIZE": "5"}
        made.append(Service(env, folder))
    for one in made:
        one.wait_ready()
    yield made
    for one in made:
        one.close()


@pytest.mark.timeout(900)
def test_every_order_is_a_job_once_whatever_is_killed_and_cut(
    services: list[Service], way: Pooler, fresh_database: Database, redis_server: RedisServer, queue_name: str
) -> None:
    clients = [threading.Thread(target=order, args=(services, number)) for number in range(CLIENTS)]
    for thread in clients:
        thread.start()
    kill(services, way, clients)
    with fresh_database.connect() as connection:
        stored = [str(row[0]) for row in connection.execute("select id from orders").fetchall()]
        asked = connection.execute("select count(distinct idempotency_key) from orders").fetchone()
    assert (len(stored), asked) == (ORDERS, (ORDERS,)), f"seed {SEED}"
    with opened_queue(redis_server, queue_name) as queue:
        with redis_server.client() as client:
            wait_until(lambda: client.xlen(queue.keys.lane("main")) >= ORDERS, "every order to be on the queue", 60)
        # A reconciler would start the job of an order again that is open when its job is over.
        for one in services:
            one.process.kill()
        ran = drain(queue)
    assert ran == collections.Counter(stored), f"seed {SEED}"


def order(services: list[Service], client: int) -> None:
    """Order a share in batches; whatever is answered in place of the orders, ask for the same again."""
    chance = random.Random(SEED + client)
    for start in range(client * BATCH, ORDERS, CLIENTS * BATCH):
        request = orders_pb2.BatchCreateOrdersRequest(
            orders=[
                orders_pb2.NewOrder(cad_num=f"77:01:0001001:{number + 1}", idempotency_key=f"many {number}")
                for number in range(start, min(start + BATCH, ORDERS))
            ]
        )
        while True:
            try:
                chance.choice(services).orders.BatchCreateOrders(request, timeout=10, wait_for_ready=True)
                break
            except grpc.RpcError as error:
                assert isinstance(error, grpc.Call)
                assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED), error.details()


def kill(services: list[Service], way: Pooler, clients: list[threading.Thread]) -> None:
    """Until the clients are done: kill a service and start it again, or cut every connection to the database.

    In the thread of the test: a process ends with the thread that started it.
    """
    chance = random.Random(SEED)
    while any(client.is_alive() for client in clients):
        # A pause between two faults: nothing is waited for.
        clients[0].join(chance.uniform(0.2, 1.0) * PAUSE_S)
        if chance.random() < 0.3:
            way.cut()
            continue
        victim = chance.choice(services)
        victim.process.kill()
        victim.process = victim.start()
        # The next one dies when this one is back: else there would soon be none.
        grpc.channel_ready_future(victim.channel).result(60)


def drain(queue: Queue) -> collections.Counter[str]:
    """Run every job, and count how often each ran; a moment more than it takes, for those that came twice."""
    ran: collections.Counter[str] = collections.Counter()
    last_s = time.monotonic()

    def handle(delivery: Delivery) -> None:
        nonlocal last_s
        ran[delivery.job_id] += 1
        last_s = time.monotonic()

    worker = Worker(queue, handle, name="many-services", settings=WorkerSettings(lease_s=5.0, grace_s=1.0))
    thread = threading.Thread(target=worker.run)
    thread.start()
    wait_until(lambda: len(ran) >= ORDERS and time.monotonic() - last_s > 0.5, "every job to have run", 120)
    worker.request_stop()
    thread.join(20)
    assert not thread.is_alive()
    return ran
