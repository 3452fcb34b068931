"""The service as a process: what it answers by gRPC, and how it starts and stops."""

from __future__ import annotations

import signal
import uuid
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from orders_service.server import SERVICES
from orders_service.v1 import operator_pb2, orders_pb2, rosreestr_users_pb2
from tests.integration.orders_service.orders.test_download import store_extract
from tests.integration.orders_service.serving import Service, clean_env, error_of, run_cli
from tests.integration.orders_service.stage import opened_queue
from tests.postgres import apply_schema, embedded_postgres
from tests.servers import free_port
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.postgres import Database, EmbeddedPostgres
    from tests.servers import EmbeddedRedis, RedisServer

NUMBER = "77:01:0001001:1001"


@pytest.fixture
def service(fresh_database: Database, redis_server: RedisServer, queue_name: str, tmp_path: Path) -> Iterator[Service]:
    service = Service({**fresh_database.env(), **redis_server.env(), "ROSQ_QUEUE": queue_name}, tmp_path)
    try:
        service.wait_ready()
        yield service
    finally:
        service.close()


def submit(service: Service, *numbers: str) -> list[orders_pb2.CreatedOrder]:
    request = orders_pb2.BatchCreateOrdersRequest(orders=new_orders(*numbers))
    return list(service.orders.BatchCreateOrders(request, timeout=10).orders)


def new_orders(*numbers: str) -> list[orders_pb2.NewOrder]:
    return [orders_pb2.NewOrder(cad_num=number, idempotency_key=str(uuid.uuid4())) for number in numbers]


def health_of(service: Service, name: str = "") -> int:
    stub = health_pb2_grpc.HealthStub(service.channel)
    return int(stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5).status)


def readiness_of(service: Service, path: str = "/readyz") -> tuple[int, Any]:
    answer = httpx.get(f"http://127.0.0.1:{service.rest_port}{path}", timeout=20, trust_env=False)
    return answer.status_code, answer.json()


def test_a_wrong_number_names_its_path_and_rule_in_the_message_and_for_machines(service: Service) -> None:
    request = orders_pb2.BatchCreateOrdersRequest(orders=new_orders(*[NUMBER] * 3, "77.01.0001001.1002"))

    error = error_of(service.orders.BatchCreateOrders, request)

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "orders[3].cad_num" in (error.details() or "")
    assert "Did you mean 77:01:0001001:1002?" in (error.details() or "")
    status = rpc_status.from_call(error)
    assert status is not None
    bad_request = error_details_pb2.BadRequest()
    assert status.details[1].Unpack(bad_request)
    (violation,) = bad_request.field_violations
    assert violation.field == "orders[3].cad_num"
    assert "77:01:0001001:1002" in violation.description
    assert not service.orders.ListOrders(orders_pb2.ListOrdersRequest(), timeout=5).orders


def test_thousands_of_broken_rules_still_come_as_an_answer(service: Service) -> None:
    request = orders_pb2.BatchCreateOrdersRequest(orders=new_orders(*["кадастровый номер"] * 5000))

    error = error_of(service.orders.BatchCreateOrders, request)

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "orders[0].cad_num" in (error.details() or "")
    assert rpc_status.from_call(error) is not None


def test_every_refusal_has_its_code(service: Service) -> None:
    (created,) = submit(service, NUMBER)
    user = rosreestr_users_pb2.CreateRosreestrUserRequest(account="a")
    service.accounts.CreateRosreestrUser(user, timeout=10)

    calls: tuple[tuple[Callable[..., object], Any, str], ...] = (
        (service.orders.GetOrder, orders_pb2.GetOrderRequest(order_id=99), "NOT_FOUND"),
        (service.orders.GetOrder, orders_pb2.GetOrderRequest(order_id=-1), "NOT_FOUND"),
        (service.orders.ListOrders, orders_pb2.ListOrdersRequest(page_size=-1), "INVALID_ARGUMENT"),
        (
            service.orders.ListOrders,
            orders_pb2.ListOrdersRequest(states=[orders_pb2.ORDER_STATE_UNSPECIFIED]),
            "INVALID_ARGUMENT",
        ),
        (service.orders.ListOrders, orders_pb2.ListOrdersRequest(cad_num="x"), "INVALID_ARGUMENT"),
        (service.orders.ListOrders, orders_pb2.ListOrdersRequest(account="nobody"), "NOT_FOUND"),
        (
            lambda r, timeout: list(service.orders.DownloadPaper(r, timeout=timeout)),
            orders_pb2.DownloadPaperRequest(order_id=created.order_id),
            "FAILED_PRECONDITION",
        ),
        (service.operator.GetOrderCase, operator_pb2.GetOrderCaseRequest(order_id=99), "NOT_FOUND"),
        *decisions(service),
        (service.accounts.CreateRosreestrUser, user, "ALREADY_EXISTS"),
        (service.accounts.GetRosreestrUser, rosreestr_users_pb2.GetRosreestrUserRequest(), "INVALID_ARGUMENT"),
        (service.accounts.GetRosreestrUser, rosreestr_users_pb2.GetRosreestrUserRequest(account_id=9), "NOT_FOUND"),
    )
    for call, request, code in calls:
        error = error_of(call, request)
        assert (error.code().name, bool(error.details())) == (code, True), request


