"""The rules of the cadastral number: every vector that is known of it, and the corners where money would be lost."""

from __future__ import annotations

import pickle
import time

import pytest

from orders_service import cadastral

VALID = [
    "77:01:0001001:1001",
    "77:01:0001001:1",
    "78:13:0007410:22",
    "50:20:0030112:999999",
    "50:33:0000000:98001",
    "34:00:000000:97001",
    "50:00:0000000:12",
    "01:08:0500000:77",
    "02:55:010101:5",
    "16:50:011820:12345",
    "21:02:010106:333",
    "23:43:0101001:87654321",
    "24:50:0100001:1234567",
    "26:12:022704:900",
    "30:04:000000:201",
    "38:06:144003:4700",
    "39:15:110801:15",
    "47:07:1047003:6",
    "52:18:0060001:1010",
    "54:35:101001:44",
    "55:36:000000:158000",
    "59:01:0000000:80000",
    "61:44:0040713:440",
    "63:01:0000000:5",
    "66:41:0000000:123456789",
    "68:29:0101048:180",
    "76:23:010101:2",
    "86:10:0101000:8000",
    "90:25:010101:3",
    "91:01:001001:700",
]

ACCEPTED_SILENTLY = [
    "77：01：0001001：5",
    "77 :01:0001001:5",
    "77:01:0001001:5\n",
    "\u00a077:01:0001001:5",
    "７７:01:0001001:5",
    "КН 77:01:0001001:5",
    "77\u223601\u02d00001001\ua7895",
    "\ufeff77:01:00\u200b01001:5\u00ad",
    "77:01:000 1001:5",
    "77:\u202f01:\u20090001001:\u30005",
    "77:01:\r\n0001001:\t5",
    "«77:01:0001001:5»",
    '"77:01:0001001:5"',
    '"77:01:0001001:5",',
    '"77:01:0001001:5;"',
    "кад. № 77:01:0001001:5",
    "Кадастровый номер: 77:01:0001001:5.",
    "кадастровый  номер «77:01:0001001:5»",
]

REFUSED_WITH_SUGGESTION = [
    ("77:01:0001001:01", "77:01:0001001:1"),
    ("7:01:0001001:5", "07:01:0001001:5"),
    ("77:1:0001001:5", "77:01:0001001:5"),
    ("77:01:0001001:5/1", "77:01:0001001:5"),
    ("77:01:0001001:5/чзу1", "77:01:0001001:5"),
    ("77:01:0001001:5(1)", "77:01:0001001:5"),
    ("77:01:0001001:5-77/051/2024-1", "77:01:0001001:5"),
    ("77-01-0001001-5", "77:01:0001001:5"),
    ("77:01:0001001;5", "77:01:0001001:5"),
    ("77:01:0001OO1:5", "77:01:0001001:5"),
    ("77:01:000100З:5", "77:01:0001003:5"),
    ("77:01:00о1001:5", "77:01:0001001:5"),
    ("77:01:000100l:5", "77:01:0001001:5"),
    ("77_01_0001001_5", "77:01:0001001:5"),
    ("77.01.0001001.5", "77:01:0001001:5"),
    ("77/01/0001001/5", "77:01:0001001:5"),
    ("77 01 0001001 5", "77:01:0001001:5"),
    ("77:01:000б00В:1|", "77:01:0006008:11"),
    ("1:8:0500000:077", "01:08:0500000:77"),
]

REFUSED = [
    ("", "empty"),
    (" \n", "empty"),
    ("77:01:0001001", "quarter"),
    ("77:01:0001001:", "lacks the object's number"),
    ("77:01:0001001:0", "object number 0"),
    ("77:01:00010:5", "5 digits in its third group"),
    ("77:01:00010011:5", "8 digits in its third group"),
    ("077:01:0001001:5", "3 digits in its first group"),
    ("77:001:0001001:5", "3 digits in its second group"),
    ("77:01:0001001:5:6", "5 groups"),
    ("77-77-05/001/2007-695", "условный номер"),
    ("50:00-6.56", "border or zone"),
    ("٧٧:01:0001001:5", "isn't a cadastral number"),
    ("77:01:0001001:1234567890", "10 digits"),
    ("КУВИ-001/2026-00000001", "request or an extract"),
    ("OfSite-2026-01-15-123456-77-01", "request or an extract"),
    ("0:0:0:5", "ask a person"),
    ("00:00:0000000:5", "ask a person"),
    ("77:01:0001001:5-8", "isn't a cadastral number"),
    ("77:01:0001001:⁵", "isn't a cadastral number"),
    ("77-05-04001-015", "old number"),
    ("М-05-014404", "old number"),
    ("40:27:040101:0036:3033/ВТ:1000", "old number"),
    ("63:01:0303001:0000:1//0:44", "old number"),
    ("77:77:05/001/2007:695", "условный номер"),
    ("2-1234/56", "условный номер"),
    ("26:29-6.395-ЧЗУ1", "border or zone"),
    (":ЗУ1", "образуемый участок"),
    ("77:01:0001001:ЗУ1", "образуемый участок"),
    ("77:01:0001001:5:ЗУ1", "образуемый участок"),
    ("50:26:016:0201:1275", "5 groups"),
    ("77:01:1001", "3 groups"),
    ("1.00E+03", "isn't a cadastral number"),
    ("05:01:01", "3 groups"),
    ("664106120031", "1 group"),
    ("66:41:061-2003:13", "isn't a cadastral number"),
]


