"""How long a page may be, and the token of the next."""

from __future__ import annotations

import base64

import pytest

from orders_service import errors
from orders_service.domain import paging


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (1, 1), (500, 500), (501, 500), (2**31 - 1, 500)])
def test_a_page_is_never_refused_for_being_long(asked: int, given: int) -> None:
    assert paging.read_size(asked) == given


def test_a_negative_page_is_refused() -> None:
    with pytest.raises(errors.InvalidInput, match="page_size"):
        paging.read_size(-1)


def test_a_token_leads_on_and_belongs_to_its_list_alone() -> None:
    token = paging.write_token(17, "queued", None)

    assert paging.read_token(token, "queued", None) == 17
    assert paging.read_token("", "queued", None) is None
    with pytest.raises(errors.InvalidInput, match="other filters"):
        paging.read_token(token, "failed", None)


@pytest.mark.parametrize(
    "forged", ["x", "!!!", "é", "AAAA", *(base64.urlsafe_b64encode(text).decode() for text in (b"1", b"-1.x", b"a.b"))]
)
def test_what_this_service_never_wrote_is_refused(forged: str) -> None:
    with pytest.raises(errors.InvalidInput, match="isn't one of this service's"):
        paging.read_token(forged, "queued")


@pytest.mark.parametrize("last_id", [2**63, 10**100, -1])
def test_an_id_that_no_database_holds_is_refused_before_it_is_asked(last_id: int) -> None:
    with pytest.raises(errors.InvalidInput, match="isn't one of this service's"):
        paging.read_token(paging.write_token(last_id), *())
