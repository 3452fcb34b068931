"""The import contracts in pyproject.toml name what is there."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
OPEN_TO_THE_WORKER = {"archive", "cadastral", "channel", "crypto", "v1"}


def modules_of(package: str) -> set[str]:
    folder = ROOT / package
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    return files | {path.parent.name for path in folder.glob("*/__init__.py")}


def forbidden_of(contract_name: str, package: str) -> set[str]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [contract] = [each for each in contracts if contract_name in each["name"]]
    names = [name.partition(".") for name in contract["forbidden_modules"]]
    return {module for top, _, module in names if top == package and module}


def test_the_worker_is_kept_from_every_module_of_the_orders_service_but_five() -> None:
    forbidden = forbidden_of("the worker knows the stubs", "orders_service")

    assert forbidden == modules_of("orders_service") - OPEN_TO_THE_WORKER


def test_the_simulator_is_kept_from_every_module_of_the_worker() -> None:
    assert forbidden_of("The simulator imports none of ours", "worker") == modules_of("worker") - {"simulator"}