def test_the_vectors_are_complete():
    assert len(VALID) == len(set(VALID)) == 30


@pytest.mark.parametrize("number", VALID)
def test_a_strict_number_is_accepted_as_it_is(number):
    assert cadastral.parse(number) == number


@pytest.mark.parametrize("text", ACCEPTED_SILENTLY)
def test_what_loses_no_information_is_normalised_silently(text):
    assert cadastral.parse(text) == "77:01:0001001:5"


@pytest.mark.parametrize(("text", "suggestion"), REFUSED_WITH_SUGGESTION)
def test_what_could_change_a_digit_is_only_suggested(text, suggestion):
    with pytest.raises(cadastral.CadNumError) as caught:
        cadastral.parse(text)

    assert caught.value.suggestion == suggestion
    assert cadastral.parse(suggestion) == suggestion
    assert str(caught.value).endswith(f"Did you mean {suggestion}?")
    assert caught.value.parts == ()


@pytest.mark.parametrize(("text", "words"), REFUSED)
def test_what_is_no_number_is_refused_with_its_reason_and_no_suggestion(text, words):
    with pytest.raises(cadastral.CadNumError) as caught:
        cadastral.parse(text)

    assert words in caught.value.reason
    assert caught.value.suggestion is None
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "77:01:0001001:5, 77:01:0001001:6",
        "77:01:0001001:5; 77:01:0001001:6;",
        "77:01:0001001:5\r\n77:01:0001001:6",
        "77:01:0001001:5 77:01:0001001:6",
        '"77:01:0001001:5, 77:01:0001001:6"',
    ],
)
def test_several_numbers_in_one_text_are_taken_apart(text):
    with pytest.raises(cadastral.CadNumError) as caught:
        cadastral.parse(text)

    assert cadastral.split(text) == ["77:01:0001001:5", "77:01:0001001:6"]
    assert caught.value.parts == ("77:01:0001001:5", "77:01:0001001:6")
    assert caught.value.suggestion is None


def test_a_wrong_piece_among_several_is_kept_for_its_own_error():
    assert cadastral.split("КН 77:01:0001001:5, 7:01:0001001:6, none") == [
        "КН 77:01:0001001:5",
        "7:01:0001001:6",
        "none",
    ]


@pytest.mark.parametrize("text", ["77:01:0001001;5", " 77:01:0001001:5, ", "77:01:0001001:5, кв. 3", "x"])
def test_a_text_with_fewer_than_two_numbers_stays_in_one_piece(text):
    assert cadastral.split(text) == [text.strip()]


def test_an_empty_cell_has_no_piece():
    assert cadastral.split(" \t\n") == []


def test_a_blank_in_the_objects_number_is_not_glued_silently():
    # `5 2` may be object 52, or object 5 and the number of copies.
    with pytest.raises(cadastral.CadNumError) as caught:
        cadastral.parse("77:01:0001001:5 2")

    assert caught.value.suggestion == "77:01:0001001:52"


@pytest.mark.parametrize("text", ["77:01:0001001:5\t2", "77:01:0001001:5\n2", "77:01:000100\n1:5"])
def test_a_cell_or_line_end_between_digits_is_refused_without_a_guess(text):
    with pytest.raises(cadastral.CadNumError, match="tab or a line end") as caught:
        cadastral.parse(text)

    assert caught.value.suggestion is None


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("50:20:0100711:40", "50:20:100711:40"),
        ("01:08:0500000:77", "1:8:500000:77"),
        ("34:00:000000:97001", "34:0:0:97001"),
        ("77:01:0001001:5", " 77：01：0001001：5 "),
    ],
)
def test_spellings_of_one_object_have_one_key(a, b):
    assert cadastral.comparison_key(a) == cadastral.comparison_key(b)
    assert cadastral.same_object(a, b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("50:20:0100711:40", "50:20:0100711:4"),
        ("50:20:0100711:40", "50:20:1007110:40"),
        ("50:20:0100711:40", "50:20:0100711"),
        ("", ""),
        ("none", "none"),
    ],
)
def test_different_or_unreadable_numbers_are_not_one_object(a, b):
    assert not cadastral.same_object(a, b)


def test_the_key_of_something_else_is_an_error_or_none():
    assert cadastral.find_key("77:01:0001001") is None
    with pytest.raises(cadastral.CadNumError, match="four numbers"):
        cadastral.comparison_key("77:01:0001001")


def test_the_key_drops_the_zeros_of_every_group():
    assert cadastral.comparison_key("01:00:0000000:5") == "1:0:0:5"


@pytest.mark.parametrize("text", ["7" * 100_000, " " * 100_000 + "x", ":" * 30_000, "1:1:1:1 " * 4_000, ", " * 16_000])
def test_a_huge_text_is_refused_at_once_and_repeated_in_part(text):
    started_s = time.monotonic()

    with pytest.raises(cadastral.CadNumError) as caught:
        cadastral.parse(text)

    assert time.monotonic() - started_s < 1
    assert len(str(caught.value)) < 300


def test_the_error_survives_a_way_to_another_process():
    with pytest.raises(cadastral.CadNumError) as caught:
        cadastral.parse("7:01:0001001:5")

    copy = pickle.loads(pickle.dumps(caught.value))

    assert (copy.reason, copy.suggestion, str(copy)) == (caught.value.reason, "07:01:0001001:5", str(caught.value))
