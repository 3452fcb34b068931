"""Whatever one slip makes of a number: what is accepted has the digits that were typed, in their order."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import pytest

from orders_service import cadastral
from orders_service.cadastral import number as reading
from tests.unit.orders_service.cadastral.test_number import VALID

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Digits, colons and their look-alikes, separators, blanks, letters like digits, marks, digits of other scripts.
CHARACTERS = "059:;,._-/\\ \t\n\u00a0\u200b\u3000：∶；ОOоЗзlІ|бВXчЗУ()№\"«»'٥५⁵²½−–"
STRICT = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{6,7}:[1-9][0-9]{0,8}")


def slips(number: str) -> Iterator[str]:
    """Every text that one wrong, missing, doubled or swapped character makes of a number."""
    for index in range(len(number) + 1):
        head, tail = number[:index], number[index:]
        yield head + tail[1:]
        yield head + tail[:1] * 2 + tail[1:]
        yield head + tail[1:2] + tail[:1] + tail[2:]
        for character in CHARACTERS:
            yield head + character + tail
            yield head + character + tail[1:]


def digits(text: str) -> str:
    """The digits and colons of a text, read without any of the product's code."""
    kept = (unicodedata.normalize("NFKC", one) for one in text if one not in "²⁵½")
    plain = "".join(kept).replace("∶", ":")
    return re.sub(r"[^0-9:]", "", plain)


@pytest.mark.parametrize("number", [VALID[0], VALID[8], VALID[24]])
def test_what_one_slip_makes_of_a_number_is_accepted_only_with_its_own_digits(number: str) -> None:
    accepted = refused = 0
    for text in slips(number):
        try:
            parsed = cadastral.parse(text)
        except cadastral.CadNumError as error:
            refused += 1
            assert error.suggestion is None or STRICT.fullmatch(error.suggestion), text
            assert error.suggestion is None or cadastral.parse(error.suggestion) == error.suggestion, text
            continue
        accepted += 1
        assert STRICT.fullmatch(parsed), text
        assert parsed == digits(text), text
    assert accepted > 100
    assert refused > 1000


@pytest.mark.parametrize("number", VALID)
def test_the_strict_spelling_is_what_a_careful_reading_finds(number: str) -> None:
    # With a blank beside it a number goes the long way.
    assert cadastral.parse(number) == cadastral.parse(f" {number}\n") == number
    assert cadastral.find_key(number) == cadastral.find_key(f"«{number}»")


def test_the_strict_spelling_is_not_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    for step in ("split", "clean", "explain"):
        monkeypatch.setattr(reading, step, None)

    assert cadastral.parse("77:01:0001001:5") == "77:01:0001001:5"
    assert cadastral.find_key("01:08:0500000:77") == "1:8:500000:77"


@pytest.mark.parametrize("number", ["00:00:0000000:5", "00:01:0001001:5"])
def test_the_strict_spelling_of_all_russia_goes_to_a_person(number: str) -> None:
    with pytest.raises(cadastral.CadNumError, match="ask a person"):
        cadastral.parse(number)
