"""Settings, credentials and statements that can't work are refused with one sentence when they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from worker.portal.errors import PortalSettingsInvalid
from worker.portal.login.credentials import Credentials, cookies_of, make_totp
from worker.portal.pages.profile import Declarant, Passport
from worker.portal.pages.search import Characteristic
from worker.portal.pages.statement import Statement, StatementGuids
from worker.portal.settings import PortalSettings

if TYPE_CHECKING:
    from pathlib import Path

# RFC 6238, appendix B: the SHA-1 secret, with the last six of eight digits.
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.mark.parametrize(
    ("url", "kept", "is_loopback", "is_encrypted"),
    [
        ("https://lk.rosreestr.ru", "https://lk.rosreestr.ru", False, True),
        (" https://lk.rosreestr.ru/ ", "https://lk.rosreestr.ru", False, True),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", True, False),
        ("http://localhost:1", "http://localhost:1", True, False),
        ("http://[::1]:80", "http://[::1]:80", True, False),
        ("http://simulator:8080", "http://simulator:8080", False, False),
        ("http://127.example.org", "http://127.example.org", False, False),
    ],
)
def test_the_portal_is_a_scheme_and_a_host(url: str, kept: str, is_loopback: bool, is_encrypted: bool) -> None:
    settings = PortalSettings(url=url)

    assert (settings.url, settings.is_loopback, settings.is_encrypted) == (kept, is_loopback, is_encrypted)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "lk.rosreestr.ru",
        "ftp://lk.rosreestr.ru",
        "https://",
        "https://user:secret@lk.rosreestr.ru",
        "https://lk.rosreestr.ru/path",
        "https://lk.rosreestr.ru?x=1",
        "https://lk.rosreestr.ru:99999",
        "https://lk.rosreestr.ru:0",
        "https://lk rosreestr.ru",
        "https://a..b",
        "https://[::1",
    ],
)
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(PortalSettingsInvalid, match="URL"):
        PortalSettings(url=url)


@pytest.mark.parametrize(
    "changes",
    [
        {"min_interval_s": -1},
        {"jitter_s": -1},
        {"daily_limit": -1},
        {"daily_limit": 29},
        {"jitter_s": float("inf")},
        {"min_interval_s": float("nan")},
        {"read_timeout_s": 0},
        {"finish_timeout_s": float("inf")},
        {"list_page_size": 0},
        {"user_agent": "a\nb"},
        {"package_type": ""},
    ],
)
def test_a_number_that_makes_no_sense_is_refused_by_name(changes: dict[str, Any]) -> None:
    with pytest.raises(PortalSettingsInvalid, match=next(iter(changes))):
        PortalSettings(**{"url": "http://127.0.0.1", **changes})


def test_a_ca_bundle_that_is_none_is_refused_with_what_to_give(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")

    for path in (tmp_path / "missing.pem", tmp_path / "empty.pem"):
        with pytest.raises(PortalSettingsInvalid, match="CA bundle"):
            PortalSettings(url="https://lk.rosreestr.ru", ca_bundle=path).make_ssl_context()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"password": ""},
        {"cookies": cookies_of({"a b": "c"})},
        {"cookies": cookies_of({"a": "b\r\nX: y"})},
        {"cookies": cookies_of({"a": "б"})},
        {"password": "x", "totp_secret": "1"},
        {"password": "x", "totp_secret": ""},
    ],
)
def test_credentials_that_cannot_work_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(PortalSettingsInvalid):
        Credentials(login="x", **changes)


def test_credentials_show_nothing_in_their_repr() -> None:
    shown = repr(
        Credentials(
            login="+70000000000", password="secret", cookies=cookies_of({"AUTH_TOKEN": "t"}), totp_secret=RFC_SECRET
        )
    )

    assert all(secret not in shown for secret in ("+7000", "secret", "AUTH_TOKEN", RFC_SECRET))


@pytest.mark.parametrize(
    ("at_s", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_one_time_codes_are_those_of_the_standard(at_s: int, code: str) -> None:
    assert make_totp(RFC_SECRET, at_s=at_s) == code
    assert make_totp(f" {RFC_SECRET.lower()}== ", at_s=at_s) == code


@pytest.mark.parametrize("category", ["", "357039", "35703900000a", "3570390000000", "３57039000000"])
def test_a_declarant_category_that_is_none_is_refused(category: str) -> None:
    passport = Passport(series="", number="1", issue_date="x", issuer="y")
    declarant = Declarant(
        person_oid="1",
        first_name="a",
        last_name="b",
        middle_name="",
        snils="1",
        email="e",
        phone="1",
        passport=passport,
    )

    with pytest.raises(PortalSettingsInvalid, match="declarant category"):
        Statement(
            guids=StatementGuids.make(),
            access_key="k",
            declarant=declarant,
            declarant_category=category,
            cad_num="77:01:0001001:1001",
            object_type="002001003000",
            characteristic=Characteristic(),
        )
