"""A client in another language, with nothing but the .proto files, orders an extract and streams it."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.system import System

ROOT = Path(__file__).parents[2]
CAD_NUM = "77:01:0001001:4001"


@pytest.fixture
def node_client(tmp_path: Path) -> Path:
    """The example client with its packages installed, in a folder of its own."""
    if shutil.which("npm") is None:
        pytest.skip("there is no Node.js here (npm), so the JavaScript client can't run")
    folder = tmp_path / "node"
    shutil.copytree(ROOT / "docs/examples/node", folder, ignore=shutil.ignore_patterns("node_modules"))
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True, timeout=120)
    return folder


def test_a_javascript_client_orders_an_extract_and_saves_it(system: System, node_client: Path, tmp_path: Path) -> None:
    system.start_worker("a1")
    target = tmp_path / "extract.zip"
    env = {**os.environ, "ORDERS_SERVICE_PORT": str(system.port), "PROTO_DIR": str(ROOT / "proto")}

    run = subprocess.run(
        ["node", "client.js", CAD_NUM, str(target)],
        cwd=node_client, env=env, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip

    assert run.returncode == 0, run.stderr
    assert "Выполнен" in run.stdout
    with zipfile.ZipFile(io.BytesIO(target.read_bytes())) as archive:
        assert archive.testzip() is None
        assert any(name.endswith(".xml") for name in archive.namelist())


def test_a_javascript_client_is_told_what_is_wrong_with_its_number(system: System, node_client: Path) -> None:
    env = {**os.environ, "ORDERS_SERVICE_PORT": str(system.port), "PROTO_DIR": str(ROOT / "proto")}

    run = subprocess.run(
        ["node", "client.js", "7:01:0001001:5", "never.zip"],
        cwd=node_client, env=env, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip

    assert run.returncode == 1
    assert "order.cad_num" in run.stderr
    assert "07:01:0001001:5" in run.stderr


def test_clients_by_rest_without_any_package_order_extracts_and_save_them(system: System, tmp_path: Path) -> None:
    system.start_worker("a1")
    clients = {"4002": [sys.executable, str(ROOT / "docs/examples/python/order.py")]}
    if shutil.which("node") is not None:
        clients["4003"] = ["node", str(ROOT / "docs/examples/node/rest.mjs")]
    env = {**os.environ, "ORDERS_SERVICE_URL": f"http://127.0.0.1:{system.rest_port}", "no_proxy": "*"}

    def run(command: list[str], number: str, target: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, f"77:01:0001001:{number}", str(target)],
            env=env, capture_output=True, text=True, timeout=150, check=False,
        )  # fmt: skip

    for number, command in clients.items():
        target = tmp_path / f"{number}.zip"
        done = run(command, number, target)
        assert done.returncode == 0, done.stderr
        assert "Выполнен" in done.stdout
        with zipfile.ZipFile(target) as archive:
            assert archive.testzip() is None
        charges = len(system.charges())

        repeated = run(command, number, target)
        wrong = run(command, "x", target)
        nowhere = run(command, "4004", tmp_path / "no folder" / "x.zip")

        assert repeated.returncode == 0, "the same words are the same order"
        assert (wrong.returncode, "cad_num" in wrong.stderr, "Traceback" in wrong.stderr) == (1, True, False)
        assert (nowhere.returncode, "nothing was ordered" in nowhere.stderr) == (1, True)
        assert len(system.charges()) == charges
