"""What an extract says, in short: every kind of object, the three answers about holders, and files that mean harm."""

from __future__ import annotations

import dataclasses
import json
import time

import pytest

from orders_service.domain.summary import ExtractSummary, HoldersAnswer, SummaryUnreadable, archive, read_summary
from tests.unit.orders_service.domain.summary import extracts as x


def summary(xml: bytes) -> ExtractSummary:
    return read_summary(x.extract_zip(xml))


@pytest.mark.parametrize("family", ["extract_about_property", "extract_base_params"])
@pytest.mark.parametrize("kind", list(x.PARAMS))
@pytest.mark.parametrize("encoding", ["UTF-8", "windows-1251"])
def test_every_kind_of_object_is_read(kind: str, family: str, encoding: str) -> None:
    read = summary(x.extract(kind, family=family, rights=x.right(x.COMPANY), encoding=encoding))

    estate = read.real_estate
    assert (read.form, read.number, read.formed_on, read.requested_on, read.issuer) == (
        f"{family}_{kind}",
        "КУВИ-001/2026-000000001",
        "2026-01-15",
        "2026-01-14",
        "ТЕСТОВЫЙ ФИЛИАЛ",
    )
    assert (estate.cad_num, estate.quarter, estate.kind_code) == ("77:01:0001001:1001", "77:01:0001001", "002001003000")
    assert (estate.address, estate.cost) == ("г. Тестовск, ул. Примерная, д. 1", "9876543.21")
    assert (estate.registered_on, estate.status) == ("2012-06-30", "актуальные, ранее учтенные")
    assert estate.parent_cad_nums == ("77:01:0001001:10",)
    assert estate.land_cad_nums == ("77:01:0001001:2", "77:01:0001001:3")
    assert [(old.kind, old.number) for old in estate.old_numbers] == [("Условный номер", "77-77-05/001/2007-695")]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("land", {"area": "1200.50", "area_inaccuracy": "12", "permitted_uses": ("для примера",)}),
        ("land", {"category": "Земли населенных пунктов", "subtype": "Землепользование"}),
        ("build", {"area": "42.4", "floors": "9", "underground_floors": "1", "year_built": "1987", "purpose": "Жилое"}),
        ("build", {"permitted_uses": ("жилое", "торговля"), "name": "Дом"}),
        ("room", {"area": "42.4", "area_inaccuracy": "", "name": "Квартира"}),
    ],
)
def test_what_differs_between_objects_is_read_from_its_own_place(kind: str, expected: dict[str, object]) -> None:
    estate = summary(x.extract(kind)).real_estate

    assert {name: getattr(estate, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("construction", [("протяженность", "1500", ""), ("площадь застройки", "20.0", "")]),
        ("under_construction", [("объем", "5", "куб. м")]),
        ("room", []),
    ],
)
def test_the_measures_of_a_structure_are_read(kind: str, expected: list[tuple[str, str, str]]) -> None:
    measures = summary(x.extract(kind)).real_estate.characteristics

    assert [(one.kind, one.value, one.unit) for one in measures] == expected


@pytest.mark.parametrize(
    ("holder", "kind", "name", "inn"),
    [
        (x.COMPANY, "legal_entity", 'ООО "ТЕСТ"', "7700000000"),
        (x.PERSON, "individual", "Тестов Тест Тестович", ""),
        (x.RUSSIA, "public_formation", "Российская Федерация", ""),
        (x.TOWN, "public_formation", "Город Тестовск", ""),
        (x.HIDDEN_PERSON, "individual", "", ""),
        (x.UNDEFINED, "undefined", "", ""),
        (x.EMPTY_HOLDER, "undefined", "", ""),
    ],
)
def test_who_holds_a_right_is_read(holder: str, kind: str, name: str, inn: str) -> None:
    [right] = summary(x.extract(rights=x.right(holder))).rights

    assert [(one.kind, one.name, one.inn) for one in right.holders] == [(kind, name, inn)]
    assert right.answer is (HoldersAnswer.NAMED if name else HoldersAnswer.HIDDEN)
    assert (right.kind, right.number) == ("Собственность", "77:01:0001001:1001-77/000/2020-1")
    assert right.registered_on == "2020-02-03"


