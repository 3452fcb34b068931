"""Where Redis is: every way to say it, and what is refused in one sentence."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from redis import exceptions as redis_errors

from rosq import Address, InvalidSettings, RedisSettings, errors
from rosq.commands.server_options import OPTIONS
from rosq.connection.locating import ClusterGuide, SentinelGuide
from rosq.connection.translating import translate
from rosq.redis_values import CHECKS

SECRET = "hush-hush"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://redis", {"host": "redis", "port": 6379, "db": 0, "is_tls": False}),
        ("redis://redis:7000/3", {"host": "redis", "port": 7000, "db": 3}),
        ("redis://redis?db=3", {"host": "redis", "db": 3}),
        ("redis://:p%40ss%2F@redis", {"username": None, "password": "p@ss/"}),
        ("redis://user:p:w@redis", {"username": "user", "password": "p:w"}),
        ("redis://user@redis", {"username": "user", "password": None}),
        ("redis://[::1]:7000", {"host": "::1", "port": 7000}),
        ("rediss://redis", {"host": "redis", "is_tls": True}),
        ("unix:///run/redis/redis.sock", {"unix_socket": "/run/redis/redis.sock", "db": 0}),
        ("unix://:pw@/run/r%20s.sock?db=2", {"unix_socket": "/run/r s.sock", "password": "pw", "db": 2}),
    ],
)
def test_a_url_says_all_of_it(url: str, expected: dict[str, Any]) -> None:
    settings = RedisSettings.from_env({"REDIS_URL": url})

    assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"REDIS_URL": f"http://:{SECRET}@redis"}, "REDIS_URL is no URL of Redis"),
        ({"REDIS_URL": f"redis://:{SECRET}@redis:port"}, "REDIS_URL is no URL of Redis"),
        ({"REDIS_URL": f"redis://:{SECRET}@/0"}, "REDIS_URL names no host"),
        ({"REDIS_URL": f"redis://:{SECRET}@redis/orders"}, "names a database that isn't a number"),
        ({"REDIS_URL": f"redis://:{SECRET}@redis/1?db=2"}, "names a database twice"),
        ({"REDIS_URL": f"redis://:{SECRET}@redis?timeout=5"}, "an option that rosq doesn't know"),
        ({"REDIS_URL": f"unix://:{SECRET}@run/redis.sock"}, "three slashes"),
        ({"REDIS_URL": f"redis://:{SECRET}@redis:0"}, "REDIS_PORT is 0"),
        ({"REDIS_URL": "redis://redis", "REDIS_HOST": "redis"}, "REDIS_URL and REDIS_HOST both say"),
        ({"REDIS_UNIX_SOCKET": "/s", "REDIS_PORT": "1"}, "REDIS_PORT and REDIS_UNIX_SOCKET both say"),
        ({"REDIS_CLUSTER_NODES": "a:1", "REDIS_SENTINELS": "b"}, "REDIS_SENTINELS and REDIS_CLUSTER_NODES both say"),
        ({"REDIS_URL": f"redis://:{SECRET}@redis", "REDIS_PASSWORD": SECRET}, "REDIS_URL has what REDIS_PASSWORD says"),
        ({"REDIS_URL": "redis://redis/0", "REDIS_DB": "0"}, "REDIS_URL has what REDIS_DB says"),
        ({"REDIS_URL": "rediss://redis", "REDIS_TLS": "no"}, "REDIS_TLS forbids it"),
        ({"REDIS_TLS": "perhaps"}, "REDIS_TLS is 'perhaps'"),
        ({"REDIS_TLS": "1", "REDIS_UNIX_SOCKET": "/s"}, "speaks no TLS"),
        ({"REDIS_TLS": "1", "REDIS_TLS_CA_FILE": "/nowhere/ca.pem"}, "there is no such file"),
        ({"REDIS_TLS": "1", "REDIS_TLS_CERT_FILE": __file__}, "belong together"),
        ({"REDIS_TLS_CA_FILE": __file__}, "no TLS is asked for"),
        ({"REDIS_SENTINELS": "a"}, "belong together"),
        ({"REDIS_SENTINEL_MASTER": "m"}, "belong together"),
        ({"REDIS_SENTINELS": f"x:{SECRET}@a:port", "REDIS_SENTINEL_MASTER": "m"}, "REDIS_SENTINELS: number 1"),
        ({"REDIS_CLUSTER_NODES": "a:1:2"}, "REDIS_CLUSTER_NODES: number 1"),
        ({"REDIS_CLUSTER_NODES": "a", "REDIS_DB": "1"}, "database 0 only"),
        ({"REDIS_HOST": "localhost:6379"}, "give the host alone, and its port in REDIS_PORT"),
        ({"REDIS_HOST": "[::1]"}, "give the host alone"),
        ({"REDIS_HOST": "redis://localhost"}, "give that in REDIS_URL"),
        ({"REDIS_HOST": f"user:{SECRET}@localhost"}, "give them in REDIS_USERNAME and REDIS_PASSWORD"),
        ({"REDIS_HOST": "a b"}, "can't be the name of a host"),
        ({"REDIS_HOST": "a" * 64}, "can't be the name of a host"),
        ({"REDIS_HOST": "a..b"}, "can't be the name of a host"),
        ({"REDIS_PORT": "6379/0"}, "give a whole number"),
        ({"REDIS_PORT": "9" * 5000}, "give a whole number"),
        ({"REDIS_PORT": "65536"}, "give a port from 1 to 65535"),
        ({"REDIS_DB": "99999999999"}, "REDIS_DB"),
        ({"REDIS_DB": "4294967296"}, "REDIS_DB is 4294967296"),
        ({"REDIS_CLUSTER_NODES": ","}, "names no server"),
        ({"REDIS_SENTINELS": " , ,", "REDIS_SENTINEL_MASTER": "m"}, "names no server"),
        ({"REDIS_SENTINELS": "a,b c", "REDIS_SENTINEL_MASTER": "m"}, "can't be the name of a host"),
        ({"REDIS_SENTINELS": "a", "REDIS_SENTINEL_MASTER": "my master"}, "has a blank"),
        ({"REDIS_PASSWORD": "\udcff"}, "aren't UTF-8"),
        ({"REDIS_URL": "redis://:%ff@redis"}, "is no URL of Redis"),
        ({"REDIS_URL": "redis://redis?db=1&db=2"}, "names a database twice"),
        ({"REDIS_URL": "redis://redis?db="}, "isn't a number"),
        ({"REDIS_UNIX_SOCKET": "/" + "s" * 107}, "a socket's path has 103 at most"),
        ({"REDIS_UNIX_SOCKET": "redis.sock"}, "from the slash on"),
        ({"REDIS_UNIX_SOCKET": "unix:///run/redis.sock"}, "give that in REDIS_URL"),
        ({"REDIS_TLS": "1", "REDIS_TLS_KEY_FILE": f"-----BEGIN PRIVATE KEY-----\n{SECRET}"}, "content of a file"),
        ({"REDIS_TLS": "1", "REDIS_TLS_CA_FILE": "/" + "x" * 5000}, "there is no such file"),
        ({"REDIS_TLS": "1", "REDIS_TLS_CA_FILE": "/etc"}, "there is no such file"),
    ],
)
def test_what_cant_be_meant_is_refused_in_one_sentence_without_a_secret(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        RedisSettings.from_env(environ)

    assert sentence in str(caught.value)
    assert SECRET not in str(caught.value)


VARIABLES = [name for name, _ in OPTIONS]
#: A secret where it doesn't belong, or with a letter in it that ends what it is a part of.
SPILT = [
    f"redis://user:{SECRET}@host:1/0",
    f"redis://user:12/{SECRET}@host/0",
    f"redis://user:12?{SECRET}@host",
    f"redis://user:12?db={SECRET}@host",
    f"redis://user:12#{SECRET}@host",
    f"redis://user:12,{SECRET}@host",
    f"redis://user:[{SECRET}@host",
    f"redis://host:1/{SECRET}@x",
    f"http://{SECRET}@host",
    f"unix://user:12/{SECRET}@host?x={SECRET}",
    f"user:{SECRET}@host:1",
    f"user:a,{SECRET}@host:1",
    f"{SECRET}@host",
    f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----",
]
ODD = ["\udcff", "a\0b", "a\nb", "\x1b[2J", "9" * 5000, "-1", "1e3", "٣", "x" * 5000, "ключ", "%", "[", "]", "::", ":"]
ODD += ["a:", "?", "#", "a@", "//", "\\", "=", "&", ";", "'", "a b"]


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("text", [*SPILT, *ODD])
def test_whatever_a_variable_says_it_is_taken_or_refused_in_a_sentence_without_a_secret(
    variable: str, text: str
) -> None:
    environ = {variable: text}
    if variable.startswith("REDIS_TLS_"):
        environ["REDIS_TLS"] = "1"
    if variable.startswith("REDIS_SENTINEL"):
        environ = {"REDIS_SENTINELS": "a", "REDIS_SENTINEL_MASTER": "m", variable: text}
    try:
        settings = RedisSettings.from_env(environ)
    except InvalidSettings as error:
        told = str(error)
        assert "REDIS_" in told
        assert "\n" not in told
        assert told.endswith(".")
        assert len(told) < 250
    else:
        told = settings.address
        told.encode()
    assert SECRET not in told


def test_every_setting_has_its_row_in_the_table_of_checks() -> None:
    checked = {field for _, field, _ in CHECKS}

    # What is yes or no can't be anything else.
    assert {field.name for field in dataclasses.fields(RedisSettings)} - checked == {"is_tls", "is_tls_name_checked"}
    assert {name for name, _, _ in CHECKS if name.isupper()} <= set(VARIABLES)


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan"), 1e9])
@pytest.mark.parametrize("field", ["connect_timeout_s", "answer_timeout_s"])
def test_a_timeout_that_no_wait_can_have_is_refused(field: str, seconds: float) -> None:
    with pytest.raises(InvalidSettings, match=field):
        RedisSettings(**{field: seconds})  # type: ignore[arg-type]


def test_sentinels_and_nodes_are_lists_with_ports_of_their_own() -> None:
    watched = RedisSettings.from_env(
        {"REDIS_SENTINELS": "a, b:5,[::1]:6", "REDIS_SENTINEL_MASTER": "m", "REDIS_SENTINEL_PASSWORD": SECRET}
    )
    cluster = RedisSettings.from_env({"REDIS_CLUSTER_NODES": "a,b:7001", "REDIS_PASSWORD": SECRET})

    assert watched.sentinels == (Address("a", 26379), Address("b", 5), Address("::1", 6))
    assert watched.address == "master m of the sentinels a:26379, b:5, [::1]:6/0"
    assert cluster.cluster_nodes == (Address("a", 6379), Address("b", 7001))
    assert cluster.address == "the cluster of a:6379, b:7001"
    assert SECRET not in repr(watched) + repr(cluster) + watched.address + cluster.address


def test_a_blank_at_the_end_belongs_to_a_password_and_to_nothing_else() -> None:
    settings = RedisSettings.from_env({"REDIS_HOST": " redis ", "REDIS_PASSWORD": " pw "})

    assert (settings.host, settings.password) == ("redis", " pw ")


class Asked:
    """Answers for addresses, in place of servers; an error among them is raised."""

    def __init__(self, answers: dict[Address, Any]) -> None:
        self.answers = answers
        self.asked: list[Address] = []

    def __call__(self, address: Address, _: Any) -> Any:
        self.asked.append(address)
        answer = self.answers[address]
        if isinstance(answer, Exception):
            raise answer
        return answer


A, B, C = Address("a", 1), Address("b", 2), Address("c", 3)


def test_the_sentinel_that_answered_last_is_asked_first() -> None:
    asked = Asked({A: redis_errors.ConnectionError("gone"), B: ["master", "6379"], C: None})
    guide = SentinelGuide((A, B, C), "m", asked)

    assert [guide.locate(), guide.locate()] == [Address("master", 6379)] * 2
    assert asked.asked == [A, B, B]


def test_a_refusal_by_all_sentinels_is_told_as_one() -> None:
    refused = redis_errors.AuthenticationError("wrong password")

    with pytest.raises(redis_errors.AuthenticationError, match="a:1 says"):
        SentinelGuide((A, B), "m", Asked({A: refused, B: refused})).locate()
    with pytest.raises(redis_errors.ConnectionError, match="knows no master m"):
        SentinelGuide((A, B), "m", Asked({A: refused, B: None})).locate()


def test_one_that_cant_prove_who_it_is_counts_for_all_only_where_all_refused_us() -> None:
    untrusted = redis_errors.ConnectionError("Error 1 connecting to a:1. [SSL: CERTIFICATE_VERIFY_FAILED] …")
    refused, away = redis_errors.AuthenticationError("wrong password"), redis_errors.ConnectionError("gone")

    for other, expected in (
        (untrusted, errors.ServerUntrusted),
        (refused, errors.ServerUntrusted),
        (away, errors.ServerUnreachable),
        (None, errors.ServerUnreachable),
    ):
        with pytest.raises(redis_errors.RedisError) as caught:
            SentinelGuide((A, B), "m", Asked({A: untrusted, B: other})).locate()
        assert type(translate(caught.value, "a:1")) is expected


def test_the_node_that_had_the_queue_last_is_asked_first_and_the_seeds_may_be_gone() -> None:
    # A slot of `rosq:{q}:meta` lies in the second range
    ranges = [[0, 100, ["a", 1, "id"]], [101, 16383, ["c", 3, "id"], ["replica", 9, "id"]]]
    asked = Asked({A: ranges, B: ranges, C: ranges})
    guide = ClusterGuide((A,), "rosq:{q}:meta", asked)

    assert [guide.locate(), guide.locate()] == [C, C]
    assert asked.asked == [A, C]

    asked.answers |= {C: redis_errors.ConnectionError("gone"), A: [[0, 16383, ["", 5, "id"]]]}
    # A node that doesn't know its own name means the one by which it was asked
    assert guide.locate() == Address("a", 5)
    asked.answers[Address("a", 5)] = ranges
    assert guide.list_masters() == (A, C)


def test_a_slot_that_no_node_has_is_told() -> None:
    with pytest.raises(redis_errors.ConnectionError, match="knows no node for slot"):
        ClusterGuide((A,), "rosq:{q}:meta", Asked({A: [[0, 1, ["a", 1, "id"]]]})).locate()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (redis_errors.MovedError("99 10.0.0.1:7000", status_code="MOVED"), errors.SlotMoved),
        (redis_errors.AskError("99 10.0.0.1:7000", status_code="ASK"), errors.SlotMoved),
        (redis_errors.TryAgainError("Multiple keys request during rehashing of slot"), errors.SlotMoved),
        (redis_errors.ClusterDownError("Hash slot not served"), errors.ServerUnready),
        (
            redis_errors.ResponseError("Script attempted to access a non local key in a cluster node script: abc"),
            errors.SlotMoved,
        ),
        (
            redis_errors.ResponseError("Error running script: Lua script attempted to access a non local key in a …"),
            errors.SlotMoved,
        ),
        (
            redis_errors.ConnectionError("Error 1 connecting to h:1. [SSL: CERTIFICATE_VERIFY_FAILED] …"),
            errors.ServerUntrusted,
        ),
    ],
)
def test_what_a_cluster_and_tls_say_is_translated(error: Exception, expected: type[Exception]) -> None:
    assert type(translate(error, "the cluster of a:1")) is expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {"host": "10.43.1.9", "port": 7000}),
        ({"REDIS_HOST": "redis"}, {"host": "redis", "port": 7000}),
        ({"REDIS_URL": "redis://elsewhere"}, {"host": "elsewhere", "port": 6379}),
        ({"REDIS_UNIX_SOCKET": "/s"}, {"unix_socket": "/s", "port": 6379}),
        ({"REDIS_SENTINELS": "s1", "REDIS_SENTINEL_MASTER": "m"}, {"sentinel_master": "m", "port": 6379}),
        ({"REDIS_CLUSTER_NODES": "a:1"}, {"cluster_nodes": (Address("a", 1),), "port": 6379}),
    ],
)
def test_a_port_that_kubernetes_set_counts_where_nobody_said_more(
    environ: dict[str, str], expected: dict[str, Any]
) -> None:
    settings = RedisSettings.from_env({"REDIS_PORT": "tcp://10.43.1.9:7000", **environ})

    assert {name: getattr(settings, name) for name in expected} == expected
