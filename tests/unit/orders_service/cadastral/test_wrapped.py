"""A number in foreign words: suggested where it is the only one, told as parts where there are several."""

from __future__ import annotations

import itertools

import pytest

from orders_service import cadastral

NUMBERS = ("77:01:0001001:5", "50:20:100711:40", "66:41:0000000:123456789")

BEFORE = (
    "к/н ",
    "к.н. ",
    "№ ",
    "К№ ",
    "КН; ",
    "КН ЗУ ",
    "Кадастровый (или условный) номер: ",
    "с кадастровым номером ",
    "(",
    "Объект:",
    "1. ",
    "Москва, ул. Лесная, д. 5, ",
    "участок\t",
    "номер\n",
)
AFTER = (
    " (снят с учета)",
    " кв. 5",
    ", кв. 3",
    ")",
    ":",
    " - жилой дом",
    "; собственность",
    "\nквартира",
    " В",
    "!",
)
#: What may belong to the number: a guess would name another object, or hide one.
DOUBTFUL_BEFORE = ("1", "О", "5:", "1.", "3-", "7/", "l")
DOUBTFUL_AFTER = (":6", ", 6", " и 6", "-8", " — 8", "/6/7", "х", " по 8", ":ЗУ1", "_2")


def refused(text: str) -> cadastral.CadNumError:
    with pytest.raises(cadastral.CadNumError) as caught:
        cadastral.parse(text)
    return caught.value


WRAPPED = [*((b, "") for b in BEFORE), *(("", a) for a in AFTER), *itertools.product(BEFORE, AFTER)]


@pytest.mark.parametrize(("before", "after"), WRAPPED)
def test_the_only_number_in_other_words_is_suggested_and_never_taken(before: str, after: str) -> None:
    for number in NUMBERS:
        error = refused(before + number + after)

        assert error.suggestion == number
        assert error.parts == ()


@pytest.mark.parametrize(("before", "after"), [*((b, "") for b in DOUBTFUL_BEFORE), *(("", a) for a in DOUBTFUL_AFTER)])
def test_what_may_belong_to_a_number_leaves_no_guess(before: str, after: str) -> None:
    text = f"объект {before}77:01:0001001:5{after} тут"

    assert refused(text).suggestion is None


@pytest.mark.parametrize("link", [" и ", ", а также ", " (было: ", " / ", " вместо "])
def test_several_numbers_in_other_words_are_told_as_parts(link: str) -> None:
    for first, second in itertools.permutations(NUMBERS, 2):
        error = refused(f"Участки {first}{link}{second} (снят с учета)")

        assert error.parts == (first, second)
        assert error.suggestion is None


def test_a_part_beside_a_number_keeps_its_own_error() -> None:
    error = refused("77:01:0001001:5/1 и 77:01:0001001:6, к тому же 7:01:0001001:8")

    assert error.parts == ("77:01:0001001:5/1", "77:01:0001001:6", "7:01:0001001:8")
    assert refused(error.parts[0]).suggestion == "77:01:0001001:5"


def test_a_number_named_twice_and_beside_its_quarter_is_one() -> None:
    text = "КН 77:01:0001001:5 в квартале 77:01:0001001, то есть 77:01:0001001:5"

    assert refused("квартал 77:01:0001001, КН 77:01:0001001:5").suggestion == "77:01:0001001:5"
    assert refused(text).parts == ()


def test_a_long_text_with_several_numbers_tells_them_too() -> None:
    text = "Прошу заказать " + " и ещё ".join(f"77:01:0001001:{number}" for number in range(1, 300))

    assert len(refused(text).parts) == 299


def test_times_and_dates_are_no_numbers() -> None:
    error = refused("с 10:00:00 до 12:30:00 и 1:2:3:4")

    assert (error.suggestion, error.parts) == (None, ())
