"""How every paper's XML is written: elements by path, the heading that all of them share, the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from worker.simulator.clock import MOSCOW

if TYPE_CHECKING:
    from datetime import datetime

    from worker.simulator.books import Application

_ORGAN = "ТЕСТОВЫЙ ФИЛИАЛ"


def register_number(application: Application) -> str:
    """The extract's own number; another thing than the request's."""
    day = application.ready_at.astimezone(MOSCOW)
    return f"КУВИ-001/{day.year}-{application.id % 1_000_000_000}"


def heading(root: ElementTree.Element, application: Application, *, formed_at: datetime | None = None) -> None:
    """Who formed the paper, when, under which number, and when it was asked for."""
    statement = "details_statement/group_top_requisites"
    leaf(root, f"{statement}/organ_registr_rights", _ORGAN)
    leaf(root, f"{statement}/date_formation", (formed_at or application.ready_at).astimezone(MOSCOW).date().isoformat())
    leaf(root, f"{statement}/registration_number", register_number(application))
    received = application.created_at.astimezone(MOSCOW).date().isoformat()
    leaf(root, "details_request/date_received_request", received)
    leaf(root, "details_request/date_receipt_request_reg_authority_rights", received)


def branch(parent: ElementTree.Element, path: str) -> ElementTree.Element:
    """The element at a path below the parent, made where it is missing."""
    for name in path.split("/"):
        child = parent.find(name)
        parent = ElementTree.SubElement(parent, name) if child is None else child
    return parent


def leaf(parent: ElementTree.Element, path: str, text: str) -> None:
    """Put a text at a path."""
    branch(parent, path).text = text


def to_bytes(root: ElementTree.Element) -> bytes:
    """The document in UTF-8."""
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()
