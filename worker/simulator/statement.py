"""The check of an uploaded statement, field by field. One that is missing, wrong or unknown is refused with 400."""

from __future__ import annotations

import re
import uuid
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from worker.simulator import errors
from worker.simulator.books import Draft

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.simulator.accounts import Account
    from worker.simulator.objects import ObjectRegistry, PropertyObject
    from worker.simulator.people import Person

TITLE = "Предоставление сведений об объектах недвижимости и (или) их правообладателях"
_DECLARANT_CATEGORY = re.compile(r"357[0-9]{9}")


def checked_draft(body: Mapping[str, object], *, account: Account, oid: str, objects: ObjectRegistry) -> Draft:
    """The statement as a draft.

    Raises:
        Refusal: 400; `field` is the path of the first wrong field.
    """
    form = Form(body)
    form.exact("title", TITLE)
    guids = [form.guid(name) for name in ("superPackageGuid", "statementGuid", "packageGuid", "draftGuid")]
    if len(set(guids)) != len(guids):
        raise wrong("draftGuid", "the four GUIDs must differ")
    form.exact("sign", False)
    form.part("dataType").only(code="object")
    _check_purpose(form.part("purpose"), _key_of(account, oid, "purpose.accessKey"))
    form.part("agreement").only(dataProcessingAgreement=True)
    form.part("declarantKind").only(code="declarant")
    form.part("declarantType").only(code="person")
    form.part("deliveryAction").only(delivery="785003000000", linkEmail=account.person.email)
    _check_declarant(form.single("declarants"), account.person)
    form.exact("representative", [])
    _check_attachment(form.single("attachments"), account.person)
    cadastral_number = _check_object(form.single("objects"), objects)
    form.part("uptodate").only(uptodateData=True)
    category = form.part("specialDeclarantKind")
    if not _DECLARANT_CATEGORY.fullmatch(category.text("code")):
        raise wrong("specialDeclarantKind.code", "must be a code of twelve digits that begins with 357")
    category.done()
    form.exact("extractDataRequestType1", "101")
    form.exact("actionType", "info")
    form.done()
    super_package_guid, statement_guid, package_guid, draft_guid = guids
    return Draft(
        account=account.username,
        oid=oid,
        super_package_guid=super_package_guid,
        statement_guid=statement_guid,
        package_guid=package_guid,
        draft_guid=draft_guid,
        cadastral_number=cadastral_number,
    )


def checked_finish(body: Mapping[str, object], *, account: Account, oid: str) -> str:
    """The package that a `finish` means.

    Raises:
        Refusal: 400; `field` is the path of the first wrong field.
    """
    form = Form(body)
    super_package_guid = form.guid("superPackageGuid")
    form.exact("esiaUserId", oid)
    form.exact("subjectObject", "")
    form.exact("packageType", "egrn_with_docs_1")
    form.exact("accessKey", _key_of(account, oid, "accessKey"))
    form.done()
    return super_package_guid


def _key_of(account: Account, oid: str, path: str) -> str:
    key = account.access_key(oid)
    if key is None:
        raise wrong(path, "the account has no access key")
    return key


def _check_purpose(purpose: Form, access_key: str) -> None:
    purpose.exact("cadastralAction", "", or_absent=True)  # One known client sends it, another doesn't.
    purpose.only(
        formType="EGRNRequest",
        actionCode="659511111113",
        statementType="558630300000",
        accessKey=access_key,
        resourceType="fgisEgrn",
    )


def _check_declarant(declarant: Form, person: Person) -> None:
    if person.middle_name is None:
        declarant.one_of("patronymic", ("", None), or_absent=True)
    else:
        declarant.exact("patronymic", person.middle_name)
    declarant.only(
        firstname=person.first_name,
        surname=person.last_name,
        countryInformation="RUS",
        snils=person.snils,
        email=person.email,
        phoneNumber=person.phone,
        addresses=[],
    )


def _check_attachment(attachment: Form, person: Person) -> None:
    if person.passport is None:
        raise wrong(attachment.path, "the profile has no RF_PASSPORT to order with")
    attachment.only(
        documentTypeCode="008001001000",
        documentParentCode="008001000000",
        series=person.passport.series,
        number=person.passport.number,
        issueDate=person.passport.issue_date,
        issuer=person.passport.issued_by,
        subjectType="declarant",
    )


