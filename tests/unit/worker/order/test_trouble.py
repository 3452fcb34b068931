"""The tables that turn trouble of the portal and the account into a mark or a wait: nothing is left out."""

from __future__ import annotations

import pytest

from orders_service.v1 import rosreestr_users_pb2
from worker.order import trouble
from worker.portal import errors as portal_errors


def all_subclasses(kind: type[Exception]) -> set[type[Exception]]:
    return {deeper for sub in kind.__subclasses__() for deeper in {sub, *all_subclasses(sub)}}


def test_every_error_of_the_portal_is_either_the_accounts_the_portals_or_the_orders() -> None:
    of_the_order = {portal_errors.RequestRefused}
    found_before_anything_was_sent = {portal_errors.PortalSettingsInvalid, portal_errors.PaidCallMisused}
    groups = (
        trouble.ACCOUNT_TROUBLE,
        trouble.PORTAL_TROUBLE,
        tuple(of_the_order),
        tuple(found_before_anything_was_sent),
    )

    for kind in all_subclasses(portal_errors.PortalError):
        assert sum(issubclass(kind, group) for group in groups) == 1, kind


@pytest.mark.parametrize("lack", list(portal_errors.Lack))
def test_what_an_account_lacks_marks_it(lack: portal_errors.Lack) -> None:
    mark = trouble.mark_for(portal_errors.AccountUnusable("why", lack=lack), exhausted_retry_s=1800)

    assert mark.kind in {
        rosreestr_users_pb2.STANDBY_KIND_EXHAUSTED,
        rosreestr_users_pb2.STANDBY_KIND_PERSON_NEEDED,
        rosreestr_users_pb2.STANDBY_KIND_UNUSABLE,
        rosreestr_users_pb2.STANDBY_KIND_FORBIDDEN,
    }
    assert mark.reason == "why"


@pytest.mark.parametrize("need", list(portal_errors.Need))
def test_what_a_person_must_do_is_not_tried_by_itself_but_for_the_ca_bundle(need: portal_errors.Need) -> None:
    mark = trouble.mark_for(portal_errors.PersonNeeded("why", need=need), exhausted_retry_s=1800)

    assert (mark.retry_in_s is None) is (need is not portal_errors.Need.CA_BUNDLE)


def test_a_refused_login_is_never_tried_by_itself() -> None:
    assert trouble.mark_for(portal_errors.LoginRefused(), exhausted_retry_s=1800).retry_in_s is None
