"""Papers that come in place of an extract: notices, a refusal, other extracts, forms of the time before 2021."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from worker.simulator import cadnum
from worker.simulator.clock import MOSCOW
from worker.simulator.papers.xml import branch, heading, leaf, to_bytes

if TYPE_CHECKING:
    from worker.simulator.books import Application
    from worker.simulator.objects import PropertyObject
    from worker.simulator.people import Person

_ABSENT = "В Едином государственном реестре недвижимости отсутствуют сведения."


def absence(application: Application, receiver: Person) -> bytes:
    """A notice that names its object in an element of its own. The root is misspelled at the registry, too."""
    root = ElementTree.Element("exract_notice_absence_request_info_12")
    heading(root, application)
    leaf(root, "notice_information/cad_number", application.cadastral_number)
    leaf(root, "notice_information/text", _ABSENT)
    leaf(root, "recipient_statement", receiver.full_name)
    return to_bytes(root)


def absence_in_words(application: Application, receiver: Person, *, cad_num: str | None, form: int = 12) -> bytes:
    """A notice that names its object in a sentence, as the real ones do; None: names none at all."""
    root = ElementTree.Element(f"exract_notice_absence_request_info_{form}")
    heading(root, application)
    about = f", кадастровый номер: {cad_num}, адрес: г. Тестовск" if cad_num is not None else ""
    leaf(root, "details_request/content_request", f"Выписка из ЕГРН об объекте недвижимости{about}.")
    leaf(root, "notice_information/text", _ABSENT)
    leaf(root, "recipient_statement", receiver.full_name)
    return to_bytes(root)


def refusal(application: Application, receiver: Person) -> bytes:
    """A decision not to provide what was asked for."""
    root = ElementTree.Element("exract_decision_refuse_provide_info")
    heading(root, application)
    said = f"Выписка из ЕГРН об объекте недвижимости, кадастровый номер: {application.cadastral_number}."
    leaf(root, "details_request/content_request", said)
    leaf(root, "decision/reason", "Запрос не соответствует требованиям.")
    leaf(root, "recipient_statement", receiver.full_name)
    return to_bytes(root)


def plan_of_quarter(application: Application, receiver: Person) -> bytes:
    """The plan of the object's cadastral quarter: a good paper, about another thing."""
    root = ElementTree.Element("extract_cadastral_plan_territory")
    heading(root, application)
    block = branch(root, "cadastral_blocks/cadastral_block")
    leaf(block, "cadastral_number", cadnum.quarter_of(application.cadastral_number))
    record = branch(block, "record_data/base_data/land_records/land_record/object/common_data")
    leaf(record, "cad_number", application.cadastral_number)
    leaf(root, "recipient_statement", receiver.full_name)
    return to_bytes(root)


def transfer_of_rights(application: Application, found: PropertyObject, receiver: Person) -> bytes:
    """An extract about the transfer of rights: of the same object, but not the one that was ordered."""
    root = ElementTree.Element("extract_transfer_rights_property")
    heading(root, application)
    leaf(root, f"base_data/{found.kind.record}/object/common_data/cad_number", found.cad_num)
    leaf(root, "recipient_statement", receiver.full_name)
    return to_bytes(root)


def cadastral_value(application: Application, found: PropertyObject, receiver: Person) -> bytes:
    """An extract about the cadastral value alone."""
    root = ElementTree.Element("extract_cadastral_value_property")
    heading(root, application)
    leaf(root, "cadastral_cost/object/cad_number", found.cad_num)
    leaf(root, "cadastral_cost/value", f"{found.price:.2f}")
    leaf(root, "recipient_statement", receiver.full_name)
    return to_bytes(root)


def form_before_2021(application: Application, found: PropertyObject, root_name: str) -> bytes:
    """A form of the old time: a namespace, the number in an attribute, other names for everything."""
    urn, version = OLD_FORMS[root_name]
    root = ElementTree.Element(root_name, {"xmlns": f"urn://x-artefacts-rosreestr-ru/outgoing/{urn}/{version}"})
    day = application.ready_at.astimezone(MOSCOW).date().isoformat()
    leaf(root, "CertificationDoc/Date", day)
    holder = branch(root, "Realty") if root_name in ("KPOKS", "KVOKS") else branch(root, "Parcels")
    ElementTree.SubElement(
        holder, "Building" if root_name in ("KPOKS", "KVOKS") else "Parcel", {"CadastralNumber": found.cad_num}
    )
    return to_bytes(root)


OLD_FORMS = {
    "KVZU": ("kvzu", "7.0.1"),
    "KPZU": ("kpzu", "6.0.1"),
    "KVOKS": ("kvoks", "3.0.1"),
    "KPOKS": ("kpoks", "4.0.1"),
    "Region_Cadastr_Vidimus_KP": ("kp", "5.0.1"),
}