def _check_object(entry: Form, objects: ObjectRegistry) -> str:
    cadastral_number = entry.text("cadastralNumber")
    found = objects.find(cadastral_number)
    number_path = f"{entry.path}.cadastralNumber"
    if found is None:
        raise wrong(number_path, "the register has no such object")
    if found.cad_num != cadastral_number:
        raise wrong(number_path, f"the portal's spelling is {found.cad_num}")
    entry.exact("objectTypeCode", found.kind.code)
    _check_characteristic(entry, found)
    entry.done()
    return cadastral_number


def _check_characteristic(entry: Form, found: PropertyObject) -> None:
    known = found.characteristic
    if known is None and entry.take("physicalProperties") == []:
        return
    main = entry.single("physicalProperties")
    value_path = f"{main.path}.propertyValue"
    value = _decimal(main.take("propertyValue"), value_path)
    if known is None:
        if value != 0:
            raise wrong(value_path, "the object has no main characteristic: must be 0")
        main.text("property")
        main.text("unittypearea")
    else:
        if value != known.value:
            raise wrong(value_path, f"must be the object's own value, {known.value}")
        if known.is_area:
            main.exact("property", "area")
        else:
            main.text("property")  # What a length is called here is not known.
        main.exact("unittypearea", known.unit_code)
    main.done()


def _decimal(value: object, path: str) -> Decimal:
    """A string from one known client, a number from another."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise wrong(path, "must be a number, or a string with one")
    try:
        number = Decimal(str(value))
    except InvalidOperation as exc:
        raise wrong(path, "must be a number, or a string with one") from exc
    if not number.is_finite():
        raise wrong(path, "must be a finite number")
    return number


def wrong(path: str, what: str) -> errors.Refusal:
    """The refusal of a field."""
    return errors.Refusal(400, f"{path}: {what}", field=path)


class Form:
    """An object of a request's body that is read field by field; what nobody asked for is refused at the end."""

    def __init__(self, values: Mapping[str, object], path: str = "") -> None:
        self.path = path
        self._values = values
        self._seen: set[str] = set()

    def take(self, name: str) -> object:
        """The value, whatever it is."""
        if name not in self._values:
            raise wrong(self._at(name), "is missing")
        self._seen.add(name)
        return self._values[name]

    def exact(self, name: str, expected: object, *, or_absent: bool = False) -> None:
        """The field holds exactly this; `0` is not `false`, and `1` is not `"1"`."""
        self.one_of(name, (expected,), or_absent=or_absent)

    def one_of(self, name: str, allowed: tuple[object, ...], *, or_absent: bool = False) -> None:
        """The field holds one of these."""
        if or_absent and name not in self._values:
            return
        value = self.take(name)
        if not any(type(value) is type(expected) and value == expected for expected in allowed):
            # The expected value may be somebody's passport number: the path is all that is said.
            raise wrong(self._at(name), "has a wrong value")

    def only(self, **expected: object) -> None:
        """The object holds these fields, with these values, and no others."""
        for name, value in expected.items():
            self.exact(name, value)
        self.done()

    def text(self, name: str) -> str:
        """A string that isn't empty."""
        value = self.take(name)
        if not isinstance(value, str) or not value:
            raise wrong(self._at(name), "must be a string that isn't empty")
        return value

    def guid(self, name: str) -> str:
        """A version 4 uuid in its usual form."""
        value = self.text(name)
        try:
            parsed = uuid.UUID(value)
        except ValueError as exc:
            raise wrong(self._at(name), "must be a version 4 uuid") from exc
        if parsed.version != 4 or str(parsed) != value.lower():
            raise wrong(self._at(name), "must be a version 4 uuid")
        return value

    def part(self, name: str) -> Form:
        """An object inside."""
        value = self.take(name)
        if not isinstance(value, dict):
            raise wrong(self._at(name), "must be an object")
        return Form(value, self._at(name))

    def single(self, name: str) -> Form:
        """The only object of a list."""
        value = self.take(name)
        if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
            raise wrong(self._at(name), "must be a list of exactly one object")
        return Form(value[0], f"{self._at(name)}[0]")

    def done(self) -> None:
        """Refuse what is left over."""
        for name in self._values:
            if name not in self._seen:
                raise wrong(self._at(name), "is not a field of this call")

    def _at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name