def decisions(service: Service) -> Iterator[tuple[Callable[..., object], object, str]]:
    """Each decision with each fault, and the code that it's refused with; order 1 waits for nobody."""
    bases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"order_id": 1, "case_no": 1, "actor": "x", "reason": "y"}, "FAILED_PRECONDITION"),
        ({"order_id": 1, "case_no": 7, "actor": "x", "reason": "y"}, "FAILED_PRECONDITION"),
        ({"order_id": 99, "case_no": 1, "actor": "x", "reason": "y"}, "NOT_FOUND"),
        ({"order_id": 1, "case_no": 1, "reason": "y"}, "INVALID_ARGUMENT"),
        ({"order_id": 1, "send_id": "x", "case_no": 1, "actor": "x", "reason": "y"}, "INVALID_ARGUMENT"),
        ({"order_id": 1, "case_no": 1, "actor": "x", "reason": "\0"}, "INVALID_ARGUMENT"),
    )
    for values, code in bases:
        basis = operator_pb2.DecisionBasis(**values)
        by_number = operator_pb2.SettleByNumberRequest(basis=basis, number="1")
        yield service.operator.SettleByNumber, by_number, code
        yield service.operator.SettleAsAbsent, operator_pb2.SettleAsAbsentRequest(basis=basis), code
        yield service.operator.ResumeOrder, operator_pb2.ResumeOrderRequest(basis=basis), code
        yield service.operator.GiveUpOrder, operator_pb2.GiveUpOrderRequest(basis=basis), code


def test_an_extract_is_streamed_after_its_header(service: Service, fresh_database: Database) -> None:
    (created,) = submit(service, NUMBER)
    data = bytes(range(256)) * 10_000
    store_extract(fresh_database, created.order_id, data)

    header, *parts = service.orders.DownloadPaper(
        orders_pb2.DownloadPaperRequest(order_id=created.order_id), timeout=20
    )

    assert (header.header.kind, header.header.size_bytes) == (orders_pb2.PAPER_KIND_EXTRACT, len(data))
    assert b"".join(part.chunk for part in parts) == data


def test_what_comes_out_of_an_account_holds_no_secret(service: Service) -> None:
    request = rosreestr_users_pb2.CreateRosreestrUserRequest(account="a", password="hidden-word")
    answer = service.accounts.CreateRosreestrUser(request, timeout=10)

    assert answer.user.has_password
    assert b"hidden-word" not in answer.SerializeToString()
    assert "hidden-word" not in service.process.log


def test_reflection_gives_a_stranger_the_whole_contract(service: Service) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(service.channel)

    def ask(request: reflection_pb2.ServerReflectionRequest) -> reflection_pb2.ServerReflectionResponse:
        return next(iter(stub.ServerReflectionInfo(iter([request]), timeout=5)))

    listed = ask(reflection_pb2.ServerReflectionRequest(list_services=""))
    assert {one.name for one in listed.list_services_response.service} >= {*SERVICES, "grpc.health.v1.Health"}
    found = ask(reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICES[0]))
    pool = descriptor_pool.DescriptorPool()
    files = map(FileDescriptorProto.FromString, found.file_descriptor_response.file_descriptor_proto)
    missing = {file.name: file for file in files}
    while ready := [file for file in missing.values() if not missing.keys() & set(file.dependency)]:
        for file in ready:
            pool.Add(missing.pop(file.name))
    assert pool.FindServiceByName(SERVICES[0]).methods_by_name["CreateOrder"] is not None


def test_a_stop_ends_it_in_order_with_exit_code_0(service: Service) -> None:
    assert service.process.stop() == 0

    assert "event=stopped" in service.process.log
    assert "Traceback" not in service.process.log


def test_redis_is_needed_neither_to_start_nor_to_accept_and_orders_run_when_it_is_back(
    fresh_database: Database, own_redis: EmbeddedRedis, queue_name: str, tmp_path: Path
) -> None:
    own_redis.stop()
    service = Service({**fresh_database.env(), **own_redis.env(), "ROSQ_QUEUE": queue_name}, tmp_path)
    try:
        service.wait_ready()
        (created,) = submit(service, NUMBER)
        wait_until(lambda: "task=relay " in service.process.log, "the relay to notice")

        own_redis.start()

        with opened_queue(own_redis, queue_name) as queue:
            wait_until(lambda: queue.find_job(str(created.order_id)), "the order's job", 20)
        assert service.process.stop() == 0, "and it stops as ever"
    finally:
        service.close()


