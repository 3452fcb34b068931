"""The person behind an account: made up, the same one each time, and plainly a test person."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

_LAST = ("ТЕСТОВ", "ПРИМЕРОВ", "ОБРАЗЦОВ", "МАКЕТОВ", "УСЛОВНЫЙ", "ПРОБНЫЙ")
_FIRST = ("ТЕСТ", "ПРИМЕР", "ОБРАЗЕЦ", "МАКЕТ")
_MIDDLE = ("ТЕСТОВИЧ", "ПРИМЕРОВИЧ", "ОБРАЗЦОВИЧ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passport:
    """The RF_PASSPORT of the profile; an order repeats these strings to the letter."""

    series: str
    number: str
    issue_date: str
    issued_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What `profile/info` tells about the account's owner."""

    profile_id: int
    last_name: str
    first_name: str
    middle_name: str | None
    snils: str
    email: str
    phone: str
    passport: Passport | None

    #: The one that a test can give back after it took it away.
    papers: Passport

    def with_passport(self, has_passport: bool) -> Person:
        """The same person with a passport in the profile, or without."""
        return replace(self, passport=self.papers if has_passport else None)

    @property
    def full_name(self) -> str:
        """As the extract names its receiver."""
        return " ".join(part for part in (self.last_name, self.first_name, self.middle_name) if part)


def digest(*parts: object) -> int:
    """A big number that depends on the parts only: what stands for chance where things must come out the same again."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def oid_of(seed: int, username: str, index: int = 0) -> str:
    """The ESIA oid of an account's role, ten digits."""
    return str(1_000_000_000 + digest(seed, "oid", username, index) % 900_000_000)


def person_of(seed: int, username: str, *, has_passport: bool, has_middle_name: bool) -> Person:
    """The one person that this account belongs to."""
    number = digest(seed, "person", username)
    passport = Passport(
        series=f"{number % 10_000:04d}",
        number=f"{number // 10_000 % 1_000_000:06d}",
        issue_date="15.01.2015",
        # The two spaces are meant: who trims or folds the profile's strings sends other strings than the portal has.
        issued_by="ТЕСТОВЫМ ОТДЕЛОМ  ПО Г. ТЕСТОВСКУ",
    )
    mailbox = "".join(char if char.isascii() and char.isalnum() else "-" for char in username)
    return Person(
        profile_id=100_000 + number % 900_000,
        last_name=_LAST[number % len(_LAST)],
        first_name=_FIRST[number // 7 % len(_FIRST)],
        middle_name=_MIDDLE[number // 49 % len(_MIDDLE)] if has_middle_name else None,
        snils=f"000-000-{number % 1000:03d} 00",
        email=f"{mailbox}@example.test",
        phone=f"+7(000)000{number % 10_000:04d}",
        passport=passport if has_passport else None,
        papers=passport,
    )
