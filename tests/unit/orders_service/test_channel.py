"""The way to the service, as the environment says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orders_service.channel.opening import _token_source
from orders_service.channel.settings import ChannelInvalid, ChannelSettings

if TYPE_CHECKING:
    from pathlib import Path


def test_nothing_said_means_plain_and_without_a_token() -> None:
    assert ChannelSettings.from_env({}) == ChannelSettings()
    assert _token_source(ChannelSettings()) is None


def test_a_token_shows_in_no_repr() -> None:
    assert "hush" not in repr(ChannelSettings.from_env({"ORDERS_SERVICE_TOKEN": "hush"}))


@pytest.mark.parametrize("token", ["a b", "a\nb", "ключ", "a\tb"])
def test_what_cant_stand_in_a_header_is_refused_without_repeating_it(token: str) -> None:
    with pytest.raises(ChannelInvalid, match="ORDERS_SERVICE_TOKEN is no access token") as caught:
        ChannelSettings.from_env({"ORDERS_SERVICE_TOKEN": token})

    assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"ORDERS_SERVICE_TLS": "2"}, "must be 1 or 0"),
        ({"ORDERS_SERVICE_TLS_CA_FILE": "ca.pem"}, "no TLS is asked for"),
        ({"ORDERS_SERVICE_TLS": "1", "ORDERS_SERVICE_TLS_CERT_FILE": "c.pem"}, "belong together"),
        ({"ORDERS_SERVICE_TLS": "1", "ORDERS_SERVICE_TLS_CA_FILE": "/nowhere/ca.pem"}, "can't be read"),
        ({"ORDERS_SERVICE_TOKEN": "a", "ORDERS_SERVICE_TOKEN_FILE": "b"}, "both set"),
        ({"ORDERS_SERVICE_TOKEN_FILE": "/nowhere/token"}, "can't be read"),
    ],
)
def test_what_contradicts_itself_or_isnt_there_is_named(environ: dict[str, str], words: str) -> None:
    with pytest.raises(ChannelInvalid, match=words):
        ChannelSettings.from_env(environ)


def test_a_token_in_a_file_is_read_again_when_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first\n")
    find = _token_source(ChannelSettings.from_env({"ORDERS_SERVICE_TOKEN_FILE": str(path)}))
    assert find is not None
    assert find() == "first"

    new = tmp_path / "new"
    new.write_text("second\n")
    new.replace(path)
    assert find() == "second"

    path.unlink()
    assert find() == "second", "while it is being replaced the one that we have may still be right"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no secret"),
        (b"two words\n", "holds no access token"),
        (b"\xff\xfe\n", "holds no secret"),
        (None, "No such file"),
    ],
)
def test_a_token_file_that_breaks_is_told_once_and_the_token_before_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes | None, words: str
) -> None:
    path = tmp_path / "token"
    path.write_text("first\n")
    find = _token_source(ChannelSettings.from_env({"ORDERS_SERVICE_TOKEN_FILE": str(path)}))
    assert find is not None
    assert find() == "first"

    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert [find() for _ in range(3)] == ["first"] * 3

    (record,) = caplog.records
    assert record.event == "token_file_broken"  # type: ignore[attr-defined]
    assert words in record.error  # type: ignore[attr-defined]
    assert "two words" not in caplog.text
    path.write_text("second\n")
    assert find() == "second"