@pytest.mark.parametrize(
    ("rights", "answer"),
    [
        (x.right(x.COMPANY), HoldersAnswer.NAMED),
        (x.right(x.HIDDEN_PERSON) + x.right(x.TOWN), HoldersAnswer.NAMED),
        (x.right(), HoldersAnswer.HIDDEN),
        (x.right(x.HIDDEN_PERSON), HoldersAnswer.HIDDEN),
        (x.right(x.UNDEFINED) + x.right(), HoldersAnswer.HIDDEN),
        ("", HoldersAnswer.NONE),
        (None, HoldersAnswer.NONE),
    ],
)
def test_the_three_answers_about_holders_stay_apart(rights: str | None, answer: HoldersAnswer) -> None:
    read = summary(x.extract(rights=rights))

    assert read.answer is answer
    assert ExtractSummary.from_json(read.as_json()) == read


def test_rights_inside_of_the_record_are_found_too() -> None:
    inside = f"<right_records>{x.right(x.COMPANY)}</right_records>"

    assert summary(x.extract(rights=None, extra=inside)).answer is HoldersAnswer.NAMED


@pytest.mark.parametrize(
    ("share", "read"),
    [
        ("", ""),
        ("<shares><share><numerator>1</numerator><denominator>2</denominator></share></shares>", "1/2"),
        ("<share_description>пропорционально площади</share_description>", "пропорционально площади"),
    ],
)
def test_a_share_is_read_as_it_is_written(share: str, read: str) -> None:
    assert summary(x.extract(rights=x.right(x.COMPANY, share=share))).rights[0].share == read


def test_an_encumbrance_is_read_with_who_has_it_and_what_it_burdens() -> None:
    [burden] = summary(x.extract(rights=x.right(x.COMPANY), burdens=x.MORTGAGE)).encumbrances

    assert (burden.kind, burden.number) == ("Ипотека", "77:01:0001001:1001-77/000/2021-2")
    assert (burden.registered_on, burden.period) == ("2021-03-04", "2021-03-04 – 2031-03-04")
    assert burden.right_numbers == ("77:01:0001001:1001-77/000/2020-1",)
    assert [(one.name, one.inn) for one in burden.holders] == [('ПАО "БАНК"', "7700000001")]


def test_nothing_of_a_person_is_kept_but_the_name() -> None:
    kept = json.dumps(summary(x.extract(rights=x.right(x.PERSON))).as_json(), ensure_ascii=False)

    assert "Тестов Тест Тестович" in kept
    for secret in ("4500", "123456", "654321", "1970", "000-000", "ПОЛУЧАТЕЛЬ"):
        assert secret not in kept


def test_namespaces_and_unknown_elements_are_passed_by() -> None:
    xml = x.extract(rights=x.right(x.COMPANY)).replace(
        b"<extract_about_property_room>", b'<extract_about_property_room xmlns="urn://x"><news><deep>1</deep></news>'
    )

    assert summary(xml).rights[0].holders[0].name == 'ООО "ТЕСТ"'


def test_geometry_of_any_size_is_passed_by() -> None:
    points = "".join(f"<ordinate><x>{n}</x><y>{n}</y></ordinate>" for n in range(5_000))
    geometry = f"<contours_location><contours><contour>{points}</contour></contours></contours_location>"

    read = summary(x.extract("land", rights=x.right(x.COMPANY), extra=geometry))

    assert read.rights[0].holders[0].name == 'ООО "ТЕСТ"'


