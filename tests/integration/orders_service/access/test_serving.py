"""`serve` and the command line: who is let in from where, and what people are told who aren't."""

from __future__ import annotations

import dataclasses
import json
import re
import ssl
import stat
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest

from orders_service.channel.opening import open_channel
from orders_service.channel.settings import ChannelSettings
from orders_service.v1 import orders_pb2, orders_pb2_grpc, worker_pb2, worker_pb2_grpc
from tests.certificates import Authority
from tests.integration.orders_service.serving import SECRET, Service, clean_env, run_cli
from tests.servers import free_port
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import Database
    from tests.servers import RedisServer


@dataclasses.dataclass(frozen=True)
class Closed:
    """A service behind mutual TLS and access tokens, with a port for workers alone."""

    service: Service
    workers_port: int
    tls: dict[str, str]

    def cli(self, *args: str, token: str = "", **env: str) -> Any:
        return self.service.cli(*args, **{**self.tls, **({"ORDERS_SERVICE_TOKEN": token} if token else {}), **env})

    def token(self, name: str, *args: str) -> str:
        """Make a token by the command line."""
        answer = self.service.cli("tokens", "add", name, *args, "--json")
        assert answer.returncode == 0, answer.stderr
        return str(json.loads(answer.stdout)["token"])


@pytest.fixture(scope="module")
def closed(
    postgres_server: Any,
    template_database: Database,
    redis_server: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Closed]:
    database = postgres_server.create_database("rosq_test_access_serving", template_database.name)
    folder = tmp_path_factory.mktemp("serving")
    authority = Authority(folder)
    mine, clients, port = authority.equip("127.0.0.1"), authority.equip("client"), free_port()
    service = Service(
        {
            **database.env(),
            **redis_server.env(),
            "ROSQ_QUEUE": "test-access",
            "ORDERS_SERVICE_LISTEN_WORKERS": f"127.0.0.1:{port}",
            "ORDERS_SERVICE_LISTEN_TLS_CERT_FILE": str(mine.cert_file),
            "ORDERS_SERVICE_LISTEN_TLS_KEY_FILE": str(mine.key_file),
            "ORDERS_SERVICE_LISTEN_TLS_CLIENT_CA_FILE": str(mine.ca_file),
        },
        folder,
    )
    tls = {
        "ORDERS_SERVICE_TLS": "1",
        "ORDERS_SERVICE_TLS_CA_FILE": str(authority.ca_file),
        "ORDERS_SERVICE_TLS_CERT_FILE": str(clients.cert_file),
        "ORDERS_SERVICE_TLS_KEY_FILE": str(clients.key_file),
    }
    try:
        made = Closed(service, port, tls)
        made.token("first", "--role", "operator")
        service.wait_ready()
        yield made
    finally:
        service.close()
        postgres_server.drop_database(database.name)


def assert_said(answer: Any, code: int, *words: str) -> None:
    assert answer.returncode == code, (answer.returncode, answer.stderr)
    assert "Traceback" not in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1, answer.stderr
    for word in words:
        assert word in answer.stderr


def test_the_command_line_gets_in_by_certificate_and_token_and_says_who_it_was(closed: Closed) -> None:
    operator = closed.token("ivan", "--role", "operator")
    added = closed.cli("accounts", "add", "account_1", "--no-password", token=operator)
    assert added.returncode == 0, added.stderr

    told = json.loads(closed.service.cli("audit", "--account", "account_1", "--json").stdout)["audit"]

    assert [(row["actor"], row["action"], row["outcome"]) for row in told] == [
        ("operator:ivan", "RosreestrUsersService/CreateRosreestrUser", "OK")
    ]
    table = closed.service.cli("audit", "--account", "account_1").stdout
    assert "operator:ivan" in table


def test_whoever_isnt_let_in_is_told_in_one_sentence_what_to_do(closed: Closed) -> None:
    client = closed.token("crm", "--role", "client", "--client", "crm")
    sentences = {
        "no token": closed.cli("orders", "list"),
        "unknown": closed.cli("orders", "list", token="ost_" + "x" * 43),
        "another role": closed.cli("accounts", "list", token=client),
        "plain": closed.service.cli("orders", "list", ORDERS_SERVICE_TOKEN=client),
    }
    assert_said(sentences["no token"], 1, "ORDERS_SERVICE_TOKEN", "orders-service tokens add")
    assert_said(sentences["unknown"], 1, "isn't known", "ORDERS_SERVICE_TOKEN")
    assert_said(sentences["another role"], 1, "crm has the role client", "is for operator", "--role operator")
    assert_said(sentences["plain"], 3, "ORDERS_SERVICE_TLS")
    assert closed.cli("orders", "list", token=client).returncode == 0


def test_tls_that_doesnt_fit_is_told_as_that(closed: Closed, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")

    answer = closed.cli("orders", "list", ORDERS_SERVICE_TLS_CA_FILE=str(other.ca_file))

    assert_said(answer, 3, "don't trust each other by TLS", "ORDERS_SERVICE_TLS_CA_FILE")


def test_a_variable_that_cant_be_used_is_named(closed: Closed) -> None:
    """All of them are in the tests of the settings; here, that the command line tells it."""
    assert_said(closed.cli("orders", "list", ORDERS_SERVICE_TLS="perhaps"), 2, "ORDERS_SERVICE_TLS must be 1 or 0")


def test_workers_have_a_port_of_their_own_and_nothing_else_is_there(closed: Closed) -> None:
    worker = closed.token("worker-1", "--role", "worker", "--account", "account_9")
    settings = ChannelSettings.from_env({**closed.tls, "ORDERS_SERVICE_TOKEN": worker})
    codes = {}
    for port in (closed.service.port, closed.workers_port):
        with open_channel(f"127.0.0.1:{port}", settings) as channel:
            asked: list[tuple[Any, Any]] = [
                (
                    worker_pb2_grpc.WorkerServiceStub(channel).ReadAccount,
                    worker_pb2.ReadAccountRequest(account="account_9"),
                ),
                (orders_pb2_grpc.OrdersServiceStub(channel).ListOrders, orders_pb2.ListOrdersRequest()),
            ]
            for call, request in asked:
                with pytest.raises(grpc.RpcError) as caught:
                    call(request, timeout=30)
                codes[port == closed.workers_port, type(request).__name__] = caught.value.code()

    assert codes == {
        (False, "ReadAccountRequest"): grpc.StatusCode.UNIMPLEMENTED,
        (False, "ListOrdersRequest"): grpc.StatusCode.PERMISSION_DENIED,
        (True, "ReadAccountRequest"): grpc.StatusCode.NOT_FOUND,
        (True, "ListOrdersRequest"): grpc.StatusCode.UNIMPLEMENTED,
    }


def test_a_token_is_shown_once_and_listed_without_what_lets_in(closed: Closed) -> None:
    added = closed.service.cli("tokens", "add", "auditor", "--role", "viewer", "--days", "30")
    (secret,) = re.findall(r"ost_\S+", added.stdout)
    assert "Keep it now" in added.stdout

    listed = closed.service.cli("tokens", "list", "--all")
    assert "auditor" in listed.stdout
    assert "viewer" in listed.stdout
    assert secret not in listed.stdout + closed.service.cli("tokens", "list", "--json").stdout
    revoked = closed.service.cli("tokens", "revoke", "auditor")
    assert "was revoked" in revoked.stdout
    again = closed.service.cli("tokens", "revoke", "auditor")
    assert (again.returncode, "was revoked" in again.stdout) == (0, True)
    assert_said(closed.service.cli("tokens", "revoke", "nobody"), 1, "There is no token nobody")
    assert_said(closed.service.cli("tokens", "add", "x", "--role", "client"), 1, "client: is required")


def test_a_token_in_a_file_is_for_its_owner_alone_and_made_once(closed: Closed, tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "token"
    args = ("tokens", "add", "from-a-file", "--role", "operator", "--to", str(path))

    first, second = closed.service.cli(*args), closed.service.cli(*args)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "ost_" not in first.stdout + second.stdout
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "already" in second.stdout
    assert closed.cli("orders", "list", ORDERS_SERVICE_TOKEN_FILE=str(path)).returncode == 0
    other = closed.service.cli("tokens", "add", "other", "--role", "operator", "--to", str(path))
    assert_said(other, 1, "holds something else than a token other", "isn't overwritten")


@pytest.fixture
def plain(fresh_database: Database, redis_server: RedisServer, queue_name: str) -> dict[str, str]:
    return clean_env(
        {**fresh_database.env(), **redis_server.env(), "ROSQ_QUEUE": queue_name, "ROSREESTR_CRYPTO_SECRET": SECRET}
    )


def test_a_service_that_others_could_reach_unasked_doesnt_start(plain: dict[str, str], tmp_path: Path) -> None:
    args = ("serve", "--listen", f"0.0.0.0:{free_port()}", "--log-level", "error")

    without_tls = run_cli(*args, env=plain, folder=tmp_path)
    assert_said(without_tls, 2, "nothing is encrypted there", "--tls-cert-file", "--insecure-without-tls")
    without_tokens = run_cli(*args, "--insecure-without-tls", env=plain, folder=tmp_path)
    assert_said(without_tokens, 2, "no access token yet", "orders-service tokens add", "--insecure-without-tokens")
    workers = ("serve", "--listen-workers", f"0.0.0.0:{free_port()}", "--log-level", "error")
    assert_said(run_cli(*workers, env=plain, folder=tmp_path), 2, "0.0.0.0", "--insecure-without-tls")


def test_a_service_that_is_told_so_in_as_many_words_is_open_and_says_it(
    fresh_database: Database, redis_server: RedisServer, queue_name: str, tmp_path: Path
) -> None:
    port = free_port()
    env = {
        **fresh_database.env(),
        **redis_server.env(),
        "ROSQ_QUEUE": queue_name,
        "ORDERS_SERVICE_INSECURE_WITHOUT_TLS": "1",
        "ORDERS_SERVICE_INSECURE_WITHOUT_TOKENS": "1",
    }
    service = Service(env, tmp_path)
    service.process.stop()
    service.env |= {"ORDERS_SERVICE_PORT": str(port), "ORDERS_SERVICE_LISTEN": f"0.0.0.0:{port}"}
    service.process = service.start()
    try:
        wait_until(lambda: "event=serving" in service.process.log, "the service to serve", 30)
        assert "event=access_open" in service.process.log
        assert service.cli("orders", "list").returncode == 0
    finally:
        service.close()


def test_by_rest_the_same_are_let_in_with_the_same_tokens(closed: Closed) -> None:
    context = ssl.create_default_context(cafile=closed.tls["ORDERS_SERVICE_TLS_CA_FILE"])
    context.load_cert_chain(closed.tls["ORDERS_SERVICE_TLS_CERT_FILE"], closed.tls["ORDERS_SERVICE_TLS_KEY_FILE"])
    operator = closed.token("by-rest-operator", "--role", "operator")
    first = closed.token("by-rest-first", "--role", "client", "--client", "first")
    second = closed.token("by-rest-second", "--role", "client", "--client", "second")
    url = f"https://127.0.0.1:{closed.service.rest_port}"
    order = {"cad_num": "77:01:0001001:1001", "idempotency_key": "by-rest"}

    with httpx.Client(base_url=url, verify=context, timeout=30, trust_env=False) as web:

        def ask(method: str, path: str, token: str = "", **more: Any) -> httpx.Response:
            return web.request(method, path, headers={"authorization": f"Bearer {token}"} if token else {}, **more)

        unknown = ask("GET", "/v1/orders")
        wrong = ask("GET", "/v1/orders", "nonsense")
        made = ask("POST", "/v1/orders", first, json=order)
        path = f"/v1/orders/{made.json()['order']['order_id']}"
        answers = {
            "own": ask("GET", path, first),
            "another's": ask("GET", path, second),
            "another's paper": ask("GET", f"{path}/paper", second),
            "not of clients": ask("GET", "/rosreestr-users", first),
            "operator": ask("GET", "/rosreestr-users", operator),
            "table": ask("GET", "/v1/orders:export", operator),
            "health": ask("GET", "/readyz"),
            "document": ask("GET", "/openapi.json"),
        }
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"{url}/healthz", verify=ssl.create_default_context(cafile=closed.tls["ORDERS_SERVICE_TLS_CA_FILE"]))

    assert (unknown.status_code, unknown.json()["reason"]) == (401, "NO_TOKEN")
    assert unknown.headers["www-authenticate"] == "Bearer"
    assert (wrong.status_code, wrong.json()["reason"]) == (401, "TOKEN_UNKNOWN")
    assert (made.status_code, made.json()["order"]["client"]) == (200, "first")
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "own": 200,
        "another's": 404,
        "another's paper": 404,
        "not of clients": 403,
        "operator": 200,
        "table": 200,
        "health": 200,
        "document": 200,
    }
    assert "Traceback" not in closed.service.process.log
    assert operator not in closed.service.process.log
