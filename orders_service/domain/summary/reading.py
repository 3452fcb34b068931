"""The forms' paths, in one place: from the XML's tree to a summary.

Elements are found by local name, one or many of each, and whatever isn't known is passed by: the registry changes its
forms, and its own files often break its own schemes.
"""

from __future__ import annotations

import dataclasses
import decimal
import json
import re
from typing import TYPE_CHECKING, Final

from orders_service.domain.summary.model import (
    Characteristic,
    Encumbrance,
    ExtractSummary,
    Holder,
    HoldersAnswer,
    OldNumber,
    RealEstate,
    Right,
)

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_FORM: Final = re.compile(r"(?:extract_about_property|extract_base_params)_\w+")
_RECORD: Final = re.compile(r"\w+_record")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_STATUS: Final = re.compile(r'.*имеют статус\s*[«"](.*)[»"]\.?', re.DOTALL)

#: Longer texts are cut: a permitted use may run over pages.
_MAX_TEXT: Final = 2000
#: Of each list; how many more there are is said.
_MAX_LIST: Final = 200
_MAX_HOLDERS: Final = 50
#: Of a summary as it is kept.
_MAX_CHARACTERS: Final = 1 << 20

#: What a structure is measured by, in the registry's own tags.
_MEASURES: Final = {
    "area": "площадь",
    "built_up_area": "площадь застройки",
    "extension": "протяженность",
    "depth": "глубина",
    "occurence_depth": "глубина залегания",
    "volume": "объем",
    "height": "высота",
}


def read_tree(root: Element) -> ExtractSummary | None:
    """Return the summary of an extract; None where the tree is something else."""
    record = next((child for child in root if _RECORD.fullmatch(child.tag)), None)
    if not _FORM.fullmatch(root.tag) or record is None:
        return None
    requisites = "details_statement/group_top_requisites"
    found = root.findall("right_records/right_record") or record.findall("right_records/right_record")
    rights = tuple(_read_right(right) for right in found[:_MAX_LIST])
    burdens = [
        burden for place in (root, record, *found) for burden in place.findall("restrict_records/restrict_record")
    ]
    summary = ExtractSummary(
        form=root.tag[:100],
        number=_text(root, f"{requisites}/registration_number"),
        formed_on=_date(root, f"{requisites}/date_formation"),
        requested_on=_date(root, "details_request/date_received_request"),
        issuer=_text(root, f"{requisites}/organ_registr_rights"),
        real_estate=_read_object(root, record),
        answer=_answer(rights),
        rights=rights,
        more_rights=max(0, len(found) - _MAX_LIST),
        encumbrances=tuple(_read_encumbrance(burden) for burden in burdens[:_MAX_LIST]),
        more_encumbrances=max(0, len(burdens) - _MAX_LIST),
    )
    if len(json.dumps(summary.as_json(), ensure_ascii=False)) <= _MAX_CHARACTERS:
        return summary
    # Nobody reads a table of this size; the extract itself has it.
    return dataclasses.replace(
        summary, rights=(), more_rights=len(found), encumbrances=(), more_encumbrances=len(burdens)
    )


def _answer(rights: tuple[Right, ...]) -> HoldersAnswer:
    if not rights:
        return HoldersAnswer.NONE
    return HoldersAnswer.NAMED if any(right.answer is HoldersAnswer.NAMED for right in rights) else HoldersAnswer.HIDDEN


def _read_object(root: Element, record: Element) -> RealEstate:
    status = _text(root, "status")
    words = _STATUS.fullmatch(status)
    uses = _texts(record, "params/permitted_use/permitted_use_established/by_document") or _texts(
        record, "params/permitted_use/permitted_use_established/land_use/value"
    )
    return RealEstate(
        cad_num=_text(record, "object/common_data/cad_number"),
        quarter=_text(record, "object/common_data/quarter_cad_number"),
        kind_code=_text(record, "object/common_data/type/code"),
        kind=_text(record, "object/common_data/type/value"),
        subtype=_text(record, "object/subtype/value"),
        name=_text(record, "params/name"),
        purpose=_text(record, "params/purpose/value") or _text(record, "params/purpose"),
        address=_text(record, ".//readable_address"),
        area=_number(record, "params/area/value") or _number(record, "params/area"),
        area_inaccuracy=_number(record, "params/area/inaccuracy"),
        characteristics=_read_characteristics(record),
        floor=_text(record, "location_in_build/level/floor")
        or _text(record, "location_in_build/level/floor_type/value"),
        floors=_text(record, "params/floors"),
        underground_floors=_text(record, "params/underground_floors"),
        year_built=_text(record, "params/year_built"),
        category=_text(record, "params/category/type/value"),
        permitted_uses=uses or _texts(record, "params/permitted_uses/permitted_use/name"),
        cost=_number(record, "cost/value"),
        registered_on=_date(record, "record_info/registration_date"),
        status=words[1] if words else status,
        parent_cad_nums=_texts(record, "cad_links/parent_cad_number/cad_number"),
        land_cad_nums=_texts(record, "cad_links/land_cad_numbers/land_cad_number/cad_number"),
        old_numbers=tuple(
            OldNumber(kind=_text(old, "number_type/value"), number=_text(old, "number"))
            for old in record.findall("cad_links/old_numbers/old_number")[:_MAX_LIST]
        ),
        notes=_text(record, "special_notes"),
    )


