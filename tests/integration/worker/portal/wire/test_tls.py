"""Trust: a portal whose certificate nobody vouches for is never spoken to."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.worker.portal import server
from tests.integration.worker.portal.server import Portal, running_portal
from tests.waiting import wait_until
from worker.portal.client import PortalClient
from worker.portal.errors import Need, PersonNeeded
from worker.portal.finish import Answered, FinishRequest, NotSent
from worker.portal.login.credentials import Credentials
from worker.portal.settings import PortalSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test root")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "portal.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def tls_portal(certificate: Path) -> Iterator[Portal]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with running_portal(tls=context) as portal:
        yield portal


def make_client(portal: Portal, ca_bundle: Path | None) -> PortalClient:
    settings = PortalSettings(url=portal.url, min_interval_s=0.0, ca_bundle=ca_bundle)
    return PortalClient(settings, Credentials(login="x", password="right"))


def test_an_unknown_certificate_is_refused_with_an_instruction(tls_portal: Portal) -> None:
    with make_client(tls_portal, None) as client, pytest.raises(PersonNeeded, match="ROSREESTR_CA_BUNDLE") as caught:
        client.balance()

    assert caught.value.need is Need.CA_BUNDLE
    assert not tls_portal.requests


def test_the_bundle_makes_the_portal_trusted_for_the_paid_call_too(tls_portal: Portal, certificate: Path) -> None:
    with make_client(tls_portal, certificate) as client:
        assert client.balance() == 87
        request = FinishRequest(super_package_guid="g", person_oid=client.person_oid(), access_key="k")

        # Session tickets make a fresh TLS 1.3 connection readable: that is no sign of its end.
        with client.prepare_finish(request) as paid:
            paid.open()
            result = paid.send(lambda: True)

    assert isinstance(result, Answered)
    assert result.expected_number == server.NUMBER


def test_a_tls_connection_that_was_closed_before_the_call_sends_nothing(tls_portal: Portal, certificate: Path) -> None:
    with make_client(tls_portal, certificate) as client:
        request = FinishRequest(super_package_guid="g", person_oid=client.person_oid(), access_key="k")
        with client.prepare_finish(request) as paid:
            paid.open()
            wait_until(tls_portal.close_idle_connections, "the server to see the idle connection")
            result = paid.send(lambda: True)

    assert isinstance(result, NotSent)
    assert not tls_portal.seen(server.FINISH)