def test_a_stop_does_not_wait_for_a_redis_that_hangs(
    fresh_database: Database, own_redis: EmbeddedRedis, queue_name: str, tmp_path: Path
) -> None:
    service = Service({**fresh_database.env(), **own_redis.env(), "ROSQ_QUEUE": queue_name}, tmp_path)
    try:
        service.wait_ready()
        own_redis.pause()
        submit(service, NUMBER)
        wait_until(lambda: has_idle_transaction(fresh_database), "the relay to wait for Redis")

        assert service.process.stop(4) == 0, "sooner than the queue's timeout of 5 s"
        assert "Traceback" not in service.process.log
    finally:
        own_redis.resume()
        service.close()


def test_postgresql_away_is_unavailable_and_back_it_serves_again(
    own_postgres: EmbeddedPostgres, redis_server: RedisServer, queue_name: str, tmp_path: Path
) -> None:
    database = own_postgres.create_database("rosreestr_extracts")
    apply_schema(database)
    service = Service({**database.env(), **redis_server.env(), "ROSQ_QUEUE": queue_name}, tmp_path)
    serving, not_serving = (health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING)
    try:
        service.wait_ready()
        for name in ("", *SERVICES):
            wait_until(lambda name=name: health_of(service, name) == serving, f"{name} to serve")  # type: ignore[misc]
        submit(service, NUMBER)

        own_postgres.kill()

        request = orders_pb2.CreateOrderRequest(order=new_orders(NUMBER)[0])
        error = error_of(service.orders.CreateOrder, request)
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert "database is away" in (error.details() or "")
        result = service.cli("orders", "list")
        assert (result.returncode, "database is away" in result.stderr) == (3, True), result.stderr
        answer = httpx.post(
            f"http://127.0.0.1:{service.rest_port}/v1/orders",
            json={"cad_num": NUMBER, "idempotency_key": "k"},
            timeout=60,
            trust_env=False,
        )
        assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
        assert int(answer.headers["retry-after"]) >= 1
        wait_until(lambda: health_of(service) == not_serving, "health to say so", 30)
        wait_until(lambda: readiness_of(service)[0] == 503, "readiness to say so", 30)
        assert readiness_of(service) == (503, {"status": "unavailable", "detail": "The database can't be reached."})
        assert readiness_of(service, "/healthz")[0] == 200, "the process lives: a restart wouldn't help"

        own_postgres.start()

        wait_until(lambda: health_of(service) == serving, "health to recover", 60)
        wait_until(lambda: readiness_of(service) == (200, {"status": "ok"}), "readiness to recover", 60)
        assert len(submit(service, NUMBER)) == 1
        assert "Traceback" not in service.process.log
    finally:
        service.close()


def test_a_second_service_on_the_same_port_is_refused(service: Service) -> None:
    result = service.cli("serve")

    assert result.returncode == 1
    sentence = f"The service can't listen on 127.0.0.1:{service.port}: Address already in use."
    assert result.stderr.splitlines()[-1] == f"Error: {sentence} Choose another with --listen."
    assert submit(service, NUMBER), "the first goes on"


def test_two_services_on_one_database_relay_each_order_once(
    service: Service, redis_server: RedisServer, queue_name: str, tmp_path: Path
) -> None:
    (tmp_path / "second").mkdir()
    own = {"ORDERS_SERVICE_LISTEN": f"127.0.0.1:{free_port()}", "ORDERS_SERVICE_REST_LISTEN": "off"}
    second = Service({**service.env, **own}, tmp_path / "second")
    try:
        second.wait_ready()
        ids = {str(one.order_id) for _ in range(10) for one in submit(service, *[NUMBER] * 20)}

        with opened_queue(redis_server, queue_name) as queue:
            wait_until(lambda: len(queue.find_jobs(ids)) == len(ids), "all jobs")
        with redis_server.client() as client:
            assert client.xlen(f"rosq:{{{queue_name}}}:lane:main") == len(ids)
    finally:
        second.close()


def test_a_second_signal_breaks_off_what_is_under_way(service: Service, fresh_database: Database) -> None:
    # A call that can't end: its row is locked by this test.
    (created,) = submit(service, NUMBER)
    with fresh_database.connect(autocommit=False) as connection:
        connection.execute("select 1 from orders where id = %s for update", (created.order_id,))
        request = operator_pb2.GetOrderCaseRequest(order_id=created.order_id)
        pending = service.operator.GetOrderCase.future(request, timeout=30)
        wait_until(lambda: has_waiter(fresh_database), "the call to wait for the row")
        service.process.send(signal.SIGTERM)
        wait_until(lambda: "event=stopping" in service.process.log, "the stop to begin")
        service.process.send(signal.SIGTERM)

        assert service.process.wait_end(4) == 0, "sooner than the grace of 5 s"
        assert pending.exception(5) is not None