def _read_characteristics(record: Element) -> tuple[Characteristic, ...]:
    """Read the measures of a structure: three spellings are known."""
    main = "params/main_characteristics"
    found = [
        Characteristic(
            kind=_text(one, "type/value") or _text(one, "type"),
            value=_number(one, "value"),
            unit=_text(one, "unit/value") or _text(one, "unit"),
        )
        for one in (*record.findall(main), *record.findall(f"{main}/main_characteristic"))
    ]
    found += [
        Characteristic(kind=_MEASURES.get(measure.tag, measure.tag), value=_plain_number(_whole_text(measure)))
        for one in record.findall("params/base_parameters/base_parameter")
        for measure in one
    ]
    return tuple(one for one in found if one.value)[:_MAX_LIST]


def _read_right(right: Element) -> Right:
    holders = [_read_holder(one) for one in right.findall("right_holders/right_holder")]
    is_named = any(one.name for one in holders)
    return Right(
        kind_code=_text(right, "right_data/right_type/code"),
        kind=_text(right, "right_data/right_type/value"),
        number=_text(right, "right_data/right_number"),
        registered_on=_date(right, "record_info/registration_date"),
        ended_on=_date(right, "record_info/cancel_date"),
        share=_read_share(right),
        answer=HoldersAnswer.NAMED if is_named else HoldersAnswer.HIDDEN,
        holders=tuple(holders[:_MAX_HOLDERS]),
        more_holders=max(0, len(holders) - _MAX_HOLDERS),
    )


def _read_share(right: Element) -> str:
    shares = [
        f"{numerator}/{denominator}"
        for share in right.findall("right_data/shares/share")
        if (numerator := _text(share, "numerator")) and (denominator := _text(share, "denominator"))
    ]
    return ", ".join(shares[:_MAX_LIST]) or _text(right, "right_data/share_description")


def _read_encumbrance(burden: Element) -> Encumbrance:
    data = "restrictions_encumbrances_data"
    parties = burden.findall("right_holders/right_holder") or burden.findall(
        "restrict_parties/restricted_rights_parties/restricted_rights_party/subject"
    )
    holders = [_read_holder(one) for one in parties]
    return Encumbrance(
        kind_code=_text(burden, f"{data}/restriction_encumbrance_type/code"),
        kind=_text(burden, f"{data}/restriction_encumbrance_type/value"),
        number=_text(burden, f"{data}/restriction_encumbrance_number"),
        registered_on=_date(burden, "record_info/registration_date"),
        period=_read_period(burden, f"{data}/period"),
        right_numbers=_texts(burden, f"{data}/restricting_rights/restricting_right/right_number"),
        holders=tuple(holders[:_MAX_HOLDERS]),
        more_holders=max(0, len(holders) - _MAX_HOLDERS),
    )


def _read_period(burden: Element, path: str) -> str:
    start, end = _date(burden, f"{path}/period_info/start_date"), _date(burden, f"{path}/period_info/end_date")
    words = _text(burden, f"{path}/period_info/deal_validity_time") or _text(burden, f"{path}/no_period_info")
    dates = " – ".join(one for one in (start, end) if one) if end else f"с {start}" if start else ""
    return ", ".join(one for one in (dates, words) if one)


def _read_holder(holder: Element) -> Holder:
    """Read who it is; one of five kinds, of which the deeper ones wrap another choice."""
    branch = next(iter(holder), None)
    if branch is None:
        return Holder(kind="undefined")
    kind = branch.tag[:50]
    if kind == "individual":
        names = (_text(branch, part) for part in ("surname", "name", "patronymic"))
        return Holder(kind=kind, name=" ".join(name for name in names if name))
    # Below, the wrapping differs from kind to kind: the names of the fields don't.
    name = next(
        (text for path in (".//full_name", ".//name/value", ".//name", ".//content") if (text := _text(branch, path))),
        "",
    )
    return Holder(kind=kind, name=name, inn=_text(branch, ".//inn"), ogrn=_text(branch, ".//ogrn"))


def _text(place: Element, path: str) -> str:
    """Return the text at the path; empty where there is none, or only elements."""
    return next((text for one in place.iterfind(path) if (text := _whole_text(one))), "")


def _texts(place: Element, path: str) -> tuple[str, ...]:
    found = dict.fromkeys(text for one in place.iterfind(path) if (text := _whole_text(one)))
    return tuple(found)[:_MAX_LIST]


def _whole_text(element: Element) -> str:
    text = " ".join((element.text or "").split())
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


def _date(place: Element, path: str) -> str:
    """Return the day of a date or a time, which carries the zone of whoever wrote it: the day is what was meant."""
    text = _text(place, path)
    return text[:10] if _DATE.match(text) else text


def _number(place: Element, path: str) -> str:
    return _plain_number(_text(place, path))


def _plain_number(text: str) -> str:
    """Return a decimal number with a point and no blanks; what isn't one stays as it is printed."""
    try:
        number = decimal.Decimal(re.sub(r"\s", "", text).replace(",", "."))
    except decimal.InvalidOperation:
        return text
    return f"{number:f}" if number.is_finite() and abs(number.adjusted()) < 30 else text
