"""The statement (заявление): an unpaid draft at the portal until `finish` is called for it."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from worker.portal.errors import PortalSettingsInvalid, UnreadableAnswer
from worker.portal.wire.answers import Answer, decode_json
from worker.portal.wire.shapes import Node
from worker.portal.wire.transport import SEARCH_PAGE, Call

if TYPE_CHECKING:
    from worker.portal.login.session import Session
    from worker.portal.pages.profile import Declarant
    from worker.portal.pages.search import Characteristic

_TITLE: Final = "Предоставление сведений об объектах недвижимости и (или) их правообладателях"
_CATEGORY: Final = re.compile(r"[0-9]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementGuids:
    """The four ids that the client makes. Made once per order and account, journalled, and used for ever after."""

    super_package: str
    statement: str
    package: str
    draft: str

    @classmethod
    def make(cls) -> StatementGuids:
        """Return four fresh ids."""
        return cls(
            super_package=str(uuid.uuid4()),
            statement=str(uuid.uuid4()),
            package=str(uuid.uuid4()),
            draft=str(uuid.uuid4()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """All that one upload says.

    Raises:
        PortalSettingsInvalid: When built: the declarant category isn't twelve digits. It is a statement to the state
            and has no default.
    """

    guids: StatementGuids
    access_key: str = field(repr=False)
    declarant: Declarant
    #: The account's `specialDeclarantKind`, stated by its operator.
    declarant_category: str
    #: In the portal's spelling, as the search printed it.
    cad_num: str
    object_type: str
    characteristic: Characteristic

    def __post_init__(self) -> None:
        if not _CATEGORY.fullmatch(self.declarant_category):
            raise PortalSettingsInvalid(
                "The account's declarant category must be twelve digits, for example 357039000000"
                f" (правообладатель), not {self.declarant_category!r}."
            )

    def to_body(self) -> dict[str, object]:
        """Return the upload's body, field by field as the portal's own pages send it."""
        person, passport = self.declarant, self.declarant.passport
        return {
            "title": _TITLE,
            "superPackageGuid": self.guids.super_package,
            "statementGuid": self.guids.statement,
            "packageGuid": self.guids.package,
            "draftGuid": self.guids.draft,
            "sign": False,
            "dataType": {"code": "object"},
            "purpose": {
                "formType": "EGRNRequest",
                "actionCode": "659511111113",
                "statementType": "558630300000",
                "cadastralAction": "",
                "accessKey": self.access_key,
                "resourceType": "fgisEgrn",
            },
            "agreement": {"dataProcessingAgreement": True},
            "declarantKind": {"code": "declarant"},
            "declarantType": {"code": "person"},
            "deliveryAction": {"delivery": "785003000000", "linkEmail": person.email},
            "declarants": [
                {
                    "firstname": person.first_name,
                    "surname": person.last_name,
                    "patronymic": person.middle_name,
                    "countryInformation": "RUS",
                    "snils": person.snils,
                    "email": person.email,
                    "phoneNumber": person.phone,
                    "addresses": [],
                }
            ],
            "representative": [],
            "attachments": [
                {
                    "documentTypeCode": "008001001000",
                    "documentParentCode": "008001000000",
                    "series": passport.series,
                    "number": passport.number,
                    "issueDate": passport.issue_date,
                    "issuer": passport.issuer,
                    "subjectType": "declarant",
                }
            ],
            "objects": [
                {
                    "objectTypeCode": self.object_type,
                    "cadastralNumber": self.cad_num,
                    "physicalProperties": [
                        {
                            "property": "area",
                            "propertyValue": self.characteristic.value,
                            "unittypearea": self.characteristic.unit_code,
                        }
                    ],
                }
            ],
            "uptodate": {"uptodateData": True},
            "specialDeclarantKind": {"code": self.declarant_category},
            "extractDataRequestType1": "101",
            "actionType": "info",
        }


def upload(session: Session, statement: Statement) -> None:
    """Upload the statement: nothing is paid by it. After any doubt, upload again with the same GUIDs.

    Raises:
        RequestRefused: The portal refuses what the statement says.
        UnreadableAnswer: It didn't echo our GUIDs: it can't be relied on that it has the statement.
        What `Session.call` raises.
    """
    sent = {
        "superPackageGuid": statement.guids.super_package,
        "statementGuid": statement.guids.statement,
        "packageGuid": statement.guids.package,
        "draftGuid": statement.guids.draft,
    }

    def read(answer: Answer) -> None:
        echo = Node(decode_json(answer), "upload:")
        for name, guid in sent.items():
            if echo.field(name).text().lower() != guid.lower():
                raise UnreadableAnswer(f"The portal's answer can't be read: upload shows another {name} than was sent.")

    session.call(
        Call(
            step="upload",
            method="POST",
            path="/account-request/statement/upload",
            body=statement.to_body(),
            referer=SEARCH_PAGE,
        ),
        read,
    )
