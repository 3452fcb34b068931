"""The state folder: what it keeps private, what it keeps stable, and what it never touches."""

from __future__ import annotations

import socket
import stat
import subprocess

import pytest

from orders_service.dev import errors
from orders_service.dev.folder import StateFolder, is_free


def test_secrets_are_made_once_for_their_owner_only(tmp_path):
    with StateFolder(tmp_path / "state") as folder:
        secret = folder.secret("crypto-secret")
        mode = stat.S_IMODE((folder.secrets_dir / "crypto-secret").stat().st_mode)

    assert len(secret) >= 40
    assert mode == 0o600
    with StateFolder(tmp_path / "state") as folder:
        assert folder.secret("crypto-secret") == secret
        assert folder.secret("other") != secret


def test_no_part_of_the_folder_can_be_listed_by_others(tmp_path):
    with StateFolder(tmp_path / "state") as folder:
        folder.write_env({"A": "1"}, tmp_path)

        assert stat.S_IMODE(folder.path.stat().st_mode) & 0o066 == 0
        assert stat.S_IMODE(folder.env_path.stat().st_mode) == 0o600
        for part in (folder.secrets_dir, folder.log_dir, folder.run_dir, folder.subfolder("simulator")):
            assert stat.S_IMODE(part.stat().st_mode) == 0o700


def test_a_folder_with_other_files_is_refused_and_left_as_it_was(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    (tmp_path / "lock").write_text("of another program")

    with pytest.raises(errors.FolderUnfit, match="holds files that aren't of"):
        StateFolder(tmp_path).__enter__()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "thesis.txt"]
    assert (tmp_path / "lock").read_text() == "of another program"


def test_a_path_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(errors.FolderUnfit, match="can't be used"):
        StateFolder(tmp_path / "file").__enter__()


def test_clearing_leaves_what_is_not_of_a_run(tmp_path):
    with StateFolder(tmp_path / "state") as folder:
        folder.secret("a")
        folder.port("a")
        folder.subfolder("extracts").joinpath("1.zip").write_text("x")
        (folder.path / "notes.txt").write_text("mine")

        folder.clear()

        assert sorted(path.name for path in folder.path.iterdir()) == ["lock", "log", "notes.txt", "run", "secrets"]
        assert list(folder.secrets_dir.iterdir()) == []


def test_a_port_stays_the_same_while_it_can_be_had(tmp_path):
    with StateFolder(tmp_path / "state") as folder:
        port = folder.port("valkey")
        assert folder.port("valkey") == port
        assert is_free(port)

        with socket.socket() as taken:
            taken.bind(("127.0.0.1", port))
            taken.listen()
            assert not is_free(port)
            assert folder.port("valkey") != port


def test_the_env_file_gives_a_shell_exactly_what_was_put_in(tmp_path):
    values = {"A": "plain", "B": "with 'quotes' and $HOME", "C": "line\nend", "D": ""}

    with StateFolder(tmp_path / "state") as folder:
        folder.write_env(values, tmp_path / "bin dir")
        script = f'. "{folder.env_path}" && printf "%s|" "$A" "$B" "$C" "$D" "$PATH"'
        said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout

    assert said.startswith(f"plain|with 'quotes' and $HOME|line\nend||{tmp_path / 'bin dir'}:")
