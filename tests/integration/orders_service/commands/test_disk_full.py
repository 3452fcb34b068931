"""Commands whose disk is full: one sentence, and nothing that was half done."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from orders_service.cli import cli

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres import Database


@pytest.mark.parametrize("before", ["", "\n"])
def test_a_token_that_cant_be_written_lets_nobody_in_and_its_name_is_free(
    fresh_database: Database, tmp_path: Path, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "worker.token"
    if before:
        path.write_text(before)
    args = ("tokens", "add", "worker-1", "--role", "worker", "--account", "a", "--to", str(path))

    def is_full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", is_full)
        result = CliRunner().invoke(cli, args, env=fresh_database.env())
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "(No space left on device): the token worker-1 was revoked again. It was the first:" in result.stderr
    with fresh_database.connect() as connection:
        assert connection.execute("select count(*) from tokens where revoked_at is null").fetchall() == [(0,)]

    again = CliRunner().invoke(cli, args, env=fresh_database.env())
    assert again.exit_code == 0, again.stderr
    assert path.read_text().startswith("ost_")
    assert "holds the token worker-1 already" in CliRunner().invoke(cli, args, env=fresh_database.env()).stdout


def test_a_token_that_cant_be_revoked_again_either_is_told_with_the_way_out(
    fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_full(_: int) -> None:
        with fresh_database.connect() as connection:
            connection.execute(f'alter database "{fresh_database.name}" set default_transaction_read_only = on')
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() "
                "and datname = current_database()"
            )
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    args = ("tokens", "add", "x", "--role", "viewer", "--to", str(tmp_path / "token"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", is_full)
        result = CliRunner().invoke(cli, args, env=fresh_database.env())

    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert "nor could the token x be revoked again" in result.stderr
    assert "`orders-service tokens revoke x`" in result.stderr


def test_a_file_of_any_length_is_no_token_and_isnt_read_to_its_end(fresh_database: Database) -> None:
    args = ("tokens", "add", "x", "--role", "viewer", "--to", "/dev/zero")

    result = CliRunner().invoke(cli, args, env=fresh_database.env())

    assert (result.exit_code, "isn't overwritten" in result.stderr) == (1, True), result.stderr
