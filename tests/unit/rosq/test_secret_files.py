"""Secrets may lie in files that the environment names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rosq import InvalidSettings, RedisSettings
from rosq.redis_settings import SECRETS
from rosq.secret_files import SecretFiles

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("PASSWORD",)


def written(folder: Path, text: bytes) -> str:
    path = folder / "secret"
    path.write_bytes(text)
    return str(path)


@pytest.mark.parametrize("text", [b"hush", b"hush\n", b"hush\r\n", b"\xef\xbb\xbfhush\n"])
def test_a_file_says_what_the_variable_would(tmp_path: Path, text: bytes) -> None:
    environ = SecretFiles({"PASSWORD_FILE": written(tmp_path, text)}, NAMES)

    assert environ["PASSWORD"] == environ.get("PASSWORD") == "hush"


def test_blanks_belong_to_the_secret(tmp_path: Path) -> None:
    assert SecretFiles({"PASSWORD_FILE": written(tmp_path, b" hush \n")}, NAMES)["PASSWORD"] == " hush "


def test_a_secret_of_several_lines_keeps_them(tmp_path: Path) -> None:
    assert SecretFiles({"PASSWORD_FILE": written(tmp_path, b"one\ntwo\n")}, NAMES)["PASSWORD"] == "one\ntwo"


def test_a_variable_without_a_file_is_as_it_was_given() -> None:
    environ = SecretFiles({"PASSWORD": "hush", "PASSWORD_FILE": "", "OTHER_FILE": "/nowhere"}, NAMES)

    assert environ["PASSWORD"] == "hush"
    assert environ.get("OTHER") is None
    assert dict(environ) == {"PASSWORD": "hush", "PASSWORD_FILE": "", "OTHER_FILE": "/nowhere"}


def test_both_at_once_are_refused_naming_both(tmp_path: Path) -> None:
    environ = SecretFiles({"PASSWORD": "hush", "PASSWORD_FILE": written(tmp_path, b"other")}, NAMES)

    with pytest.raises(InvalidSettings, match="PASSWORD and PASSWORD_FILE are both set") as caught:
        environ.get("PASSWORD")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"\n", b"\xff\xfe", b"x" * 70_000])
def test_what_holds_no_secret_is_refused_without_showing_it(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(InvalidSettings, match=r"PASSWORD_FILE names .*, which holds no secret"):
        SecretFiles({"PASSWORD_FILE": written(tmp_path, text)}, NAMES)["PASSWORD"]


def test_a_file_that_is_missing_is_named() -> None:
    with pytest.raises(InvalidSettings, match=r"PASSWORD_FILE names '/nowhere/at/all', .*No such file"):
        SecretFiles({"PASSWORD_FILE": "/nowhere/at/all"}, NAMES)["PASSWORD"]


@pytest.mark.parametrize("name", SECRETS)
def test_each_secret_of_redis_may_lie_in_a_file(tmp_path: Path, name: str) -> None:
    secret = "redis://:hush@redis" if name == "REDIS_URL" else "hush"
    more = {"REDIS_SENTINELS": "a:1", "REDIS_SENTINEL_MASTER": "m"} if "SENTINEL" in name else {}

    by_file = RedisSettings.from_env({f"{name}_FILE": written(tmp_path, secret.encode()), **more})

    assert by_file == RedisSettings.from_env({name: secret, **more})