def has_idle_transaction(database: Database) -> bool:
    with database.connect() as connection:
        row = connection.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and state = 'idle in transaction'"
        ).fetchone()
    return row is not None and row[0] > 0


def has_waiter(database: Database) -> bool:
    with database.connect() as connection:
        row = connection.execute("select count(*) from pg_locks where not granted").fetchone()
    return row is not None and row[0] > 0


def serve_once(env: dict[str, str], folder: Path) -> tuple[int, str]:
    """Start a service that must refuse; its exit code and the sentence."""
    service = Service(env, folder)
    try:
        code = service.process.wait_end(20)
        assert "Traceback" not in service.process.log
        return code, service.process.log.splitlines()[-1]
    finally:
        service.close()


def test_a_database_that_is_not_migrated_is_refused_naming_the_files(
    empty_database: Database, redis_server: RedisServer, tmp_path: Path
) -> None:
    code, sentence = serve_once({**empty_database.env(), **redis_server.env()}, tmp_path)

    assert code == 1
    assert sentence.startswith("Error: The database isn't migrated: 0001_accounts.sql, 0002_orders.sql")
    assert "orders-service migrate" in sentence


def test_what_is_missing_or_wrong_at_the_start_is_one_sentence(
    fresh_database: Database, redis_server: RedisServer, tmp_path: Path
) -> None:
    env = {**fresh_database.env(), **redis_server.env()}
    for change, code, words in (
        ({"ROSREESTR_CRYPTO_SECRET": " "}, 2, "ROSREESTR_CRYPTO_SECRET isn't set"),
        ({"DB_HOST": "127.0.0.1", "DB_PORT": str(free_port())}, 3, "can't be reached (Connection refused)"),
        ({"DB_HOST": "/nonexistent"}, 3, "can't be reached (No such file or directory)"),
        ({"DB_NAME": "nowhere"}, 1, "There is no database 'nowhere'"),
        ({"DB_PORT": "x"}, 2, "DB_PORT must be a whole number"),
        ({"ORDER_LEASE_S": "0"}, 2, "ORDER_LEASE_S must be a number of seconds above 0"),
        ({"REDIS_PORT": "x"}, 2, "REDIS_PORT"),
        ({"ORDERS_SERVICE_LISTEN": "5003x"}, 2, "must be host:port"),
        ({"ORDERS_SERVICE_SQL_DIR": "/nonexistent"}, 1, "/nonexistent"),
    ):
        got, sentence = serve_once({**env, **change}, tmp_path)
        assert (got, words in sentence, sentence.startswith("Error: ")) == (code, True, True), (change, got, sentence)


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_may_forget_what_it_acknowledged_is_refused(
    redis_server: RedisServer, tmp_path: Path, setting: str
) -> None:
    with embedded_postgres(**{setting: "off"}) as server:
        database = server.create_database("rosreestr_extracts")
        apply_schema(database)

        code, sentence = serve_once({**database.env(), **redis_server.env()}, tmp_path)

    assert code == 1
    assert f"runs with {setting} = off" in sentence
    assert f"Set {setting} = on." in sentence


def test_replication_that_no_commit_waits_for_is_warned_of(
    own_postgres: EmbeddedPostgres, redis_server: RedisServer, tmp_path: Path
) -> None:
    database = own_postgres.create_database("rosreestr_extracts")
    apply_schema(database)
    with database.connect() as connection:
        connection.execute("select pg_create_physical_replication_slot('a_standby')")
    service = Service({**database.env(), **redis_server.env()}, tmp_path)
    try:
        service.wait_ready()
        assert "event=asynchronous_replication" in service.process.log
    finally:
        service.close()


def test_migrate_tells_the_same_faults_by_the_same_codes(empty_database: Database, tmp_path: Path) -> None:
    env = clean_env(empty_database.env())
    result = run_cli("migrate", env=env, folder=tmp_path)
    assert (result.returncode, result.stdout.splitlines()[0]) == (0, "applied 0001_accounts.sql")
    result = run_cli("migrate", env={**env, "DB_HOST": "/nonexistent"}, folder=tmp_path)
    assert (result.returncode, "can't be reached" in result.stderr) == (3, True)
    result = run_cli("migrate", env={**env, "DB_NAME": "nowhere"}, folder=tmp_path)
    assert (result.returncode, "--create-database" in result.stderr) == (1, True)
