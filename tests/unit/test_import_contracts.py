"""The import contracts in pyproject.toml name what is there."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
OPEN_TO_THE_WORKER = {"crypto", "cadastral", "v1"}


def test_the_worker_is_kept_from_every_module_of_the_orders_service_but_three() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [contract] = [each for each in contracts if "the worker knows the stubs" in each["name"]]
    folder = ROOT / "orders_service"
    modules = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}

    forbidden = {name.removeprefix("orders_service.") for name in contract["forbidden_modules"]}

    assert forbidden == modules - OPEN_TO_THE_WORKER - {"__init__"}
