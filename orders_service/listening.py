"""Where the service listens, for whom, and by which certificates it is known."""

from __future__ import annotations

import dataclasses
import datetime as dt
import ipaddress
import logging
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from orders_service import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from orders_service.settings import Address

logger = logging.getLogger(__name__)

#: From when on the log says that a certificate ends soon.
SOON: Final = dt.timedelta(days=21)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ListenSettings:
    """Where the service listens, and for whom.

    Attributes:
        address: For clients and people, and for workers, too, where `workers` is None.
        workers: For workers alone.
        rest: For REST; None: nowhere.
        tls: The certificates; None: plain.
        is_insecure_without_tls: It was said in as many words that others may reach the service by a plain connection.
        is_insecure_without_tokens: … that whoever reaches it may do everything.
        rate: Calls a second of one access token; 0: without limit.
    """

    address: Address
    workers: Address | None = None
    rest: Address | None = None
    tls: TlsFiles | None = None
    is_insecure_without_tls: bool = False
    is_insecure_without_tokens: bool = False
    rate: float = 500.0

    @property
    def outside(self) -> Address | None:
        """An address that others than this machine may reach; None: there is none."""
        every = (self.address, self.workers, self.rest)
        return next((one for one in every if one is not None and not is_loopback(one.host)), None)

    @property
    def is_token_required(self) -> bool:
        """Whether everybody needs an access token even while none was made."""
        return self.outside is not None and not self.is_insecure_without_tokens

    def check(self, *, is_any_token: bool) -> None:
        """Refuse to be reached by others without TLS and tokens, unless that was asked for.

        Raises:
            Unsafe: Says what is missing, and how to ask for it.
        """
        where = self.outside
        if where is None:
            return
        if self.tls is None and not self.is_insecure_without_tls:
            raise errors.Unsafe(
                f"{where} can be reached from other machines, and nothing is encrypted there: give a certificate "
                "with --tls-cert-file and --tls-key-file, or say --insecure-without-tls where the network is the "
                "service's own."
            )
        if not is_any_token and not self.is_insecure_without_tokens:
            raise errors.Unsafe(
                f"{where} can be reached from other machines, and there is no access token yet: make one with "
                "`orders-service tokens add NAME --role operator`, or say --insecure-without-tokens where whoever "
                "reaches it may do everything."
            )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files by which the service is known.

    Attributes:
        client_ca_file: Who must have signed the certificates of those who connect; None: they need none.
    """

    cert_file: str
    key_file: str
    client_ca_file: str | None = None

    @classmethod
    def read_options(cls, cert_file: str | None, key_file: str | None, client_ca_file: str | None) -> TlsFiles | None:
        """Return the files that were given; None where none was.

        Raises:
            SettingsInvalid: Some without the others.
        """
        if not cert_file and not key_file and not client_ca_file:
            return None
        if not cert_file or not key_file:
            raise errors.SettingsInvalid("--tls-cert-file", "and --tls-key-file belong together: give both.")
        return cls(cert_file=cert_file, key_file=key_file, client_ca_file=client_ca_file or None)


class Certificates:
    """The certificates as they are now: renewed files are taken for the next connection, broken ones are not.

    Raises:
        SettingsInvalid: A file can't be read or used, or key and certificate don't belong together.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._seen = _Shown(files)
        self._told: object = None

    def credentials(self) -> grpc.ServerCredentials:
        """Return what a gRPC server is to show."""
        shown = _Shown(self._files)

        def renewed() -> grpc.ServerCertificateConfiguration | None:
            return _configuration(shown.pems) if shown.renew() else None

        return grpc.dynamic_ssl_server_credentials(
            _configuration(shown.pems),
            renewed,  # type: ignore[arg-type]  # asked for each connection; None means: as before
            require_client_authentication=self._files.client_ca_file is not None,
        )

    def https_context(self) -> ssl.SSLContext:
        """Return what a server of HTTP is to show, and to ask for.

        Raises:
            SettingsInvalid: The files can't be used now.
        """
        return _HttpsContext.of(self._files)

    @property
    def ends_at(self) -> dt.datetime:
        """When the first of the certificates ends."""
        self._seen.renew()
        return _end_of(self._seen.pems)

    def tell_of_end(self) -> None:
        """Log it when the certificate ends soon, once for each certificate."""
        ends_at = self.ends_at
        left = ends_at - dt.datetime.now(dt.UTC)
        if left > SOON or self._told == ends_at:
            return
        self._told = ends_at
        logger.log(
            logging.WARNING if left > dt.timedelta() else logging.ERROR,
            "The service's certificate ends soon: put a renewed one into its files, which are read by themselves",
            extra={"event": "certificate_ends", "file": self._files.cert_file, "ends_at": f"{ends_at:%Y-%m-%dT%H:%MZ}"},
        )


@dataclasses.dataclass(frozen=True, slots=True)
class _Pems:
    """What the files held, when all of them could be used together."""

    key: bytes
    certificate: bytes
    authorities: bytes | None


