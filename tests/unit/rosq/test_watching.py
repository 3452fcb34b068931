"""Where answers are watched for: on this machine, with a processor to spare, and nowhere else."""

from __future__ import annotations

import os
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from rosq.connection import watching
from rosq.connection.watching import count_processors, is_worth_watching

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def pair() -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours


@pytest.fixture(autouse=True)
def many_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(watching, "_OWN_CGROUPS", watching._CGROUPS / "nothing")


class Connected(socket.socket):
    """A socket that is connected to where a test says; its class is told as the plain one."""


def connect(monkeypatch: pytest.MonkeyPatch, ours: str, theirs: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in theirs else socket.AF_INET
    made = Connected(family)
    monkeypatch.setattr("rosq.connection.watching.socket.socket", Connected)
    monkeypatch.setattr(Connected, "getsockname", lambda _: (ours, 40_000))
    monkeypatch.setattr(Connected, "getpeername", lambda _: (theirs, 6379))
    return made


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.1.2.3", True),
        ("::1", "::1", True),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", True),
        # One's own address doesn't leave the machine.
        ("10.0.0.5", "10.0.0.5", True),
        ("fe80::1%eth0", "fe80::1%eth0", True),
        ("10.0.0.5", "10.0.0.6", False),
        ("172.17.0.1", "172.17.0.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", False),
        ("::ffff:10.0.0.5", "::ffff:10.0.0.6", False),
        ("0.0.0.0", "192.168.0.1", False),
    ],
)
def test_answers_over_a_network_arent_watched_for(
    ours: str, theirs: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(monkeypatch, ours, theirs) as made:
        assert is_worth_watching(made) is expected


def test_those_over_a_unix_socket_are_and_those_over_tls_arent(pair: socket.socket) -> None:
    assert is_worth_watching(pair)
    with ssl.create_default_context().wrap_socket(socket.socket(), server_hostname="redis") as tls:
        assert not is_worth_watching(tls)


def test_alone_on_its_processor_nobody_watches(pair: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3}, raising=False)

    assert not is_worth_watching(pair)


def test_where_nobody_knows_the_affinity_all_processors_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    for count, expected in ((1, 1), (6, 6), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        assert count_processors() == expected


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        # Version 2: a container sees its own group as the root, or the whole path.
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/", {"cpu.max": "max 100000"}, 8),
        ("0::/kube/pod", {"kube/pod/cpu.max": "max 100000", "kube/cpu.max": "50000 100000"}, 0.5),
        ("0::/kube/pod", {"kube/pod/cpu.max": "400000 100000"}, 4),
        ("0::/gone", {}, 8),
        ("0::/../outside", {"cpu.max": "100000 100000"}, 1),
        # Version 1.
        ("4:cpu,cpuacct:/a\n0::/", {"cpu,cpuacct/a/cpu.cfs_quota_us": "-1", "cpu,cpuacct/a/cpu.cfs_period_us": "1"}, 8),
        ("4:cpu:/a", {"cpu/a/cpu.cfs_quota_us": "100000\n", "cpu/a/cpu.cfs_period_us": "100000\n"}, 1),
        ("4:cpu:/not/seen", {"cpu/cpu.cfs_quota_us": "25000", "cpu/cpu.cfs_period_us": "100000"}, 0.25),
        # Nothing that can be read.
        ("nonsense", {}, 8),
        ("0::/", {"cpu.max": ""}, 8),
        ("0::/", {"cpu.max": "lots 100000"}, 8),
        ("0::/", {"cpu.max": "100000 0"}, 8),
    ],
)
def test_a_containers_share_of_the_processors_counts(
    own: str, files: dict[str, str], expected: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pair: Any
) -> None:
    (tmp_path / "own").write_text(own)
    for name, text in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(watching, "_OWN_CGROUPS", tmp_path / "own")
    monkeypatch.setattr(watching, "_CGROUPS", tmp_path / "groups")

    assert count_processors() == expected
    assert is_worth_watching(pair) is (expected >= 2)
