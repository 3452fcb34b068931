"""A person with an account, as the facts describe the calls; written for these tests alone."""

from __future__ import annotations

import uuid
from typing import Any

import httpx

TITLE = "Предоставление сведений об объектах недвижимости и (или) их правообладателях"


class User:
    """One account's browser: its cookies, and the calls of an order's way."""

    def __init__(self, url: str, username: str, password: str = "secret") -> None:
        self.username = username
        self.password = password
        self.http = httpx.Client(base_url=url, timeout=10)
        self.oid = ""

    def ask_login(self) -> httpx.Response:
        """Login and password to the ESIA."""
        start = self.http.get("/account-back/auth/login", params={"homeUrl": "/request-access-egrn"})
        assert start.status_code == 302
        origin = httpx.URL(start.headers["location"]).join("/")
        return self.http.post(
            origin.join("/aas/oauth2/api/login"), json={"login": self.username, "password": self.password}
        )

    def log_in(self) -> User:
        """Log in, without a role yet."""
        answer = self.ask_login()
        assert answer.status_code == 200, answer.text
        self.come_back(answer.json()["redirect_url"])
        return self

    def come_back(self, redirect_url: str) -> httpx.Response:
        """Follow the ESIA's way back, which sets the cookies."""
        response = self.http.get(redirect_url)
        assert response.status_code == 302, response.text
        return response

    def bind(self, oid: str | None = None) -> User:
        """Take a role, the first one unless told otherwise."""
        self.oid = oid or self.roles()["roles"][0]["oid"]
        self.http.cookies.set("PC_USER_WAS_AUTHORIZED", self.oid)
        answer = self.http.get("/account-back/profile/info", params={"oid": self.oid})
        assert answer.status_code == 200, answer.text
        return self

    def roles(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.http.get("/account-back/profile/roles").json()
        return answer

    def profile(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.http.get("/account-back/profile/info").json()
        return answer

    def balance(self) -> int:
        items = self.http.get("/account-back/finances/operations/total", params={"tab": "egrn_subscription"}).json()
        [item] = [item for item in items if item["mnemo"] == "egrn_with_docs_1"]
        return int(item["count"])

    def key(self) -> str:
        return str(self.http.get("/account-back/access-key").json()["guid"])

    def search(self, *cad_nums: str) -> httpx.Response:
        body = {"filterType": "cadastral", "cadNumbers": list(cad_nums)}
        return self.http.post("/account-back/on/with-addresses", json=body)

    def card(self, *cad_nums: str) -> httpx.Response:
        return self.http.post("/account-back/on", json={"filterType": "cadastral", "cadNumbers": list(cad_nums)})

    def statement(self, cad_num: str) -> dict[str, Any]:
        """The whole body of an upload, as the facts list it."""
        person = self.profile()["attributesOauth"]
        [passport] = [entry for entry in person["documents"]["elements"] if entry["type"] == "RF_PASSPORT"]
        [found] = self.search(cad_num).json()["elements"]
        characters = found.get("mainCharacters", [])
        guids = ("superPackageGuid", "statementGuid", "packageGuid", "draftGuid")
        return {
            "title": TITLE,
            **{name: str(uuid.uuid4()) for name in guids},
            "sign": False,
            "dataType": {"code": "object"},
            "purpose": {
                "formType": "EGRNRequest",
                "actionCode": "659511111113",
                "statementType": "558630300000",
                "cadastralAction": "",
                "accessKey": self.key(),
                "resourceType": "fgisEgrn",
            },
            "agreement": {"dataProcessingAgreement": True},
            "declarantKind": {"code": "declarant"},
            "declarantType": {"code": "person"},
            "deliveryAction": {"delivery": "785003000000", "linkEmail": person["email"]},
            "declarants": [
                {
                    "firstname": person["firstName"],
                    "surname": person["lastName"],
                    "patronymic": person.get("middleName", ""),
                    "countryInformation": "RUS",
                    "snils": person["snils"],
                    "email": person["email"],
                    "phoneNumber": person["phone"],
                    "addresses": [],
                }
            ],
            "representative": [],
            "attachments": [
                {
                    "documentTypeCode": "008001001000",
                    "documentParentCode": "008001000000",
                    "series": passport["series"],
                    "number": passport["number"],
                    "issueDate": passport["issueDate"],
                    "issuer": passport["issuedBy"],
                    "subjectType": "declarant",
                }
            ],
            "objects": [
                {
                    "objectTypeCode": found["objectType"],
                    "cadastralNumber": found["cadastralNumber"],
                    "physicalProperties": [
                        {
                            "property": "area",
                            "propertyValue": str(entry["value"]),
                            "unittypearea": entry["unitCode"],
                        }
                        for entry in characters
                    ],
                }
            ],
            "uptodate": {"uptodateData": True},
            "specialDeclarantKind": {"code": "357039000000"},
            "extractDataRequestType1": "101",
            "actionType": "info",
        }

    def upload(self, statement: dict[str, Any]) -> httpx.Response:
        return self.http.post("/account-request/statement/upload", json=statement)

    def finish_body(self, super_package_guid: str) -> dict[str, Any]:
        return {
            "superPackageGuid": super_package_guid,
            "esiaUserId": self.oid,
            "subjectObject": "",
            "packageType": "egrn_with_docs_1",
            "accessKey": self.key(),
        }

    def finish(self, super_package_guid: str) -> httpx.Response:
        return self.http.post("/account-request/statement/finish", json=self.finish_body(super_package_guid))

    def draft(self, cad_num: str) -> str:
        """Upload a statement; its package, ready to be finished."""
        answer = self.upload(self.statement(cad_num))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["superPackageGuid"])

    def order(self, cad_num: str) -> str:
        """Order and pay an extract; what `finish` said."""
        answer = self.finish(self.draft(cad_num))
        assert answer.status_code == 200, answer.text
        return answer.text

    def page(self, page: int = 0, size: int = 10, **wanted: str | None) -> httpx.Response:
        """One page of «Мои заявки»."""
        body = {"requestNumber": "", "cadastralNumber": "", "startDate": None, "endDate": None, **wanted}
        return self.http.post("/account-back/applications", params={"page": page, "size": size}, json=body)

    def rows(self, **wanted: str | None) -> list[dict[str, Any]]:
        """The rows of the first page."""
        answer = self.page(0, 10, **wanted)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["content"])

    def download(self, application_id: int) -> httpx.Response:
        return self.http.get(f"/account-back/applications/{application_id}/download")
