"""The account itself: its roles, the person, the balance, the access key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, PlainTextResponse

from worker.simulator import errors
from worker.simulator.gate import Access, Call, Endpoint
from worker.simulator.settings import KeyAnswer

if TYPE_CHECKING:
    from starlette.responses import Response

    from worker.simulator.accounts import Account

ROLE_COOKIE = "PC_USER_WAS_AUTHORIZED"
SUBSCRIPTION_TAB = "egrn_subscription"
SUBSCRIPTION = "egrn_with_docs_1"


def _roles(call: Call) -> Response:
    if call.take_shape() == "logged_out":
        return JSONResponse({"logged": False, "roles": []})
    roles = [{"oid": role.oid, "name": role.name, "type": role.type} for role in call.account.roles]
    return JSONResponse({"logged": call.bound_session.oid is not None, "roles": roles})


def _info(call: Call) -> Response:
    asked = call.request.query_params.get("oid")
    session = call.bound_session
    if asked is not None:
        # The client names the role twice, in a cookie that it sets itself and in the query; both must agree.
        if call.account.role(asked) is None or call.request.cookies.get(ROLE_COOKIE) != asked:
            raise errors.Refusal(403, "Роль недоступна пользователю")
        session.oid = call.record.oid = asked
    if session.oid is None:
        raise errors.Refusal(403, "Не выбрана роль пользователя")
    return JSONResponse(_profile(call.account, session.oid))


def _profile(account: Account, oid: str) -> dict[str, object]:
    person = account.person
    documents: list[dict[str, str]] = [
        {"type": "RF_DRIVING_LICENSE", "series": "0000", "number": "999999", "issueDate": "01.02.2016"}
    ]
    if person.passport is not None:
        documents.append(
            {
                "type": "RF_PASSPORT",
                "series": person.passport.series,
                "number": person.passport.number,
                "issueDate": person.passport.issue_date,
                "issuedBy": person.passport.issued_by,
            }
        )
    names = {"lastName": person.last_name, "firstName": person.first_name}
    if person.middle_name is not None:
        names["middleName"] = person.middle_name
    return {
        "id": person.profile_id,
        "snils": person.snils,
        "phone": person.phone,
        "email": person.email,
        "agreementConfirmed": True,
        "addresses": [],
        "noauthorization": False,
        "settings": [],
        "attributesOauth": {
            "userId": oid,
            **names,
            "citizenship": "RUS",
            "snils": person.snils,
            "phone": person.phone,
            "email": person.email,
            "documents": {"size": len(documents), "elements": documents},
        },
    }


def _balance(call: Call) -> Response:
    if call.request.query_params.get("tab") != SUBSCRIPTION_TAB:
        return JSONResponse([])
    items = [
        {"ordinal": 1, "mnemo": "egrn_other_1", "name": "Прочие сведения", "count": 7, "totalCount": 10},
        {"ordinal": 3, "mnemo": "egrn_other_2", "name": "Прочие сведения, пакет", "count": 0, "totalCount": 0},
    ]
    account = call.account
    if account.has_subscription and call.take_shape() != "no_item":
        items.insert(
            1,
            {
                "ordinal": 2,
                "mnemo": SUBSCRIPTION,
                "name": "Сведения об объекте недвижимости",
                "count": call.simulator.balance_of(account),
                "totalCount": account.balance + call.simulator.books.granted(account.username),
            },
        )
    return JSONResponse(items)


def _key_of_current_user(call: Call) -> Response:
    key = None if call.take_shape() == "no_key" else call.account.access_key(call.oid)
    if key is not None and call.simulator.settings.key_answer is KeyAnswer.TEXT:
        return PlainTextResponse(key)
    return JSONResponse(key)


def _key(call: Call) -> Response:
    key = None if call.take_shape() == "no_key" else call.account.access_key(call.oid)
    if key is None:
        raise errors.Refusal(404, "Ключ доступа не найден")
    return JSONResponse({"guid": key})


ENDPOINTS = (
    Endpoint(name="roles", method="GET", path="/account-back/profile/roles", handler=_roles, access=Access.SESSION),
    Endpoint(name="profile", method="GET", path="/account-back/profile/info", handler=_info, access=Access.SESSION),
    Endpoint(name="balance", method="GET", path="/account-back/finances/operations/total", handler=_balance),
    Endpoint(
        name="access_key_current",
        method="GET",
        path="/account-back/access-key/current-user",
        handler=_key_of_current_user,
    ),
    Endpoint(name="access_key", method="GET", path="/account-back/access-key", handler=_key),
)
