"""The files for containers: what they name is there, and over each other they make what their heads promise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from worker.cli import cli as worker

ROOT = Path(__file__).parents[2]
BASE, PORTAL = ROOT / "compose.yml", ROOT / "compose.portal.yml"
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def services_of(*files: Path) -> dict[str, dict[str, Any]]:
    """The services of files that lie over each other, as compose merges them."""
    merged: dict[str, dict[str, Any]] = {}
    for file in files:
        for name, service in yaml.safe_load(file.read_text(encoding="utf-8"))["services"].items():
            into = merged.setdefault(name, {})
            for key, value in service.items():
                if isinstance(value, dict) and isinstance(into.get(key), dict):
                    into[key] = {**into[key], **value}
                elif key == "volumes":
                    into[key] = [*into.get(key, []), *value]
                else:
                    into[key] = value
    return merged


def filled(text: str, given: dict[str, str]) -> str:
    """Put in the variables, as compose does.

    Raises:
        LookupError: One that must be given isn't.
    """

    def value(found: re.Match[str]) -> str:
        name, kind, rest = found.groups()
        if not given.get(name) and kind == "?":
            raise LookupError(name)
        return given.get(name) or rest or ""

    return VARIABLE.sub(value, text)


def workers_of(services: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    found = [service for name, service in services.items() if name.startswith("worker-")]
    assert found
    return found


@pytest.mark.parametrize("files", [(BASE,), (BASE, PORTAL)])
def test_whoever_is_waited_for_is_there(files: tuple[Path, ...]) -> None:
    services = services_of(*files)

    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)


def test_nobody_is_stopped_before_those_who_need_it() -> None:
    # Compose stops in the order of depends_on: whoever isn't named there is gone first, and the others hang.
    services = services_of(BASE)

    assert {"postgres", "redis"} <= set(services["orders-service"]["depends_on"])
    for service in workers_of(services):
        assert {"orders-service", "redis", "simulator"} <= set(service["depends_on"])


def test_the_first_file_alone_never_calls_the_real_portal() -> None:
    given = {"ROSREESTR_PORTAL_URL": "https://lk.rosreestr.ru"}

    for service in workers_of(services_of(BASE)):
        assert filled(service["environment"]["ROSREESTR_PORTAL_URL"], given) == "http://simulator:8080"


def test_for_the_real_portal_a_worker_has_the_portals_address_times_and_certificates() -> None:
    given = {"ROSREESTR_CA_BUNDLE": "./ca.pem"}
    defaults = {one.envvar: one.default for one in worker.params if isinstance(one.envvar, str)}

    for service in workers_of(services_of(BASE, PORTAL)):
        environment = {name: filled(value, given) for name, value in service["environment"].items()}
        assert environment["ROSREESTR_PORTAL_URL"] == defaults["ROSREESTR_PORTAL_URL"]
        for part in ("MIN_INTERVAL_S", "JITTER_S", "DAILY_LIMIT", "FIRST_CHECK_S", "CHECK_INTERVAL_S"):
            name = f"ROSREESTR_{part}"
            assert float(environment[name]) == defaults[name], name
        volumes = [filled(one, given).removesuffix(":ro").rsplit(":", 1) for one in service["volumes"]]
        mounts = {inside: outside for outside, inside in volumes}
        assert mounts[environment["ROSREESTR_CA_BUNDLE"]] == "./ca.pem"
        assert set(environment) <= {*defaults, *known_elsewhere()}, "nobody reads it"


def known_elsewhere() -> set[str]:
    """What a worker reads beside its options."""
    names = {f"REDIS_{one}" for one in ("HOST", "PORT", "PASSWORD", "DB")}
    return {*names, "ROSREESTR_CRYPTO_SECRET_FILE", "ORDERS_SERVICE_TOKEN_FILE"}


@pytest.mark.parametrize("missing", ["ROSREESTR_CA_BUNDLE", "DB_PASSWORD", "REDIS_PASSWORD"])
def test_for_the_real_portal_no_secret_has_a_default_that_everybody_knows(missing: str) -> None:
    given = dict.fromkeys(("ROSREESTR_CA_BUNDLE", "DB_PASSWORD", "REDIS_PASSWORD"), "given")
    text = str(services_of(BASE, PORTAL))

    assert "dev-only" not in filled(text, given)
    with pytest.raises(LookupError, match=missing):
        filled(text, {**given, missing: ""})