def test_what_is_passed_by_costs_the_same_wherever_it_stands() -> None:
    many = 50_000
    kept, passed = b"<a/>" * many, b"<plans/>" * many

    def seconds(inside: bytes) -> float:
        xml = b"<extract_about_property_room><room_record>" + inside + b"</room_record></extract_about_property_room>"
        file = x.extract_zip(xml)
        before = time.process_time()
        read_summary(file)
        return time.process_time() - before

    # Looked for among its siblings each would cost as much as there are: more than a hundred times.
    assert seconds(kept + passed) < 20 * seconds(passed + kept)


def test_what_is_passed_by_leaves_nothing_behind_whatever_stands_beside_it() -> None:
    holder = x.COMPANY.replace("<right_holder>", "<right_holder><identity_docs><a/><b><c/></b></identity_docs>")

    assert summary(x.extract(rights=x.right(holder))).rights[0].holders[0].name == 'ООО "ТЕСТ"'


def test_a_house_with_more_rights_than_a_summary_holds_says_how_many_more() -> None:
    rights = x.right(*[x.COMPANY] * 60) + x.right(x.COMPANY) * 229

    read = summary(x.extract(rights=rights))

    assert (len(read.rights), read.more_rights) == (200, 30)
    assert (len(read.rights[0].holders), read.rights[0].more_holders) == (50, 10)


def test_a_summary_is_never_larger_than_a_database_likes() -> None:
    long = "<right_holder><legal_entity><entity><resident><name>" + "Х" * 3000
    rights = x.right(*[long + "</name></resident></entity></legal_entity></right_holder>"] * 50) * 12

    read = summary(x.extract(rights=rights))

    assert len(json.dumps(read.as_json(), ensure_ascii=False)) <= 1 << 20
    assert (read.rights, read.more_rights, read.answer) == ((), 12, HoldersAnswer.NAMED)


BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;">]>
<extract_about_property_room><room_record>&y;</room_record></extract_about_property_room>"""
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<extract_about_property_room><room_record>&x;</room_record></extract_about_property_room>"""


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        (BOMB, "what no extract needs"),
        (OUTSIDE, "what no extract needs"),
        (b"<a>" * 200 + b"</a>" * 200, "deeper than 100"),
        (b"<extract_about_property_room>", "broken"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "decoded|broken"),
        (b"<KVOKS/>", "its root is KVOKS"),
        (b"<extract_about_property_room/>", "no extract of the present forms"),
        (b"<extract_cadastral_plan_territory><x_record/></extract_cadastral_plan_territory>", "no extract"),
    ],
)
def test_what_is_no_extract_or_means_harm_has_no_summary(xml: bytes, words: str) -> None:
    with pytest.raises(SummaryUnreadable, match=words) as caught:
        summary(xml)

    assert len(str(caught.value)) < 300


def test_more_elements_than_any_extract_has_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_MAX_ELEMENTS", 1000)

    with pytest.raises(SummaryUnreadable, match="more than 1000 elements"):
        summary(b"<extract_about_property_room><room_record>" + b"<a/>" * 1001)


def test_a_damaged_archive_has_no_summary() -> None:
    file = x.extract_zip(x.extract())
    file.truncate(300)

    with pytest.raises(SummaryUnreadable):
        read_summary(file)


def test_what_is_kept_comes_back_the_same() -> None:
    read = summary(x.extract("build", rights=x.right(x.COMPANY) + x.right(), burdens=x.MORTGAGE))
    kept = json.loads(json.dumps(read.as_json()))

    assert ExtractSummary.from_json(kept) == read
    assert "more_rights" not in kept


@pytest.mark.parametrize("kept", [None, [], "x", {}, {"version": 99}, {"version": "1"}])
def test_what_was_never_a_summary_comes_back_as_none(kept: object) -> None:
    assert ExtractSummary.from_json(kept) is None


def test_a_summary_with_fields_that_do_not_fit_comes_back_without_them() -> None:
    kept = {
        "version": 1,
        "number": 5,
        "rights": "x",
        "answer": ["named"],
        "real_estate": {"area": {}, "new": 1},
        "new": 2,
    }

    assert ExtractSummary.from_json(kept) == dataclasses.replace(ExtractSummary(), answer=HoldersAnswer.NAMED)
