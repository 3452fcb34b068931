"""The person who orders: name, contacts and passport, as the statement needs them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.portal.errors import AccountUnusable, Lack, UnreadableAnswer

if TYPE_CHECKING:
    from worker.portal.login.session import Session
    from worker.portal.wire.shapes import Node

_PASSPORT = "RF_PASSPORT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passport:
    """The document that goes with a statement. Personal data: memory only, and not in `repr`."""

    series: str = field(repr=False)
    number: str = field(repr=False)
    #: In the portal's own format, passed through untouched.
    issue_date: str = field(repr=False)
    issuer: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declarant:
    """The account's person. Personal data: memory only, and nothing but the oid in `repr`."""

    #: The person and role that act.
    person_oid: str
    first_name: str = field(repr=False)
    last_name: str = field(repr=False)
    #: Empty where the person has none.
    middle_name: str = field(repr=False)
    snils: str = field(repr=False)
    email: str = field(repr=False)
    phone: str = field(repr=False)
    passport: Passport = field(repr=False)


def read_declarant(session: Session) -> Declarant:
    """Return the person as the portal showed them at login; this costs no call of its own.

    Raises:
        AccountUnusable: The profile has no Russian passport, or lacks a field that the statement needs: every order
            would be refused for it.
        UnreadableAnswer: The profile has another shape.
        What `Session.ensure_open` raises.
    """
    profile = session.profile()
    try:
        return _read(session, profile)
    except (AccountUnusable, UnreadableAnswer) as exc:
        # It is mended at the portal, where nobody tells us: the next time it is read anew.
        session.forget_profile()
        exc.step = "profile"
        raise


def _read(session: Session, profile: Node) -> Declarant:
    person = profile.field("attributesOauth")
    declarant = {
        "first_name": person.find_text("firstName"),
        "last_name": person.find_text("lastName"),
        "snils": person.find_text("snils") or profile.find_text("snils"),
        "email": person.find_text("email") or profile.find_text("email"),
        "phone": person.find_text("phone") or profile.find_text("phone"),
    }
    passport = _find_passport(person)
    missing = [name for name, value in declarant.items() if not value.strip()]
    if missing:
        raise AccountUnusable(
            f"The person's profile at the portal lacks {', '.join(missing)}: complete it there.", lack=Lack.PROFILE
        )
    return Declarant(
        person_oid=session.person_oid(), middle_name=person.find_text("middleName"), passport=passport, **declarant
    )


def _find_passport(person: Node) -> Passport:
    documents = person.find("documents")
    elements = None if documents is None else documents.find("elements")
    # By type: the first document may be another one.
    for document in () if elements is None else elements.items():
        if document.find_text("type") != _PASSPORT:
            continue
        values = {
            "number": document.find_text("number"),
            "issue_date": document.find_text("issueDate"),
            "issuer": document.find_text("issuedBy"),
        }
        missing = [name for name, value in values.items() if not value.strip()]
        if missing:
            raise AccountUnusable(
                f"The person's passport at the portal lacks {', '.join(missing)}: complete it there.",
                lack=Lack.PASSPORT,
            )
        return Passport(series=document.find_text("series"), **values)
    raise AccountUnusable(
        "The person's profile at the portal has no Russian passport: add it there.", lack=Lack.PASSPORT
    )
