"""Settings are refused where they are wrong, by one sentence that names the setting."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from rosq import RedisSettings
from tests.waiting import wait_until
from worker.alive import AliveFile
from worker.errors import SettingsInvalid
from worker.portal.settings import PortalSettings
from worker.settings import Settings, default_lock_dir, ensure_lock_dir, read_service_address

if TYPE_CHECKING:
    from pathlib import Path


def make(path: Path, *, url: str = "http://127.0.0.1:8090", **changes: Any) -> Settings:
    given = {"username": "a1", "redis": RedisSettings(), "portal": PortalSettings(url=url), "lock_dir": path, **changes}
    return Settings(**given)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"username": ""}, "ROSREESTR_USER_NAME"),
        ({"username": "имя"}, "ROSREESTR_USER_NAME"),
        ({"username": "a" * 65}, "ROSREESTR_USER_NAME"),
        ({"queue": "a:b"}, "queue"),
        ({"orders_service_port": 0}, "ORDERS_SERVICE_PORT"),
        ({"orders_service_host": ""}, "ORDERS_SERVICE_HOST"),
        ({"check_interval_s": 0.0}, "ROSREESTR_CHECK_INTERVAL_S"),
        ({"first_check_s": -1.0}, "ROSREESTR_FIRST_CHECK_S"),
        ({"not_found_recheck_s": float("nan")}, "ROSREESTR_NOT_FOUND_RECHECK_S"),
        ({"absent_after_s": float("inf")}, "ROSREESTR_ABSENT_AFTER_S"),
        ({"standby_check_s": 0.0}, "ROSREESTR_STANDBY_CHECK_S"),
        ({"lease_s": 0.0}, "ROSQ_LEASE_S"),
        ({"grace_s": -1.0}, "ROSQ_GRACE_S"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsInvalid, match=named):
        make(tmp_path, **changes)


def test_a_short_absence_is_for_a_portal_on_loopback_only(tmp_path: Path) -> None:
    assert make(tmp_path, absent_after_s=4.0).absent_after_s == 4.0

    with pytest.raises(SettingsInvalid, match="ROSREESTR_ABSENT_AFTER_S"):
        make(tmp_path, url="https://lk.rosreestr.ru", absent_after_s=3599.0)


def test_lane_and_lock_file_are_the_accounts_own(tmp_path: Path) -> None:
    settings = make(tmp_path)

    assert settings.own_lane == "@a1"
    assert settings.lock_file == tmp_path / "order-processing.a1.lock"


def test_the_folder_for_lock_files_is_made_for_this_user_alone(tmp_path: Path) -> None:
    folder = default_lock_dir({"XDG_RUNTIME_DIR": str(tmp_path)})

    ensure_lock_dir(folder)

    assert folder == tmp_path / "rosq"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert str(os.getuid()) in str(default_lock_dir({}))


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()

    with pytest.raises(SettingsInvalid, match="--lock-dir"):
        ensure_lock_dir(in_the_way / "deeper")


def test_the_alive_file_is_touched_while_the_worker_is_well_and_gone_after_it(tmp_path: Path) -> None:
    path = tmp_path / "alive"
    path.write_text("of a former process")
    is_well = [False]
    alive = AliveFile(path, lambda: is_well[0], interval_s=0.01)
    alive.start()
    assert not path.exists()

    is_well[0] = True
    wait_until(path.exists, "the file")
    touched_at = path.stat().st_mtime_ns
    wait_until(lambda: path.stat().st_mtime_ns > touched_at, "another touch")
    alive.stop()

    assert not path.exists()


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("", "5003", ("127.0.0.1", 5003)),
        (" orders ", " 5004 ", ("orders", 5004)),
        # What Kubernetes sets for a Service named orders-service.
        ("", "tcp://10.43.1.8:5003", ("10.43.1.8", 5003)),
        ("orders-service", "tcp://10.43.1.8:5004", ("orders-service", 5004)),
        ("", "tcp://[fd00::8]:5003", ("fd00::8", 5003)),
    ],
)
def test_where_the_service_is_may_be_said_by_a_person_or_by_kubernetes(
    host: str, port: str, address: tuple[str, int]
) -> None:
    assert read_service_address(host, port) == address


@pytest.mark.parametrize("port", ["x", "-1", "5003.0", "tcp://", "udp://10.43.1.8:5003", "123456", "tcp://h:70000"])
def test_a_port_that_is_none_is_named(port: str) -> None:
    with pytest.raises(SettingsInvalid, match="ORDERS_SERVICE_PORT"):
        read_service_address("", port)
