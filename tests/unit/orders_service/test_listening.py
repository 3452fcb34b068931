"""Where the service listens, for whom, and by which certificate it is known."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from orders_service import errors
from orders_service.listening import Certificates, ListenSettings, TlsFiles, is_loopback
from orders_service.settings import Address
from tests.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

HOME = Address(host="127.0.0.1", port=5003)
OUTSIDE = Address(host="10.0.0.5", port=5003)
TLS = TlsFiles(cert_file="service.crt", key_file="service.key")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.5", False),
        ("example.org", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_only_what_this_machine_alone_reaches_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("has_tls", [False, True])
@pytest.mark.parametrize("has_token", [False, True])
@pytest.mark.parametrize("without_tls", [False, True])
@pytest.mark.parametrize("without_tokens", [False, True])
@pytest.mark.parametrize("place", ["home", "outside", "workers outside"])
def test_others_may_reach_the_service_only_with_tls_and_tokens_or_when_it_is_told_so(
    has_tls: bool, has_token: bool, without_tls: bool, without_tokens: bool, place: str
) -> None:
    listen = ListenSettings(
        address=OUTSIDE if place == "outside" else HOME,
        workers=OUTSIDE if place == "workers outside" else None,
        tls=TLS if has_tls else None,
        is_insecure_without_tls=without_tls,
        is_insecure_without_tokens=without_tokens,
    )
    is_safe = place == "home" or ((has_tls or without_tls) and (has_token or without_tokens))

    if is_safe:
        listen.check(is_any_token=has_token)
    else:
        with pytest.raises(errors.Unsafe, match=r"--insecure-without-(tls|tokens)"):
            listen.check(is_any_token=has_token)
    assert listen.is_token_required == (place != "home" and not without_tokens)


@pytest.mark.parametrize(
    ("cert_file", "key_file", "client_ca_file", "words"),
    [
        ("{cert}", None, None, "--tls-cert-file and --tls-key-file belong together"),
        (None, None, "{cert}", "--tls-cert-file and --tls-key-file belong together"),
        ("/nowhere", "{key}", None, "--tls-cert-file names '/nowhere'"),
        ("{cert}", "/nowhere", None, "--tls-key-file names '/nowhere'"),
        ("{cert}", "{key}", "/nowhere", "--tls-client-ca-file names '/nowhere'"),
        ("{key}", "{key}", None, "which holds no certificate"),
        ("{cert}", "{cert}", None, "which holds no key"),
        ("{cert}", "{other}", None, "which isn't the key of"),
    ],
)
def test_files_that_cant_be_used_are_named(
    tmp_path: Path, cert_file: str | None, key_file: str | None, client_ca_file: str | None, words: str
) -> None:
    authority = Authority(tmp_path)
    (cert, key), (_, other) = authority.sign("localhost"), authority.sign("other")
    given = (one and one.format(cert=cert, key=key, other=other) for one in (cert_file, key_file, client_ca_file))

    with pytest.raises(errors.SettingsInvalid, match=words):
        files = TlsFiles.read_options(*given)
        assert files is not None
        Certificates(files)


def test_a_certificate_that_ends_soon_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = Authority(tmp_path).equip("localhost")  # it lives for a day
    certificates = Certificates(TlsFiles(cert_file=str(files.cert_file), key_file=str(files.key_file)))
    caplog.set_level(logging.WARNING)

    for _ in range(3):
        certificates.tell_of_end()

    assert [record.event for record in caplog.records] == ["certificate_ends"]  # type: ignore[attr-defined]


def test_renewed_files_are_shown_and_broken_ones_left_aside(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    first = authority.equip("localhost")
    certificates = Certificates(TlsFiles(cert_file=str(first.cert_file), key_file=str(first.key_file)))
    ends_at = certificates.ends_at
    assert certificates._renewed() is None

    first.key_file.write_text("rubbish")
    assert certificates._renewed() is None
    assert certificates.ends_at == ends_at

    authority.sign("localhost")  # into the same files
    assert certificates._renewed() is not None
    assert certificates._renewed() is None
