"""The XML of an extract, by type of object."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from worker.simulator import cadnum
from worker.simulator.objects import Holder, Kind
from worker.simulator.papers.xml import branch, heading, leaf, to_bytes

if TYPE_CHECKING:
    from datetime import datetime

    from worker.simulator.books import Application
    from worker.simulator.objects import PropertyObject
    from worker.simulator.people import Person


def extract(
    application: Application,
    found: PropertyObject,
    receiver: Person,
    *,
    cad_num: str | None = None,
    family: str = "extract_about_property",
    formed_at: datetime | None = None,
) -> bytes:
    """The extract of an object; `cad_num` prints another number in it than the ordered one."""
    printed = cad_num or found.cad_num
    root = ElementTree.Element(f"{family}_{found.kind.family}")
    heading(root, application, formed_at=formed_at)
    _record(root, found, printed)
    _rights(root, found, printed)
    ElementTree.SubElement(root, "restrict_records")
    leaf(root, "recipient_statement", receiver.full_name)
    said = "погашенные" if found.is_annulled else "актуальные"
    leaf(root, "status", f'Сведения об объекте недвижимости имеют статус "{said}"')
    return to_bytes(root)


def _record(root: ElementTree.Element, found: PropertyObject, cad_num: str) -> None:
    record = ElementTree.SubElement(root, found.kind.record)
    leaf(record, "record_info/registration_date", f"{found.registered_on.isoformat()}T00:00:00+04:00")
    common = branch(record, "object/common_data")
    leaf(common, "type/code", found.kind.code)
    leaf(common, "type/value", found.kind.title)
    leaf(common, "cad_number", cad_num)
    leaf(common, "quarter_cad_number", cadnum.quarter_of(cad_num))
    if found.kind in (Kind.ROOM, Kind.PARKING_SPACE):
        leaf(record, "cad_links/parent_cad_number/cad_number", f"{cadnum.quarter_of(cad_num)}:10")
    _params(record, found)
    if found.kind in (Kind.ROOM, Kind.PARKING_SPACE):
        leaf(record, "address_room/address/address/readable_address", found.address)
        leaf(record, "location_in_build/level/floor", str(found.number // 128 % 17 + 1))
        leaf(record, "location_in_build/level/floor_type/value", "Этаж")
    else:
        leaf(record, "address_location/address/readable_address", found.address)
    leaf(record, "cost/value", f"{found.price:.2f}")


def _params(record: ElementTree.Element, found: PropertyObject) -> None:
    params = ElementTree.SubElement(record, "params")
    main = found.characteristic
    if found.kind is Kind.LAND:
        assert main is not None
        leaf(params, "area/value", str(main.value))
        leaf(params, "area/inaccuracy", "1")
        leaf(params, "category/type/code", "003002000000")
        leaf(params, "category/type/value", "Земли населенных пунктов")
        leaf(params, "permitted_use/permitted_use_established/by_document", "для размещения примера")
        return
    if main is not None and main.is_area:
        leaf(params, "area", str(main.value))
    elif main is not None:
        leaf(params, "main_characteristics/main_characteristic/type/value", main.title)
        leaf(params, "main_characteristics/main_characteristic/value", str(main.value))
        leaf(params, "main_characteristics/main_characteristic/unit/value", main.unit_title)
    is_flat = found.kind is Kind.ROOM
    leaf(params, "name", "Квартира" if is_flat else found.kind.title)
    leaf(params, "purpose/code", "206002000000" if is_flat else "206001000000")
    leaf(params, "purpose/value", "Жилое" if is_flat else "Нежилое")
    if found.kind is Kind.BUILD:
        leaf(params, "floors", str(found.number // 256 % 24 + 1))
        leaf(params, "year_built", str(found.registered_on.year - 3))


def _rights(root: ElementTree.Element, found: PropertyObject, cad_num: str) -> None:
    records = ElementTree.SubElement(root, "right_records")
    if found.holder is Holder.NO_RIGHT:
        return
    right = ElementTree.SubElement(records, "right_record")
    leaf(right, "record_info/registration_date", "2020-02-03T10:00:00+03:00")
    leaf(right, "right_data/right_type/code", "001001000000")
    leaf(right, "right_data/right_type/value", "Собственность")
    leaf(right, "right_data/right_number", f"{cad_num}-{cadnum.district_of(cad_num)}/000/2020-1")
    holder = "right_holders/right_holder"
    if found.holder is Holder.COMPANY:
        company = branch(right, f"{holder}/legal_entity/entity/resident")
        leaf(company, "name", 'ООО "ТЕСТ"')
        leaf(company, "inn", "0000000000")
    elif found.holder is Holder.MUNICIPALITY:
        leaf(right, f"{holder}/public_formation/public_formation_type/municipality/name", "Город Тестовск")
    # A right whose holder is hidden from third parties has no holder element at all.
