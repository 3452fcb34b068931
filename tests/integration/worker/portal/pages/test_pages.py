"""What each page's answer becomes, and what it never becomes."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.worker.portal import server
from tests.integration.worker.portal.server import HTML, Reply, application, card, found
from worker.portal.errors import AccountUnusable, Lack, RequestRefused, UnreadableAnswer
from worker.portal.finish import FinishRequest
from worker.portal.pages.applications import ApplicationState
from worker.portal.pages.search import Characteristic, FoundObject, NotFound, Undecided, judge
from worker.portal.pages.statement import Statement, StatementGuids

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.worker.portal.server import Portal
    from worker.portal.client import PortalClient

    MakeClient = Callable[..., PortalClient]

OTHER = "77:01:0001001:2002"


def elements(*items: dict[str, Any]) -> Reply:
    return Reply(body={"elements": list(items), "count": len(items)})


def make_statement(client: PortalClient, **changes: Any) -> Statement:
    return Statement(
        **{
            "guids": StatementGuids.make(),
            "access_key": server.KEY,
            "declarant": client.profile(),
            "declarant_category": "357039000000",
            "cad_num": server.CAD_NUM,
            "object_type": "002001003000",
            "characteristic": Characteristic(value="42.4"),
            **changes,
        }
    )


# --- profile ---------------------------------------------------------------------------------------------------


def test_the_profile_names_the_person_with_the_russian_passport_among_other_documents(client: PortalClient) -> None:
    declarant = client.profile()

    assert (declarant.last_name, declarant.first_name, declarant.middle_name) == ("Тестов", "Тест", "Тестович")
    assert (declarant.passport.series, declarant.passport.issue_date) == ("0000", "01.02.2003")


def test_the_profile_shows_nothing_personal_in_its_repr(client: PortalClient) -> None:
    declarant = client.profile()

    shown = repr(declarant) + repr(make_statement(client))

    for secret in (declarant.last_name, declarant.snils, declarant.email, declarant.passport.number, server.KEY):
        assert secret not in shown


@pytest.mark.parametrize(
    ("path", "value", "lack"),
    [
        (("documents", "elements"), [{"type": "FRGN_PASS", "number": "1"}], Lack.PASSPORT),
        (("documents",), None, Lack.PASSPORT),
        (("documents", "elements"), [{"type": "RF_PASSPORT", "series": "1"}], Lack.PASSPORT),
        (("snils",), None, Lack.PROFILE),
        (("email",), "", Lack.PROFILE),
    ],
)
def test_a_profile_that_every_statement_would_fail_with_makes_the_account_unusable(
    portal: Portal, client: PortalClient, path: tuple[str, ...], value: object, lack: Lack
) -> None:
    profile = copy.deepcopy(server.PROFILE)
    target = profile["attributesOauth"]
    for name in path[:-1]:
        target = target[name]
    target[path[-1]] = value
    portal.always("GET", server.INFO, Reply(body=profile))

    with pytest.raises(AccountUnusable) as caught:
        client.profile()

    assert caught.value.lack is lack


# --- balance ---------------------------------------------------------------------------------------------------


def test_the_balance_is_picked_by_name_not_by_place(client: PortalClient) -> None:
    assert client.balance() == 87


def test_a_balance_without_our_package_makes_the_account_unusable(portal: Portal, client: PortalClient) -> None:
    portal.always("GET", server.BALANCE, Reply(body=[{"mnemo": "other", "count": 5}]))

    with pytest.raises(AccountUnusable) as caught:
        client.balance()

    assert caught.value.lack is Lack.BALANCE_ITEM


@pytest.mark.parametrize(
    "answer",
    [
        Reply(body=[{"mnemo": "egrn_with_docs_1", "count": None}]),
        Reply(body=[{"mnemo": "egrn_with_docs_1", "count": True}]),
        Reply(body=[{"mnemo": "egrn_with_docs_1", "count": "87"}]),
        Reply(body={"count": 87}),
        Reply(body=87),
        Reply(body="[{", content_type=server.JSON),
        Reply(body='[{"mnemo": "egrn_with_docs_1", "count": NaN}]'),
        Reply(body=b"[" * 100_000),
        Reply(body=[{"mnemo": "egrn_with_docs_1", "count": 87}], content_type="text/plain"),
        Reply(status=304, body=b""),
    ],
)
def test_a_balance_that_cannot_be_read_is_never_taken_for_enough(
    portal: Portal, client: PortalClient, answer: Reply
) -> None:
    portal.always("GET", server.BALANCE, answer)

    with pytest.raises(UnreadableAnswer) as caught:
        client.balance()

    assert caught.value.retry_after_s


# --- search and card -------------------------------------------------------------------------------------------


def test_search_tells_what_the_statement_needs_in_the_portals_spelling_and_digits(
    portal: Portal, client: PortalClient
) -> None:
    spelled = "77:01:1001:1001"
    portal.always("POST", server.ON_SEARCH, elements(found(cadastralNumber=spelled)))

    objects = client.search(server.CAD_NUM)

    assert objects == (
        FoundObject(
            cad_num=spelled,
            object_type="002001003000",
            address="г. Тестовск, ул. Примерная, д. 1",
            characteristic=Characteristic(value="42.4", unit_code="012002001000"),
        ),
    )
    assert judge(objects, server.CAD_NUM) == objects[0]
    assert portal.seen(server.ON_SEARCH)[0].json == {"filterType": "cadastral", "cadNumbers": [server.CAD_NUM]}


@pytest.mark.parametrize(
    ("characters", "expected"),
    [
        ([], Characteristic(value="0", unit_code="012002001000")),
        (None, Characteristic()),
        (
            [{"code": "01", "value": 1250, "unitCode": "012001001000"}],
            Characteristic(value="1250", unit_code="012001001000"),
        ),
        (
            [{"code": "01", "value": 3}, {"code": "05", "value": 10.50, "unitCode": "u"}],
            Characteristic(value="10.5", unit_code="u"),
        ),
    ],
)
def test_the_size_is_the_area_or_what_the_object_has_instead(
    portal: Portal, client: PortalClient, characters: object, expected: Characteristic
) -> None:
    portal.always("POST", server.ON_SEARCH, elements(found(mainCharacters=characters)))

    assert client.search(server.CAD_NUM)[0].characteristic == expected


def test_not_found_is_only_what_says_so_in_the_right_shape(portal: Portal, client: PortalClient) -> None:
    portal.always("POST", server.ON_SEARCH, elements())

    assert client.search(server.CAD_NUM) == ()
    assert judge((), server.CAD_NUM) == NotFound()


@pytest.mark.parametrize(
    "answer",
    [
        Reply(body={"count": 0}),
        Reply(body={"elements": []}),
        Reply(body={"elements": None, "count": 0}),
        Reply(body={"elements": [], "count": 1}),
        Reply(body={"elements": [found()], "count": 2}),
        Reply(body=[]),
        Reply(body=None),
        Reply(body="", content_type=server.JSON),
        Reply(body={"elements": [{"objectType": "002001003000"}], "count": 1}),
        Reply(status=204, body=b""),
    ],
)
def test_an_answer_of_another_shape_is_unreadable_not_not_found(
    portal: Portal, client: PortalClient, answer: Reply
) -> None:
    portal.always("POST", server.ON_SEARCH, answer)

    with pytest.raises(UnreadableAnswer):
        client.search(server.CAD_NUM)


def test_several_objects_or_another_one_are_for_a_person(portal: Portal, client: PortalClient) -> None:
    portal.script("POST", server.ON_SEARCH, elements(found(), found()))
    portal.script("POST", server.ON_SEARCH, elements(found(cadastralNumber=OTHER)))

    assert isinstance(judge(client.search(server.CAD_NUM), server.CAD_NUM), Undecided)
    assert isinstance(judge(client.search(server.CAD_NUM), server.CAD_NUM), Undecided)


@pytest.mark.parametrize(
    ("changes", "is_annulled"),
    [
        ({}, False),
        ({"status": 1}, False),
        ({"status": "0"}, True),
        ({"status": "1", "cancelDate": 1700000000000}, True),
        ({"status": "1", "cancelDate": ""}, False),
    ],
)
def test_the_card_shows_an_annulled_object(
    portal: Portal, client: PortalClient, changes: dict[str, Any], is_annulled: bool
) -> None:
    portal.always("POST", server.ON_CARD, elements(card(**changes)))

    assert [c.is_annulled for c in client.cards(server.CAD_NUM)] == [is_annulled]


def test_a_card_without_a_status_is_unreadable(portal: Portal, client: PortalClient) -> None:
    portal.always("POST", server.ON_CARD, elements({"cadNumber": server.CAD_NUM}))

    with pytest.raises(UnreadableAnswer):
        client.cards(server.CAD_NUM)


def test_a_refused_search_carries_the_portals_words(portal: Portal, client: PortalClient) -> None:
    portal.always("POST", server.ON_SEARCH, Reply(status=400, body={"message": "Неверный номер"}))

    with pytest.raises(RequestRefused) as caught:
        client.search(server.CAD_NUM)

    assert (caught.value.step, caught.value.status) == ("search", 400)
    assert "Неверный номер" in caught.value.text


# --- access key ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        Reply(body=server.KEY, content_type="text/plain"),
        Reply(body=f'"{server.KEY}"'),
        Reply(body=server.KEY),
        Reply(body=f" {server.KEY}\n", content_type="text/plain; charset=utf-8"),
    ],
)
def test_the_key_is_read_from_text_and_from_a_json_string(portal: Portal, client: PortalClient, answer: Reply) -> None:
    portal.always("GET", server.KEY_TEXT, answer)

    assert client.access_key() == server.KEY
    assert not portal.seen(server.KEY_OBJECT)


@pytest.mark.parametrize("answer", [Reply(body=None), Reply(body=""), Reply(body='""'), Reply(status=404, body={})])
def test_where_the_first_place_shows_no_key_the_second_is_asked(
    portal: Portal, client: PortalClient, answer: Reply
) -> None:
    portal.always("GET", server.KEY_TEXT, answer)

    assert client.access_key() == server.KEY


@pytest.mark.parametrize("answer", [Reply(status=404, body={}), Reply(body={"guid": None}), Reply(body=None)])
def test_an_account_without_a_key_is_unusable(portal: Portal, client: PortalClient, answer: Reply) -> None:
    portal.always("GET", server.KEY_TEXT, Reply(body=None))
    portal.always("GET", server.KEY_OBJECT, answer)

    with pytest.raises(AccountUnusable) as caught:
        client.access_key()

    assert caught.value.lack is Lack.ACCESS_KEY


def test_a_key_that_is_none_is_unreadable(portal: Portal, client: PortalClient) -> None:
    portal.always("GET", server.KEY_TEXT, Reply(body="something"))

    with pytest.raises(UnreadableAnswer):
        client.access_key()


# --- upload ----------------------------------------------------------------------------------------------------


def test_upload_sends_every_field_of_the_contract_and_nothing_else(portal: Portal, client: PortalClient) -> None:
    statement = make_statement(client)

    client.upload(statement)

    (sent,) = portal.seen(server.UPLOAD)
    assert "transfer-encoding" not in sent.headers
    assert sent.headers["content-type"] == "application/json;charset=UTF-8"
    assert sent.headers["origin"] == portal.url
    assert sent.headers["referer"] == portal.url + "/request-access-egrn/property-search"
    guids = statement.guids
    assert sent.json == {
        "title": "Предоставление сведений об объектах недвижимости и (или) их правообладателях",
        "superPackageGuid": guids.super_package,
        "statementGuid": guids.statement,
        "packageGuid": guids.package,
        "draftGuid": guids.draft,
        "sign": False,
        "dataType": {"code": "object"},
        "purpose": {
            "formType": "EGRNRequest",
            "actionCode": "659511111113",
            "statementType": "558630300000",
            "cadastralAction": "",
            "accessKey": server.KEY,
            "resourceType": "fgisEgrn",
        },
        "agreement": {"dataProcessingAgreement": True},
        "declarantKind": {"code": "declarant"},
        "declarantType": {"code": "person"},
        "deliveryAction": {"delivery": "785003000000", "linkEmail": "test@example.org"},
        "declarants": [
            {
                "firstname": "Тест",
                "surname": "Тестов",
                "patronymic": "Тестович",
                "countryInformation": "RUS",
                "snils": "000-000-000 00",
                "email": "test@example.org",
                "phoneNumber": "+7(000)0000000",
                "addresses": [],
            }
        ],
        "representative": [],
        "attachments": [
            {
                "documentTypeCode": "008001001000",
                "documentParentCode": "008001000000",
                "series": "0000",
                "number": "987654",
                "issueDate": "01.02.2003",
                "issuer": "ТЕСТОВЫМ ОТДЕЛОМ",
                "subjectType": "declarant",
            }
        ],
        "objects": [
            {
                "objectTypeCode": "002001003000",
                "cadastralNumber": server.CAD_NUM,
                "physicalProperties": [{"property": "area", "propertyValue": "42.4", "unittypearea": "012002001000"}],
            }
        ],
        "uptodate": {"uptodateData": True},
        "specialDeclarantKind": {"code": "357039000000"},
        "extractDataRequestType1": "101",
        "actionType": "info",
    }


def test_an_upload_that_is_not_echoed_is_not_relied_on(portal: Portal, client: PortalClient) -> None:
    portal.always("POST", server.UPLOAD, Reply(body={"superPackageGuid": "00000000-0000-4000-8000-000000000000"}))

    with pytest.raises(UnreadableAnswer):
        client.upload(make_statement(client))


def test_another_persons_statement_or_paid_call_is_not_sent(portal: Portal, client: PortalClient) -> None:
    client.log_in()

    with pytest.raises(AccountUnusable):
        client.prepare_finish(FinishRequest(super_package_guid="x", person_oid="2000000002", access_key=server.KEY))

    assert not portal.seen(server.FINISH)


# --- applications ----------------------------------------------------------------------------------------------


def test_the_list_is_read_to_an_empty_page_however_short_the_pages_are(portal: Portal, make_client: MakeClient) -> None:
    portal.applications = [application(900_000 + n) for n in range(7)]
    portal.page_max = 3

    listing = make_client(list_page_size=3).list_applications()

    assert [row.application_id for row in listing.rows] == [900_000 + n for n in range(7)]
    assert (listing.is_complete, listing.is_unfiltered, listing.rows_in_all) == (True, True, 7)
    assert listing.person_oid == server.OID
    assert [request.query for request in portal.seen(server.LIST)] == [
        {"page": str(page), "size": "3"} for page in range(4)
    ]


def test_the_list_ends_where_it_says_last(portal: Portal, client: PortalClient) -> None:
    page = {"content": [application(1)], "numberOfElements": 1, "last": True, "totalElements": 1}
    portal.always("POST", server.LIST, Reply(body=page))

    assert client.list_applications().is_complete
    assert len(portal.seen(server.LIST)) == 1


@pytest.mark.parametrize(
    "pages",
    [
        pytest.param([{"content": [application(1)], "last": True, "totalElements": 2}], id="fewer than the total"),
        pytest.param([{"content": [application(1)]}] * 2, id="the same page for ever"),
        pytest.param([{"content": [application(n)]} for n in range(9)], id="more pages than allowed"),
        # Row 1 goes away after the first page, so row 3 moves onto it and is never seen.
        pytest.param(
            [
                {"content": [application(1), application(2)], "totalElements": 4},
                {"content": [application(4)], "last": True, "totalElements": 3},
            ],
            id="a row went away",
        ),
        pytest.param(
            [
                {"content": [application(1), application(2)], "totalElements": 2},
                {"content": [application(3)], "last": True, "totalElements": 2},
            ],
            id="more than the total",
        ),
        # Row 4 changed and came to the front, so row 2 moves onto the second page, and row 4 is never seen.
        pytest.param(
            [
                {"content": [application(1), application(2)]},
                {"content": [application(2), application(3)]},
                {"content": []},
            ],
            id="a row twice and no total",
        ),
    ],
)
def test_a_list_that_hints_at_more_rows_is_not_complete(
    portal: Portal, make_client: MakeClient, pages: list[dict[str, Any]]
) -> None:
    portal.script("POST", server.LIST, *(Reply(body=page) for page in pages))

    listing = make_client(list_max_pages=4).list_applications()

    assert listing.rows
    assert not listing.is_complete


@pytest.mark.parametrize(
    "answer",
    [
        Reply(body={"content": None, "numberOfElements": 0}),
        Reply(body={"numberOfElements": None}),
        Reply(body={"content": [], "numberOfElements": None}),
        Reply(body={"content": [], "numberOfElements": 3}),
    ],
)
def test_an_incomplete_page_is_asked_for_again_and_never_taken_for_the_end(
    portal: Portal, client: PortalClient, answer: Reply
) -> None:
    portal.applications = [application(1)]
    portal.script("POST", server.LIST, answer, answer)

    assert [row.application_id for row in client.list_applications().rows] == [1]

    portal.always("POST", server.LIST, answer)
    with pytest.raises(UnreadableAnswer):
        client.list_applications()


def test_rows_that_do_not_match_the_filter_are_ignored(portal: Portal, client: PortalClient) -> None:
    rows = [application(1), application(2, cadastralNumber=OTHER), application(3, cadastralNumber="77:01:1001:1001")]
    portal.script("POST", server.LIST, Reply(body={"content": rows, "last": True}))

    listing = client.list_applications(cad_num=server.CAD_NUM)

    assert [row.application_id for row in listing.rows] == [1, 3]
    assert (listing.is_unfiltered, listing.rows_in_all) == (False, 3)
    assert portal.seen(server.LIST)[0].json == {
        "requestNumber": "",
        "cadastralNumber": server.CAD_NUM,
        "startDate": None,
        "endDate": None,
    }


def test_rows_that_do_not_say_whose_they_are_are_kept_apart(portal: Portal, client: PortalClient) -> None:
    rows = [application(1), application(2, cadastralNumber=None), application(3, requestNumber=None)]
    portal.script("POST", server.LIST, Reply(body={"content": rows, "last": True}))

    listing = client.list_applications()

    assert [row.application_id for row in listing.rows_of(server.CAD_NUM)] == [1, 3]
    assert listing.known_ids(server.CAD_NUM) == (1, 2, 3)
    assert [row.application_id for row in listing.unclear_rows(known_ids=(2,))] == [3]


@pytest.mark.parametrize(
    ("code", "text", "state", "is_known"),
    [
        ("processed", "Выполнено", ApplicationState.READY, True),
        ("rejected", "Отказ", ApplicationState.REFUSED, True),
        ("error", "Ошибка", ApplicationState.REFUSED, True),
        ("processing", "В работе", ApplicationState.PENDING, True),
        ("processed", "Отказ", ApplicationState.PENDING, False),
        ("done", "Выполнено", ApplicationState.PENDING, False),
        (None, None, ApplicationState.PENDING, False),
    ],
)
def test_only_the_known_pairs_are_final(
    portal: Portal, client: PortalClient, code: str | None, text: str | None, state: ApplicationState, is_known: bool
) -> None:
    portal.applications = [application(1, statusCode=code, requestStatus=text)]

    (row,) = client.list_applications().rows

    assert (row.state, row.is_status_known) == (state, is_known)


def test_an_application_is_found_by_its_very_number_also_when_the_filter_is_ignored(
    portal: Portal, client: PortalClient
) -> None:
    rows = [application(n) for n in range(1, 4)]
    portal.script("POST", server.LIST, Reply(body={"content": rows, "last": True}))

    row = client.find_application(rows[1]["requestNumber"])

    assert row is not None
    assert row.application_id == 2
    assert portal.seen(server.LIST)[0].json["requestNumber"] == rows[1]["requestNumber"]


def test_an_application_that_the_list_does_not_show_yet_is_none(client: PortalClient) -> None:
    assert client.find_application(server.NUMBER) is None


def test_a_number_that_stands_twice_is_not_decided_here(portal: Portal, client: PortalClient) -> None:
    rows = [application(1, requestNumber=server.NUMBER), application(2, requestNumber=server.NUMBER)]
    portal.always("POST", server.LIST, Reply(body={"content": rows, "last": True}))

    with pytest.raises(UnreadableAnswer):
        client.find_application(server.NUMBER)


def test_no_row_is_searched_without_a_number(client: PortalClient) -> None:
    with pytest.raises(ValueError, match="no filter"):
        client.find_application(" ")


def test_a_page_for_people_in_place_of_the_list_is_no_end_of_it(portal: Portal, client: PortalClient) -> None:
    client.log_in()
    portal.always("POST", server.LIST, Reply(body="<html>?</html>", content_type=HTML))

    with pytest.raises(UnreadableAnswer):
        client.list_applications()
