"""Every error of the libraries below becomes one of ours, and every one of ours says what to do."""

from __future__ import annotations

import inspect
import socket
import ssl

import httpx
import pytest

from worker.portal import errors
from worker.portal.errors import Need, Outage, PersonNeeded, PortalError, PortalUnavailable
from worker.portal.wire.pacer import Pacer
from worker.portal.wire.transport import translate


def subclasses(kind: type[httpx.RequestError]) -> set[type[httpx.RequestError]]:
    return {kind}.union(*(subclasses(child) for child in kind.__subclasses__()))


@pytest.mark.parametrize("kind", sorted(subclasses(httpx.RequestError), key=str))
def test_every_error_of_a_request_is_an_outage_with_a_time_to_wait(kind: type[httpx.RequestError]) -> None:
    error = translate(kind("broken"), "search", Pacer(0.0))

    assert isinstance(error, PortalUnavailable)
    assert error.retry_after_s
    is_slow = issubclass(kind, httpx.TimeoutException) and kind is not httpx.ConnectTimeout
    # It broke in the middle: maybe over this one call, where no connection at all is the whole host's.
    is_broken = kind in (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError, httpx.DecodingError)
    assert error.outage is (Outage.SLOW if is_slow else Outage.BROKEN if is_broken else Outage.UNREACHABLE)


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError(), TimeoutError(), socket.gaierror(), ssl.SSLError(), httpx.InvalidURL("x")]
)
def test_every_error_of_a_connection_is_an_outage(error: Exception) -> None:
    assert isinstance(translate(error, "finish", Pacer(0.0)), PortalUnavailable)


def test_a_certificate_that_is_not_trusted_needs_a_person_however_deep_it_hides() -> None:
    try:
        try:
            raise ssl.SSLCertVerificationError("x")
        except ssl.SSLError as exc:
            raise httpx.ConnectError("y") from exc
    except httpx.ConnectError as exc:
        error = translate(exc, "search", Pacer(0.0))

    assert isinstance(error, PersonNeeded)
    assert error.need is Need.CA_BUNDLE


def test_every_error_stands_in_the_tree() -> None:
    ours = {name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, PortalError)}

    assert len(ours) > 10, "the search works"
    assert all(name in (errors.__doc__ or "") for name in ours)
