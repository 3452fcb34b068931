"""Brings the peers: each Python one into a virtual environment of its own, those on Node into one folder.

They lie in a cache folder and are installed once. Whatever can't be had is left out, with the reason.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contender import Runtime
from benchmarks.errors import NotInstalled

if TYPE_CHECKING:
    from benchmarks.contender import Contender

SIDES = Path(__file__).parent / "sides"
_INSTALL_TIMEOUT_S = 300.0


def default_cache() -> Path:
    """Where peers are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rosq-benchmarks"


def command_of(contender: Contender, cache: Path, *, is_installing: bool) -> list[str]:
    """Return how the contender's process is started, but for role and server; install it if need be.

    Args:
        is_installing: False leaves out what isn't there yet.

    Raises:
        NotInstalled: It can't be had.
    """
    file = str(SIDES / contender.file)
    if contender.runtime is Runtime.OWN:
        return [sys.executable, file]
    if contender.runtime is Runtime.VENV:
        return [str(_ensure_venv(contender, cache, is_installing=is_installing)), file]
    node = shutil.which("node")
    if node is None:
        raise NotInstalled("Node isn't installed.")
    _ensure_node_package(contender.packages[0], cache / "node", is_installing=is_installing)
    return [node, file, contender.packages[0].partition("@")[0]]


def environment_of(contender: Contender, cache: Path) -> dict[str, str]:
    """What the contender's process finds in its environment."""
    environment = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    if contender.runtime is Runtime.NODE:
        environment["NODE_PATH"] = str(cache / "node" / "node_modules")
    if contender.runtime is Runtime.OWN:
        # This very checkout, whatever else is installed.
        environment["PYTHONPATH"] = str(Path(__file__).parents[1])
    return environment


def _ensure_venv(contender: Contender, cache: Path, *, is_installing: bool) -> Path:
    folder = cache / "venvs" / contender.name.lower().replace(", ", "-")
    python, stamp = folder / "bin" / "python", folder / ".installed"
    wanted = json.dumps(contender.packages)
    if stamp.is_file() and stamp.read_text() == wanted:
        return python
    if not is_installing:
        raise NotInstalled("It isn't installed, and installing was switched off.")
    venv.create(folder, with_pip=True, clear=True)
    _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *contender.packages])
    stamp.write_text(wanted)
    return python


def _ensure_node_package(package: str, folder: Path, *, is_installing: bool) -> None:
    name, _, version = package.partition("@")
    about = folder / "node_modules" / name / "package.json"
    if about.is_file() and json.loads(about.read_text())["version"] == version:
        return
    if not is_installing:
        raise NotInstalled("It isn't installed, and installing was switched off.")
    npm = shutil.which("npm")
    if npm is None:
        raise NotInstalled("npm isn't installed.")
    folder.mkdir(parents=True, exist_ok=True)
    _run([npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), package])


def _run(command: list[str]) -> None:
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_S, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"Installing took longer than {_INSTALL_TIMEOUT_S:.0f} s.") from error
    except (subprocess.CalledProcessError, OSError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise NotInstalled(f"Installing failed: {said[-1] if said else error}") from error
