"""The XML of an extract, by type of object, and of a notice that there is nothing to extract from."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from worker.simulator import cadnum
from worker.simulator.clock import MOSCOW
from worker.simulator.objects import Holder, Kind

if TYPE_CHECKING:
    from worker.simulator.books import Application
    from worker.simulator.objects import PropertyObject
    from worker.simulator.people import Person

_ORGAN = "ТЕСТОВЫЙ ФИЛИАЛ"


def extract(application: Application, found: PropertyObject, receiver: Person, *, cad_num: str | None = None) -> bytes:
    """The extract of an object; `cad_num` prints another number in it than the ordered one."""
    printed = cad_num or found.cad_num
    root = ElementTree.Element(f"extract_about_property_{found.kind.family}")
    _heading(root, application)
    _record(root, found, printed)
    _rights(root, found, printed)
    ElementTree.SubElement(root, "restrict_records")
    _leaf(root, "recipient_statement", receiver.full_name)
    said = "погашенные" if found.is_annulled else "актуальные"
    _leaf(root, "status", f'Сведения об объекте недвижимости имеют статус "{said}"')
    return _bytes(root)


def notice(application: Application, receiver: Person) -> bytes:
    """The paper that comes instead of an extract when there is nothing to tell. Its root is misspelled there too."""
    root = ElementTree.Element("exract_notice_absence_request_info_12")
    _heading(root, application)
    _leaf(root, "notice_information/cad_number", application.cadastral_number)
    _leaf(root, "notice_information/text", "В Едином государственном реестре недвижимости отсутствуют сведения.")
    _leaf(root, "recipient_statement", receiver.full_name)
    return _bytes(root)


def register_number(application: Application) -> str:
    """The extract's own number; another thing than the request's."""
    day = application.ready_at.astimezone(MOSCOW)
    return f"КУВИ-001/{day.year}-{application.id % 1_000_000_000}"


def _heading(root: ElementTree.Element, application: Application) -> None:
    statement = "details_statement/group_top_requisites"
    _leaf(root, f"{statement}/organ_registr_rights", _ORGAN)
    _leaf(root, f"{statement}/date_formation", application.ready_at.astimezone(MOSCOW).date().isoformat())
    _leaf(root, f"{statement}/registration_number", register_number(application))
    received = application.created_at.astimezone(MOSCOW).date().isoformat()
    _leaf(root, "details_request/date_received_request", received)
    _leaf(root, "details_request/date_receipt_request_reg_authority_rights", received)


def _record(root: ElementTree.Element, found: PropertyObject, cad_num: str) -> None:
    record = ElementTree.SubElement(root, found.kind.record)
    _leaf(record, "record_info/registration_date", f"{found.registered_on.isoformat()}T00:00:00+04:00")
    common = _branch(record, "object/common_data")
    _leaf(common, "type/code", found.kind.code)
    _leaf(common, "type/value", found.kind.title)
    _leaf(common, "cad_number", cad_num)
    _leaf(common, "quarter_cad_number", cadnum.quarter_of(cad_num))
    if found.kind in (Kind.ROOM, Kind.PARKING_SPACE):
        _leaf(record, "cad_links/parent_cad_number/cad_number", f"{cadnum.quarter_of(cad_num)}:10")
    _params(record, found)
    if found.kind in (Kind.ROOM, Kind.PARKING_SPACE):
        _leaf(record, "address_room/address/address/readable_address", found.address)
        _leaf(record, "location_in_build/level/floor", str(found.number // 128 % 17 + 1))
    else:
        _leaf(record, "address_location/address/readable_address", found.address)
    _leaf(record, "cost/value", f"{found.price:.2f}")


def _params(record: ElementTree.Element, found: PropertyObject) -> None:
    params = ElementTree.SubElement(record, "params")
    main = found.characteristic
    if found.kind is Kind.LAND:
        assert main is not None
        _leaf(params, "area/value", str(main.value))
        _leaf(params, "area/inaccuracy", "1")
        _leaf(params, "category/type/code", "003002000000")
        _leaf(params, "category/type/value", "Земли населенных пунктов")
        _leaf(params, "permitted_use/permitted_use_established/by_document", "для размещения примера")
        return
    if main is not None and main.is_area:
        _leaf(params, "area", str(main.value))
    elif main is not None:
        _leaf(params, "main_characteristics/main_characteristic/type/value", main.title)
        _leaf(params, "main_characteristics/main_characteristic/value", str(main.value))
        _leaf(params, "main_characteristics/main_characteristic/unit/value", main.unit_title)
    is_flat = found.kind is Kind.ROOM
    _leaf(params, "name", "Квартира" if is_flat else found.kind.title)
    _leaf(params, "purpose/code", "206002000000" if is_flat else "206001000000")
    _leaf(params, "purpose/value", "Жилое" if is_flat else "Нежилое")
    if found.kind is Kind.BUILD:
        _leaf(params, "floors", str(found.number // 256 % 24 + 1))
        _leaf(params, "year_built", str(found.registered_on.year - 3))


def _rights(root: ElementTree.Element, found: PropertyObject, cad_num: str) -> None:
    records = ElementTree.SubElement(root, "right_records")
    if found.holder is Holder.NO_RIGHT:
        return
    right = ElementTree.SubElement(records, "right_record")
    _leaf(right, "record_info/registration_date", "2020-02-03T10:00:00+03:00")
    _leaf(right, "right_data/right_type/code", "001001000000")
    _leaf(right, "right_data/right_type/value", "Собственность")
    _leaf(right, "right_data/right_number", f"{cad_num}-{cadnum.district_of(cad_num)}/000/2020-1")
    holder = "right_holders/right_holder"
    if found.holder is Holder.COMPANY:
        company = _branch(right, f"{holder}/legal_entity/entity/resident")
        _leaf(company, "name", 'ООО "ТЕСТ"')
        _leaf(company, "inn", "0000000000")
    elif found.holder is Holder.MUNICIPALITY:
        _leaf(right, f"{holder}/public_formation/public_formation_type/municipality/name", "Город Тестовск")
    # A right whose holder is hidden from third parties has no holder element at all.


def _branch(parent: ElementTree.Element, path: str) -> ElementTree.Element:
    """The element at a path below the parent, made where it is missing."""
    for name in path.split("/"):
        child = parent.find(name)
        parent = ElementTree.SubElement(parent, name) if child is None else child
    return parent


def _leaf(parent: ElementTree.Element, path: str, text: str) -> None:
    _branch(parent, path).text = text


def _bytes(root: ElementTree.Element) -> bytes:
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()
