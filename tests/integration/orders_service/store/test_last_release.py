"""The service as it was last released goes on working while the schema changes, and beside the present one.

`tests/last_release` has its code and its schema. Each order's way is walked through both, step by step in turn: what
one of them writes the other has to understand.
"""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys
import tarfile
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.duration_pb2 import Duration

from orders_service.v1 import orders_pb2, rosreestr_users_pb2, worker_pb2
from tests.integration.orders_service.serving import Service, clean_env, run_cli
from tests.last_release import take
from tests.postgres import SQL_DIR

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import Database
    from tests.servers import RedisServer

PERSON = "1000000001"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """The last release, unpacked."""
    folder = tmp_path / "last"
    with tarfile.open(take.ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def last(
    release: Path, empty_database: Database, redis_server: RedisServer, queue_name: str, tmp_path: Path
) -> Iterator[Service]:
    """It serves on a schema of its own time."""
    env = {
        **empty_database.env(),
        **redis_server.env(),
        "ROSQ_QUEUE": queue_name,
        "PYTHONPATH": f"{release}:{SQL_DIR.parent}",
        # Else the folder that the tests are run in comes first, and what runs is the present one.
        "PYTHONSAFEPATH": "1",
        "ORDERS_SERVICE_SQL_DIR": str(release / "sql"),
    }
    (tmp_path / "a").mkdir()
    migrated = run_cli("migrate", env=clean_env(env), folder=tmp_path / "a")
    assert migrated.returncode == 0, migrated.stderr
    service = Service(env, tmp_path / "a")
    try:
        service.wait_ready()
        yield service
    finally:
        service.close()


def of_now(last: Service, folder: Path) -> Service:
    """The present service on the same database and queue."""
    folder.mkdir()
    env = {
        name: value
        for name, value in last.env.items()
        if name.startswith(("DB_", "REDIS_", "ROSQ_", "ROSREESTR_CRYPTO"))
    }
    return Service(env, folder)


def test_the_last_release_runs_beside_the_present_one_on_the_present_schema(
    last: Service, release: Path, tmp_path: Path
) -> None:
    where = subprocess.run(
        [sys.executable, "-c", "import orders_service; print(orders_service.__file__)"],
        env=last.env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert where.startswith(str(release)), "it is really the last release that runs"
    way = Way(itertools.cycle([last]), "first")
    way.walk(1)
    begun = way.begin(2)

    before = run_cli("migrate", "--before-deploy", env={**last.env, **OF_NOW}, folder=tmp_path)
    assert before.returncode == 0, before.stderr
    way.walk(3)
    now = of_now(last, tmp_path / "b")
    try:
        now.wait_ready()
        for number, services in enumerate(([last, now], [now, last], [last, last, now], [now, now, last]), start=4):
            Way(itertools.cycle(services), f"account_{number}").walk(number)
        way.services = itertools.cycle([now])
        way.end(begun)
        found = now.orders.ListOrders(orders_pb2.ListOrdersRequest(page_size=50), timeout=20).orders
        told = last.orders.ListOrders(orders_pb2.ListOrdersRequest(page_size=50), timeout=20).orders
        assert [order.order_id for order in found] == [order.order_id for order in told]
        assert {order.state for order in (*found, *told)} == {orders_pb2.ORDER_STATE_COMPLETED}

        assert last.process.stop() == 0
        assert "Traceback" not in last.process.log
        after = run_cli("migrate", "--after-deploy", env={**last.env, **OF_NOW}, folder=tmp_path)
        assert after.returncode == 0, after.stderr
        way.walk(20)
        assert "Traceback" not in now.process.log
    finally:
        now.close()


#: What makes a command the present one.
OF_NOW = {"PYTHONPATH": str(SQL_DIR.parent), "ORDERS_SERVICE_SQL_DIR": str(SQL_DIR)}


class Way:
    """An account's orders, each call to the next of the services."""

    def __init__(self, services: Iterator[Service], account: str) -> None:
        self.services = services
        self.account = account
        self._fences = itertools.count(1_700_000_000_000_001)
        created = rosreestr_users_pb2.CreateRosreestrUserRequest(
            account=account, password="secret word", declarant_category="357013000000"
        )
        next(services).accounts.CreateRosreestrUser(created, timeout=20)
        opened = next(services).worker.OpenAccount(
            worker_pb2.OpenAccountRequest(account=account, opened_by="test:1"), timeout=20
        )
        self._epoch = opened.account.epoch

    def walk(self, number: int) -> None:
        """Take an order from its acceptance to its extract."""
        self.end(self.begin(number))

    def begin(self, number: int) -> tuple[Any, str, Any]:
        """Accept an order, and take it past the gate."""
        cad_num = f"77:01:0001001:{number}"
        new = orders_pb2.NewOrder(cad_num=cad_num, idempotency_key=f"key-{number}", comment="заметка")
        accepted = self._orders("CreateOrder", orders_pb2.CreateOrderRequest(order=new))
        again = self._orders("CreateOrder", orders_pb2.CreateOrderRequest(order=new))
        assert (again.is_existing, again.order.order_id) == (True, accepted.order.order_id)
        holder = worker_pb2.OrderHolder(
            account=self.account,
            epoch=self._epoch,
            order_id=accepted.order.order_id,
            fence=next(self._fences),
            token="token",
        )
        self._worker("ClaimOrder", worker_pb2.ClaimOrderRequest(holder=holder))
        submission = worker_pb2.OrderSubmission(
            super_package_guid=str(uuid.uuid4()),
            statement_guid=str(uuid.uuid4()),
            package_guid=str(uuid.uuid4()),
            draft_guid=str(uuid.uuid4()),
            person_oid=f"{PERSON}{self.account}",
            access_key="key",
            balance=50,
            portal_cad_num=cad_num,
        )
        self._worker("RecordIntent", worker_pb2.RecordIntentRequest(holder=holder, submission=submission))
        self._worker("RecordUpload", worker_pb2.RecordUploadRequest(holder=holder))
        gate = worker_pb2.PassGateRequest(holder=holder, send_id=str(uuid.uuid4()), absent_after=Duration(seconds=3600))
        gated = self._worker("PassGate", gate)
        assert gated.order.state == orders_pb2.ORDER_STATE_UNCONFIRMED
        answer = worker_pb2.FinishAnswer(http_status=200, text=f"N-{number}", expected_number=f"N-{number}")
        fact = worker_pb2.RecordFactRequest(holder=holder, send_id=gate.send_id, finish_answer=answer)
        self._worker("RecordFact", fact)
        return holder, cad_num, gated.order.as_of

    def end(self, begun: tuple[Any, str, Any]) -> None:
        """Find its row, and bring its extract."""
        holder, cad_num, as_of = begun
        number = cad_num.rpartition(":")[2]
        row = worker_pb2.ApplicationRow(
            application_id=9000 + int(number),
            order_number=f"N-{number}",
            cad_num=cad_num,
            status_code="created",
            request_status="Создана",
        )
        reading = worker_pb2.ListReading(
            begun_at=as_of,
            person_oid=f"{PERSON}{self.account}",
            is_unfiltered=True,
            is_complete=True,
            balance=49,
            rows=[row],
        )
        told = self._worker("RecordFact", worker_pb2.RecordFactRequest(holder=holder, reading=reading))
        assert told.order.state == orders_pb2.ORDER_STATE_REGISTERED
        check = worker_pb2.RecordCheckRequest(holder=holder, row=row, next_check_in=Duration(seconds=60))
        self._worker("RecordCheck", check)
        data = f"the extract of {cad_num}".encode()
        header = worker_pb2.PaperHeader(
            holder=holder,
            kind=orders_pb2.PAPER_KIND_EXTRACT,
            sha256=hashlib.sha256(data).hexdigest(),
            size_bytes=len(data),
            file_name="a.zip",
            cad_num=cad_num,
        )
        parts = [worker_pb2.UploadPaperRequest(header=header), worker_pb2.UploadPaperRequest(chunk=data)]
        stored = next(self.services).worker.UploadPaper(iter(parts), timeout=20)
        assert stored.order.state == orders_pb2.ORDER_STATE_COMPLETED
        request = orders_pb2.DownloadPaperRequest(order_id=holder.order_id)
        pieces = list(next(self.services).orders.DownloadPaper(request, timeout=20))
        assert b"".join(piece.chunk for piece in pieces) == data

    def _worker(self, method: str, request: Any) -> Any:
        return getattr(next(self.services).worker, method)(request, timeout=20)

    def _orders(self, method: str, request: Any) -> Any:
        return getattr(next(self.services).orders, method)(request, timeout=20)
