"""What the service reads from its environment."""

from __future__ import annotations

import pytest

from orders_service.errors import SettingsInvalid
from orders_service.settings import Address, DatabaseSettings, Settings


def test_an_empty_environment_gives_the_names_that_operators_know() -> None:
    settings = Settings.from_env({})

    assert (settings.db.name, settings.queue_name) == ("rosreestr_extracts", "order-processing")
    assert str(Address.of_service({})) == "127.0.0.1:5003"


def test_every_variable_of_the_database_is_read_and_an_empty_one_counts_as_unset() -> None:
    environ = {"DB_HOST": "db", "DB_PORT": "6432", "DB_USERNAME": "rosq", "DB_PASSWORD": "p", "DB_NAME": "x"}

    settings = DatabaseSettings.from_env(environ)

    assert (settings.host, settings.port, settings.username, settings.password, settings.name) == (
        "db",
        6432,
        "rosq",
        "p",
        "x",
    )
    assert DatabaseSettings.from_env(dict.fromkeys(environ, "")) == DatabaseSettings()


def test_a_password_shows_in_no_repr() -> None:
    assert "hidden" not in repr(Settings.from_env({"DB_PASSWORD": "hidden"}))


def test_a_folder_is_a_unix_socket() -> None:
    assert DatabaseSettings(host="/run/pg").is_socket
    assert not DatabaseSettings(host="db.example").is_socket


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DB_PORT", "0"),
        ("DB_PORT", "70000"),
        ("DB_PORT", "５４３２"),
        ("DB_POOL_SIZE", "1"),
        ("ORDER_LEASE_S", "-1"),
        ("ORDER_LEASE_S", "nan"),
        ("RECONCILE_INTERVAL_S", "often"),
        ("RELAY_SWEEP_S", "inf"),
        ("WEBHOOK_SENDERS", "-1"),
        ("WEBHOOK_TIMEOUT_S", "0"),
        ("WEBHOOK_TIMEOUT_S", "61"),
        ("WEBHOOK_QUEUE", "order-processing"),
    ],
)
def test_what_is_no_number_of_its_range_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingsInvalid, match=variable):
        Settings.from_env({variable: value})


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:5003", Address(host="127.0.0.1", port=5003)),
        ("[::1]:5003", Address(host="::1", port=5003)),
        ("5003", Address(host="127.0.0.1", port=5003)),
        (":5003", Address(host="127.0.0.1", port=5003)),
        ("0.0.0.0:0", Address(host="0.0.0.0", port=0)),
    ],
)
def test_an_address_is_read_and_written(text: str, address: Address) -> None:
    assert Address.parse(text, "--listen") == address
    assert Address.parse(str(address), "--listen") == address


@pytest.mark.parametrize("text", ["", "host", "host:", "host:99999", "host:x", "host:-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"--listen must be host:port"):
        Address.parse(text, "--listen")


@pytest.mark.parametrize(("host", "expected"), [("", ("10.43.1.8", 7000)), ("db.example", ("db.example", 7000))])
def test_a_port_that_kubernetes_set_is_the_address_of_its_service(host: str, expected: tuple[str, int]) -> None:
    link = "tcp://10.43.1.8:7000"

    settings = DatabaseSettings.from_env({"DB_HOST": host, "DB_PORT": link})
    service = Address.of_service({"ORDERS_SERVICE_HOST": host, "ORDERS_SERVICE_PORT": link})

    assert (settings.host, settings.port) == expected
    assert (service.host, service.port) == expected


@pytest.mark.parametrize("value", ["tcp://", "tcp://h", "tcp://h:0", "http://h:80", "tcp://u@h:80", "tcp://h:80/x"])
def test_what_only_looks_like_it_is_no_port(value: str) -> None:
    with pytest.raises(SettingsInvalid, match="DB_PORT"):
        DatabaseSettings.from_env({"DB_PORT": value})