class _Shown:
    """What one that listens shows: each has its own, since each has to learn of a change."""

    def __init__(self, files: TlsFiles, check: Callable[[], object] | None = None) -> None:
        self._files = files
        self._check = check
        self._stamps = _stamps_of(files)
        self.pems = self._read()
        self._trouble: str | None = None

    def renew(self) -> bool:
        """Take renewed files; whether there were any. What can't be used, all of it, leaves everything as it was."""
        try:
            stamps = _stamps_of(self._files)
            if stamps == self._stamps:
                return False
            pems = self._read()
        except errors.SettingsInvalid as error:
            if self._trouble != str(error):
                logger.error(
                    "The renewed certificate can't be used: the one before is shown",
                    extra={"event": "certificate_broken", "error": str(error)},
                )
            self._trouble = str(error)
            return False
        self._stamps, self.pems, self._trouble = stamps, pems, None
        logger.info(
            "A renewed certificate is shown",
            extra={"event": "certificate_renewed", "ends_at": f"{_end_of(pems):%Y-%m-%dT%H:%MZ}"},
        )
        return True

    def _read(self) -> _Pems:
        key, certificate, *authorities = (_read_file(option, path) for option, path in _paths_of(self._files))
        _check_pair(key, certificate, self._files)
        if authorities:
            _authorities_of(authorities[0], self._files)
        if self._check is not None:
            self._check()
        return _Pems(key, certificate, authorities[0] if authorities else None)


class _HttpsContext(ssl.SSLContext):
    """Lets each connection be made by a context that was built whole, from the files as they are then.

    To change a context that is in use could end halfway: with a certificate, and without asking for one.
    """

    _shown: _Shown
    _whole: ssl.SSLContext

    @classmethod
    def of(cls, files: TlsFiles) -> _HttpsContext:
        """Make the context of these files."""
        made = cls(ssl.PROTOCOL_TLS_SERVER)
        # Nobody gets in by this one itself: it has no certificate, and asks for one that nobody signed.
        made.verify_mode = ssl.CERT_REQUIRED

        def build() -> None:
            made._whole = _build_context(files)

        made._shown = _Shown(files, build)
        return made

    def wrap_bio(self, *args: Any, **more: Any) -> ssl.SSLObject:
        """Make a connection's end, as asyncio asks for it."""
        self._shown.renew()
        return self._whole.wrap_bio(*args, **more)


def _build_context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        if files.client_ca_file is not None:
            # First of all: whatever fails behind it, nobody gets in without a certificate.
            context.verify_mode = ssl.CERT_REQUIRED
            pem = _read_file("--tls-client-ca-file", files.client_ca_file)
            context.load_verify_locations(cadata=b"".join(_authorities_of(pem, files)))
        context.load_cert_chain(files.cert_file, files.key_file)
    except (ssl.SSLError, OSError) as exc:
        raise errors.SettingsInvalid(
            "--tls-cert-file", f"and what belongs to it can't be used by HTTP: {exc}."
        ) from exc
    return context


def _paths_of(files: TlsFiles) -> tuple[tuple[str, str], ...]:
    named = (
        ("--tls-key-file", files.key_file),
        ("--tls-cert-file", files.cert_file),
        ("--tls-client-ca-file", files.client_ca_file),
    )
    return tuple((option, path) for option, path in named if path is not None)


def _stamps_of(files: TlsFiles) -> tuple[tuple[int, int, int], ...]:
    stamps = []
    for option, path in _paths_of(files):
        try:
            found = Path(path).stat()
        except OSError as exc:
            raise errors.SettingsInvalid(option, f"names {path!r}, which can't be read ({exc.strerror}).") from exc
        stamps.append((found.st_mtime_ns, found.st_size, found.st_ino))
    return tuple(stamps)


def _read_file(option: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as exc:
        raise errors.SettingsInvalid(option, f"names {path!r}, which can't be read ({exc.strerror}).") from exc


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach this address; a name counts as one that others reach, but for localhost."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _configuration(pems: _Pems) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pems.key, pems.certificate)], root_certificates=pems.authorities)


def _end_of(pems: _Pems) -> dt.datetime:
    return min(one.not_valid_after_utc for one in x509.load_pem_x509_certificates(pems.certificate))


def _authorities_of(pem: bytes, files: TlsFiles) -> list[bytes]:
    try:
        return [one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(pem)]
    except ValueError as exc:
        raise errors.SettingsInvalid(
            "--tls-client-ca-file", f"names {files.client_ca_file!r}, which holds no certificate."
        ) from exc


def _check_pair(key_pem: bytes, certificate_pem: bytes, files: TlsFiles) -> None:
    try:
        certificate = x509.load_pem_x509_certificates(certificate_pem)[0]
    except ValueError as exc:
        raise errors.SettingsInvalid(
            "--tls-cert-file", f"names {files.cert_file!r}, which holds no certificate."
        ) from exc
    try:
        key = load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise errors.SettingsInvalid(
            "--tls-key-file",
            f"names {files.key_file!r}, which holds no key, or one with a passphrase: give it without.",
        ) from exc
    shape = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*shape) != certificate.public_key().public_bytes(*shape):
        raise errors.SettingsInvalid(
            "--tls-key-file", f"names {files.key_file!r}, which isn't the key of {files.cert_file!r}."
        )
