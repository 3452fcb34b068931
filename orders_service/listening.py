"""Where the service listens, for whom, and by which certificates it is known."""

from __future__ import annotations

import dataclasses
import datetime as dt
import ipaddress
import logging
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from orders_service import errors

if TYPE_CHECKING:
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
        self._stamps = self._stamp()
        self._pems = self._read()
        self._told: object = None

    def credentials(self) -> grpc.ServerCredentials:
        """Return what a gRPC server is to show."""
        return grpc.dynamic_ssl_server_credentials(
            _configuration(self._pems),
            self._renewed,  # type: ignore[arg-type]  # None means: as before
            require_client_authentication=len(self._pems) == 3,
        )

    @property
    def ends_at(self) -> dt.datetime:
        """When the first of the certificates ends."""
        certificates = x509.load_pem_x509_certificates(self._pems[1])
        return min(certificate.not_valid_after_utc for certificate in certificates)

    def load_into(self, context: ssl.SSLContext) -> None:
        """Let new connections by HTTP see the certificate as it is now; a broken one is left alone."""
        try:
            pems = self._read()
            context.load_cert_chain(self._files.cert_file, self._files.key_file)
            if len(pems) == 3:
                context.load_verify_locations(cadata=pems[2].decode("ascii"))
                context.verify_mode = ssl.CERT_REQUIRED
        except (errors.SettingsInvalid, ssl.SSLError, OSError) as error:
            logger.error(
                "The renewed certificate can't be used: the one before is shown",
                extra={"event": "certificate_broken", "error": str(error)},
            )

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

    def _renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """Return what to show from now on; None: what was shown before. Asked by gRPC for each connection."""
        try:
            stamps = self._stamp()
            if stamps == self._stamps:
                return None
            pems = self._read()
        except errors.SettingsInvalid as error:
            logger.error(
                "The renewed certificate can't be used: the one before is shown",
                extra={"event": "certificate_broken", "error": str(error)},
            )
            return None
        self._stamps, self._pems = stamps, pems
        logger.info(
            "A renewed certificate is shown",
            extra={"event": "certificate_renewed", "ends_at": f"{self.ends_at:%Y-%m-%dT%H:%MZ}"},
        )
        return _configuration(pems)

    def _paths(self) -> tuple[tuple[str, str], ...]:
        files = self._files
        named = (
            ("--tls-key-file", files.key_file),
            ("--tls-cert-file", files.cert_file),
            ("--tls-client-ca-file", files.client_ca_file),
        )
        return tuple((option, path) for option, path in named if path is not None)

    def _stamp(self) -> tuple[tuple[int, int], ...]:
        stamps = []
        for option, path in self._paths():
            try:
                found = Path(path).stat()
            except OSError as exc:
                raise errors.SettingsInvalid(option, f"names {path!r}, which can't be read ({exc.strerror}).") from exc
            stamps.append((found.st_mtime_ns, found.st_size))
        return tuple(stamps)

    def _read(self) -> tuple[bytes, ...]:
        pems = []
        for option, path in self._paths():
            try:
                pems.append(Path(path).read_bytes())
            except OSError as exc:
                raise errors.SettingsInvalid(option, f"names {path!r}, which can't be read ({exc.strerror}).") from exc
        _check_pair(pems[0], pems[1], self._files)
        return tuple(pems)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach this address; a name counts as one that others reach, but for localhost."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _configuration(pems: tuple[bytes, ...]) -> grpc.ServerCertificateConfiguration:
    key, certificate, *authorities = pems
    return grpc.ssl_server_certificate_configuration(
        [(key, certificate)], root_certificates=authorities[0] if authorities else None
    )


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
