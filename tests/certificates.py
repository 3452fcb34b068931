"""An authority of the test's own, and what it has signed."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from pathlib import Path


@dataclasses.dataclass(frozen=True)
class TlsFiles:
    """What one end of TLS needs: a certificate of its own, its key, and the authorities that it trusts."""

    cert_file: Path
    key_file: Path
    ca_file: Path

    def server_config(self) -> dict[str, str]:
        """The settings of redis.conf; a server speaks TLS with others too then, and asks everyone for a certificate."""
        return {
            "tls-cert-file": str(self.cert_file),
            "tls-key-file": str(self.key_file),
            "tls-ca-cert-file": str(self.ca_file),
            "tls-replication": "yes",
            "tls-cluster": "yes",
        }

    def client_options(self) -> dict[str, Any]:
        """The options of redis-py for a test's own questions: these don't care by which name a server is addressed."""
        return {
            "ssl": True,
            "ssl_certfile": str(self.cert_file),
            "ssl_keyfile": str(self.key_file),
            "ssl_ca_certs": str(self.ca_file),
            "ssl_check_hostname": False,
        }

    def env(self) -> dict[str, str]:
        """The variables by which a process of ours speaks TLS."""
        return {
            "REDIS_TLS": "1",
            "REDIS_TLS_CA_FILE": str(self.ca_file),
            "REDIS_TLS_CERT_FILE": str(self.cert_file),
            "REDIS_TLS_KEY_FILE": str(self.key_file),
        }


class Authority:
    """Signs certificates; `ca_file` is what one has to trust to believe them."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            self._start(self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file = folder / f"{name}.pem"
        self.ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def sign(self, name: str) -> tuple[Path, Path]:
        """Make a certificate for a host's name or address, and return the files of it and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        is_address = name.replace(".", "").isdigit()
        host = x509.IPAddress(ipaddress.ip_address(name)) if is_address else x509.DNSName(name)
        certificate = (
            self._start(subject, key)
            .add_extension(x509.SubjectAlternativeName([host]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        cert_file, key_file = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return cert_file, key_file

    def equip(self, name: str, trusted: Path | None = None) -> TlsFiles:
        """Sign a certificate for a name, and give all that its owner needs.

        Args:
            trusted: The file of authorities that it trusts; None means this one alone.
        """
        return TlsFiles(*self.sign(name), trusted or self.ca_file)

    def _start(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )
