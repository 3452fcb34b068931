"""Bad input is answered by one sentence that says what is wrong and what to do; nothing is stored."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import grpc
import pytest

from orders_service.v1 import orders_pb2, rosreestr_users_pb2
from tests.servers import free_port

if TYPE_CHECKING:
    from tests.postgres import Database
    from tests.servers import EmbeddedRedis
    from tests.system import System

UNREACHED = 3
SECRET = "secret of the tests"


def run(
    module: str, *args: str, env: dict[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command of ours as a person would."""
    return subprocess.run(
        [sys.executable, "-m", module, *args],
        env=env, input=stdin, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def assert_one_sentence(answer: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """The command failed with `code`, and said so in one line with all of `words`, without a traceback."""
    said = answer.stderr.strip()
    assert answer.returncode == code, (answer.returncode, said)
    assert "Traceback" not in said
    # Besides the sentence: click's usage lines, and the log's, which begin with a time.
    lines = [line for line in said.splitlines() if line and not re.match(r"Usage:|Try |\d{4}-\d\d-\d\dT", line)]
    assert len(lines) == 1, said
    for word in words:
        assert word in lines[0], said


@pytest.fixture
def clean_env() -> dict[str, str]:
    """The environment without anything of ours."""
    ours = ("DB_", "REDIS_", "ROSREESTR_", "ORDERS_SERVICE_", "ROSQ_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


@pytest.mark.parametrize("command", [("worker.cli", "--account", "a1"), ("orders_service.cli", "serve")])
@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"ROSREESTR_CRYPTO_SECRET": "dev-only-crypto-secret"}, ("ROSREESTR_CRYPTO_SECRET", "stands in examples")),
        ({"ROSREESTR_CRYPTO_SECRET_FILE": "/nowhere"}, ("ROSREESTR_CRYPTO_SECRET_FILE", "/nowhere", "No such file")),
        (
            {"ROSREESTR_CRYPTO_SECRET_FILE": "/nowhere", "ROSREESTR_CRYPTO_SECRET": SECRET},
            ("ROSREESTR_CRYPTO_SECRET and ROSREESTR_CRYPTO_SECRET_FILE are both set",),
        ),
    ],
)
def test_a_secret_that_is_weak_or_not_to_be_found_ends_the_start(
    clean_env: dict[str, str], command: tuple[str, ...], variables: dict[str, str], words: tuple[str, ...]
) -> None:
    # Nobody listens there: a weak secret may let the worker ask whether its account exists at all.
    away = {"ORDERS_SERVICE_PORT": str(free_port())}
    answer = run(*command, env={**clean_env, **away, **variables})

    assert_one_sentence(answer, 2, *words)


def test_a_wrong_cadastral_number_names_its_field_and_the_suggestion_and_stores_nothing(system: System) -> None:
    numbers = ["77:01:0001001:1", "77:01:0001001:2", "77:01:0001001:3", "77-01-0001001-5"]

    with pytest.raises(grpc.RpcError) as refused:
        system.submit(*numbers)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    said = refused.value.details() or ""
    assert "orders[3].cad_num" in said
    assert "77:01:0001001:5" in said
    assert list(system.orders.ListOrders(orders_pb2.ListOrdersRequest(), timeout=5).orders) == []


def test_the_shell_names_the_wrong_number_as_it_was_typed(system: System) -> None:
    args = [part for number in ("77:01:0001001:1", "7:01:0001001:5") for part in ("--cad-num", number)]

    answer = run("orders_service.cli", "orders", "submit", *args, env=system.env())

    assert answer.returncode == 1
    assert "--cad-num 7:01:0001001:5" in answer.stderr
    assert "07:01:0001001:5" in answer.stderr
    assert "Nothing was ordered" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert list(system.orders.ListOrders(orders_pb2.ListOrdersRequest(), timeout=5).orders) == []


def test_a_worker_of_an_unknown_account_says_which_and_how_to_add_it(system: System) -> None:
    answer = run("worker.cli", "--account", "nobody", env=system.env())

    assert_one_sentence(answer, 1, "nobody", "accounts add")


def test_a_worker_of_an_unknown_account_says_so_before_it_asks_for_the_secret(system: System) -> None:
    env = system.env()
    del env["ROSREESTR_CRYPTO_SECRET"]

    answer = run("worker.cli", "--account", "nobody", env=env)

    assert_one_sentence(answer, 1, "nobody", "accounts add")


def test_a_worker_without_secret_and_service_asks_for_the_secret(system: System) -> None:
    env = {**system.env(), "ORDERS_SERVICE_PORT": str(free_port())}
    del env["ROSREESTR_CRYPTO_SECRET"]

    answer = run("worker.cli", "--account", "a1", env=env)

    assert_one_sentence(answer, 2, "ROSREESTR_CRYPTO_SECRET")


def test_a_worker_of_an_inactive_account_with_nothing_to_collect_says_how_to_activate_it(system: System) -> None:
    system.users.DeactivateRosreestrUser(rosreestr_users_pb2.DeactivateRosreestrUserRequest(account="a1"), timeout=5)

    answer = run("worker.cli", "--account", "a1", env=system.env())

    assert_one_sentence(answer, 1, "a1", "accounts activate")


def test_a_worker_whose_secret_does_not_open_the_password_says_so(system: System) -> None:
    answer = run(
        "worker.cli", "--account", "a1", env={**system.env(), "ROSREESTR_CRYPTO_SECRET": "another secret of the tests"}
    )

    assert_one_sentence(answer, 1, "a1", "ROSREESTR_CRYPTO_SECRET")


@pytest.mark.parametrize(
    ("module", "args"),
    [("orders_service.cli", ["serve"]), ("worker.cli", ["--account", "a1"])],
    ids=["serve", "worker"],
)
def test_a_missing_secret_is_named(system: System, module: str, args: list[str]) -> None:
    env = system.env()
    del env["ROSREESTR_CRYPTO_SECRET"]

    answer = run(module, *args, env=env)

    assert_one_sentence(answer, 2, "ROSREESTR_CRYPTO_SECRET")


def test_a_worker_without_redis_says_where_it_looked(system: System) -> None:
    port = free_port()

    answer = run(
        "worker.cli", "--account", "a1", env={**system.env(), "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port)}
    )

    assert_one_sentence(answer, UNREACHED, f"127.0.0.1:{port}", "Redis")


def test_a_worker_without_the_orders_service_says_where_it_looked(system: System) -> None:
    port = free_port()

    answer = run("worker.cli", "--account", "a1", env={**system.env(), "ORDERS_SERVICE_PORT": str(port)})

    assert_one_sentence(answer, UNREACHED, f"127.0.0.1:{port}", "orders-service")


def test_a_client_without_the_orders_service_says_where_it_looked(clean_env: dict[str, str]) -> None:
    port = free_port()

    answer = run("orders_service.cli", "orders", "list", env={**clean_env, "ORDERS_SERVICE_PORT": str(port)})

    assert_one_sentence(answer, UNREACHED, f"127.0.0.1:{port}", "orders-service serve")


def test_serve_without_postgresql_says_where_it_looked(clean_env: dict[str, str]) -> None:
    port = free_port()
    env = {**clean_env, "DB_HOST": "127.0.0.1", "DB_PORT": str(port), "ROSREESTR_CRYPTO_SECRET": SECRET}

    answer = run("orders_service.cli", "serve", "--listen", f"127.0.0.1:{free_port()}", env=env)

    assert_one_sentence(answer, UNREACHED, f"127.0.0.1:{port}", "PostgreSQL")


def test_serve_on_a_database_that_is_not_migrated_says_what_to_run(
    empty_database: Database, own_redis: EmbeddedRedis, clean_env: dict[str, str]
) -> None:
    env = {**clean_env, **empty_database.env(), **own_redis.env(), "ROSREESTR_CRYPTO_SECRET": SECRET}

    answer = run("orders_service.cli", "serve", "--listen", f"127.0.0.1:{free_port()}", env=env)

    assert_one_sentence(answer, 1, "orders-service migrate")


def test_serve_on_a_port_in_use_names_it(
    fresh_database: Database, own_redis: EmbeddedRedis, clean_env: dict[str, str]
) -> None:
    env = {**clean_env, **fresh_database.env(), **own_redis.env(), "ROSREESTR_CRYPTO_SECRET": SECRET}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        answer = run("orders_service.cli", "serve", "--listen", f"127.0.0.1:{port}", env=env)

    assert_one_sentence(answer, 1, str(port), "in use")


def test_rosq_without_redis_says_where_it_looked(clean_env: dict[str, str]) -> None:
    port = free_port()

    answer = run("rosq.cli", "inspect", env={**clean_env, "REDIS_PORT": str(port)})

    assert_one_sentence(answer, UNREACHED, f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("module", "args"),
    [
        ("rosq.cli", ["inspect", "--colour"]),
        ("worker.cli", ["--acount", "a1"]),
        ("orders_service.cli", ["orders", "list", "--states"]),
        ("worker.simulator.cli", ["--ports", "1"]),
    ],
    ids=["rosq", "worker", "orders-service", "simulator"],
)
def test_an_unknown_option_is_a_usage_error_that_names_it(
    clean_env: dict[str, str], module: str, args: list[str]
) -> None:
    answer = run(module, *args, env=clean_env)

    assert_one_sentence(answer, 2, next(arg for arg in args if arg.startswith("--")))
