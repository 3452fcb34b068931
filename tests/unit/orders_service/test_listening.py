"""Where the service listens, for whom, and by which certificate it is known."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING

import pytest

from orders_service import errors
from orders_service.listening import Certificates, ListenSettings, TlsFiles, _Shown, is_loopback
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
        ("{cert}", "{key}", "{key}", "--tls-client-ca-file names .*, which holds no certificate"),
        ("{cert}", "{key}", "{empty}", "--tls-client-ca-file names .*, which holds no certificate"),
        ("{cert}", "{key}", "{binary}", "--tls-client-ca-file names .*, which holds no certificate"),
    ],
)
def test_files_that_cant_be_used_are_named(
    tmp_path: Path, cert_file: str | None, key_file: str | None, client_ca_file: str | None, words: str
) -> None:
    authority = Authority(tmp_path)
    (cert, key), (_, other) = authority.sign("localhost"), authority.sign("other")
    (empty := tmp_path / "empty").write_bytes(b"")
    (binary := tmp_path / "binary").write_bytes(bytes(range(256)))
    files_of = {"cert": cert, "key": key, "other": other, "empty": empty, "binary": binary}
    given = (one and one.format(**files_of) for one in (cert_file, key_file, client_ca_file))

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


def test_renewed_files_are_shown_and_broken_ones_left_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    authority = Authority(tmp_path)
    files = files_of(authority)
    # Two ports listen by the same files: each learns of a change.
    first, second = _Shown(files), _Shown(files)
    pems = first.pems
    assert not first.renew()

    key_file = tmp_path / "localhost.key"
    key_file.write_text("rubbish")
    assert not any(shown.renew() for shown in (first, first, second))
    assert first.pems == pems
    assert [record.event for record in caplog.records] == ["certificate_broken"] * 2, "once for each"  # type: ignore[attr-defined]

    authority.sign("localhost")  # into the same files
    for shown in (first, second):
        assert shown.renew()
        assert not shown.renew()


def files_of(authority: Authority, *, client_ca_file: Path | None = None) -> TlsFiles:
    cert_file, key_file = authority.sign("localhost")
    return TlsFiles(
        cert_file=str(cert_file), key_file=str(key_file), client_ca_file=str(client_ca_file) if client_ca_file else None
    )


def shake_hands(server: ssl.SSLContext, trusted: Path, own: tuple[Path, Path] | None = None) -> str:
    """What becomes of a caller by HTTP with this certificate, or none: `in`, or `out`."""
    client = ssl.create_default_context(cafile=str(trusted))
    if own is not None:
        client.load_cert_chain(*own)
    ways = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(ways[0], ways[1], server_hostname="localhost"),
        server.wrap_bio(ways[1], ways[0], server_side=True),
    )
    left = list(ends)
    try:
        for _ in range(10):
            for end in list(left):
                try:
                    end.do_handshake()
                except ssl.SSLWantReadError:
                    continue
                left.remove(end)
    except ssl.SSLError:
        return "out"
    return "out" if left else "in"


@pytest.fixture
def strangers(tmp_path: Path) -> Authority:
    folder = tmp_path / "strangers"
    folder.mkdir()
    return Authority(folder, "strangers")


def test_by_http_only_whoever_has_a_certificate_of_the_authority_gets_in(tmp_path: Path, strangers: Authority) -> None:
    authority = Authority(tmp_path)
    context = Certificates(files_of(authority, client_ca_file=authority.ca_file)).https_context()

    assert shake_hands(context, authority.ca_file, authority.sign("client")) == "in"
    assert shake_hands(context, authority.ca_file) == "out"
    assert shake_hands(context, authority.ca_file, strangers.sign("client")) == "out"


#: What somebody may put into the place of the service's files while it runs.
BREAKING: dict[str, dict[str, bytes | None]] = {
    "the authorities are rubbish": {"ca": b"rubbish"},
    "the authorities are empty": {"ca": b""},
    "the authorities aren't text": {"ca": bytes(range(256))},
    "the authorities are gone": {"ca": None},
    "the key is rubbish": {"key": b"rubbish"},
    "the key is gone": {"key": None},
    "the certificate is rubbish": {"cert": b"rubbish"},
    "all are rubbish": {"ca": b"rubbish", "key": b"rubbish", "cert": b"rubbish"},
}


@pytest.mark.parametrize("what", BREAKING)
def test_by_http_files_that_break_later_let_nobody_in_who_was_kept_out(
    tmp_path: Path, strangers: Authority, what: str
) -> None:
    authority = Authority(tmp_path)
    ca_file = tmp_path / "clients.pem"
    ca_file.write_bytes(authority.ca_file.read_bytes())
    files = files_of(authority, client_ca_file=ca_file)
    client = authority.sign("client")
    context = Certificates(files).https_context()
    places = {"ca": ca_file, "key": tmp_path / "localhost.key", "cert": tmp_path / "localhost.crt"}
    for name, content in BREAKING[what].items():
        if content is None:
            places[name].unlink()
        else:
            places[name].write_bytes(content)

    for _ in range(2):
        assert shake_hands(context, authority.ca_file) == "out"
        assert shake_hands(context, authority.ca_file, strangers.sign("client")) == "out"
        assert shake_hands(context, authority.ca_file, client) == "in", "as before"


def test_by_http_an_authority_that_was_taken_away_lets_nobody_in_any_more(tmp_path: Path, strangers: Authority) -> None:
    authority = Authority(tmp_path)
    ca_file = tmp_path / "clients.pem"
    ca_file.write_bytes(strangers.ca_file.read_bytes())
    context = Certificates(files_of(authority, client_ca_file=ca_file)).https_context()
    before, after = strangers.sign("client"), authority.sign("client")
    assert shake_hands(context, authority.ca_file, before) == "in"

    ca_file.write_bytes(authority.ca_file.read_bytes())

    assert shake_hands(context, authority.ca_file, before) == "out"
    assert shake_hands(context, authority.ca_file, after) == "in"
