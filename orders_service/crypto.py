"""Sealing of what an account logs in with: its portal password, and the session that an operator imported.

The orders service seals and stores; only a worker opens, just before it logs in. The two share a secret
(`ROSREESTR_CRYPTO_SECRET`) and nothing else.

    CryptoError
    ├── MissingSecret   no secret was set
    │   └── WeakSecret  one that can be guessed, or that a file of examples gives away
    ├── NotSealed       the stored text is in neither form; perhaps a plain password
    └── WrongSecret     sealed with a secret that isn't known here
        └── SealBroken  the secret is known, but the text was changed, or belongs to another account or purpose

New form, `s2.<key id>.<salt>.<nonce, ciphertext and tag>`: AES-256-GCM, key = scrypt(secret, salt). The key id names
the secret, so that a rotation knows what is still to be sealed again. The username, the purpose, key id and salt are
the associated data: a sealed text moved to another account, or a session put in a password's place, doesn't open.

Old form, `base64(iv):base64(tag):base64(data)`, is read and never written: AES-256-GCM, 16-byte iv, key =
scrypt(secret, "salt"). It binds nothing, so it is taken for passwords only.

This module is pure: no database, no network. It never logs, and no error repeats a secret or a sealed text.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import json
import os
import re
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "DEV_ENV",
    "PASSWORD",
    "PREVIOUS_SECRETS_ENV",
    "SECRET_ENV",
    "SESSION",
    "TOTP",
    "CryptoError",
    "MissingSecret",
    "NotSealed",
    "SealBroken",
    "Secretbox",
    "WeakSecret",
    "WrongSecret",
    "is_old_form",
    "key_id_of",
    "require_secret",
    "require_strength",
]

#: What a sealed text may be for; any other short word works too.
PASSWORD: Final = "password"
SESSION: Final = "session"
TOTP: Final = "totp"

SECRET_ENV: Final = "ROSREESTR_CRYPTO_SECRET"
#: Earlier secrets, one a line, that still open what they sealed while a rotation goes on.
PREVIOUS_SECRETS_ENV: Final = "ROSREESTR_CRYPTO_SECRET_PREVIOUS"

#: Set by `orders-service dev` for what it starts: there, and nowhere else, a weak secret will do.
DEV_ENV: Final = "ORDERS_SERVICE_DEV"

#: scrypt makes each guess slow, so that this many characters, if nobody chose them by hand, can't be tried out.
_MIN_CHARACTERS: Final = 16
_MIN_DIFFERENT: Final = 6
#: What stands in examples, in lower case and without what is put between words.
_KNOWN: Final = frozenset(
    {
        "devonlycryptosecret",
        "changeme",
        "changemeplease",
        "changemeinproduction",
        "pleasechangeme",
        "replaceme",
        "yoursecretkey",
        "yoursecretkeyhere",
        "yourcryptosecret",
        "yourcryptosecrethere",
        "yourcryptosecretkey",
        "yourverysecretkey",
        "mysecretkey",
        "supersecretkey",
        "supersecretpassword",
        "verysecretkey",
        "defaultsecretkey",
        "rosreestrcryptosecret",
        "thisisasecretkey",
        "1234567890123456",
        "12345678901234567890123456789012",
        "0123456789abcdef",
        "0123456789abcdef0123456789abcdef",
        "abcdefghijklmnop",
        "abcdefghijklmnopqrstuvwxyz",
        "correcthorsebatterystaple",
    }
)

_FORM: Final = "s2"
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_OLD_IV_BYTES: Final = 16
_OLD_SALT: Final = b"salt"
_KEY_ID_SALT: Final = b"orders_service.crypto key id"

_NEW_TEXT: Final = re.compile(r"s2\.([0-9a-f]{8})\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_OLD_TEXT: Final = re.compile(r"([A-Za-z0-9+/]+={0,2}):([A-Za-z0-9+/]+={0,2}):([A-Za-z0-9+/]*={0,2})")


class CryptoError(Exception):
    """A secret can't be used."""


class MissingSecret(CryptoError):
    """ROSREESTR_CRYPTO_SECRET isn't set: set it to the secret that seals the accounts' passwords."""

    def __init__(self) -> None:
        super().__init__(f"{SECRET_ENV} isn't set: set it to the secret that seals the accounts' passwords.")


class WeakSecret(MissingSecret):
    """ROSREESTR_CRYPTO_SECRET can be guessed.

    Attributes:
        why: What is wrong with it, in a few words that don't repeat it.
    """

    def __init__(self, why: str) -> None:
        CryptoError.__init__(
            self,
            f"{SECRET_ENV} {why}: what it seals, others can open. Set a random one of {_MIN_CHARACTERS} characters or "
            f"more (`openssl rand -base64 32`); where a weak one has sealed passwords already, give that as "
            f"{PREVIOUS_SECRETS_ENV}, and set the passwords again.",
        )
        self.why = why


class NotSealed(CryptoError):
    """The stored text isn't a sealed one.

    Attributes:
        username: The account it was stored for.
        purpose: What it was to be used for.
    """

    def __init__(self, username: str, purpose: str) -> None:
        super().__init__(f"The stored {purpose} of account {username!r} isn't a sealed one: set it again.")
        self.username = username
        self.purpose = purpose


class WrongSecret(CryptoError):
    """The text was sealed with another secret.

    Attributes:
        username: The account it was stored for.
        purpose: What it was to be used for.
        key_id: Of the secret that sealed it; None for the old form, which doesn't say.
    """

    def __init__(self, username: str, purpose: str, key_id: str | None, message: str | None = None) -> None:
        super().__init__(
            message
            or f"The {purpose} of account {username!r} wasn't sealed with this {SECRET_ENV}: "
            f"start with the secret that sealed it, or set the {purpose} again."
        )
        self.username = username
        self.purpose = purpose
        self.key_id = key_id


class SealBroken(WrongSecret):
    """The secret is the right one, but the text was changed since, or was sealed for another account or purpose."""

    def __init__(self, username: str, purpose: str, key_id: str) -> None:
        super().__init__(
            username,
            purpose,
            key_id,
            f"The sealed {purpose} of account {username!r} was changed or belongs to another account: set it again.",
        )


class Secretbox:
    """Seals texts with one secret and opens what that or an earlier one sealed.

    Deriving a key takes some 50 ms by design, so keys are kept for the life of the process. Thread-safe.

    Args:
        secret: What seals.
        previous: Earlier secrets, for opening only. To rotate: start with the new secret and the old one here, set (or
            seal again) what `key_id` still finds under the old, then drop it.

    Raises:
        MissingSecret: A secret is empty or blank.
    """

    __slots__ = ("_previous", "_salt", "_secret")

    def __init__(self, secret: str, previous: Sequence[str] = ()) -> None:
        if not secret.strip() or not all(earlier.strip() for earlier in previous):
            raise MissingSecret
        self._secret = secret
        self._previous = tuple(previous)
        # One salt per box, not per text: what it seals opens with one derivation, and no two deployments share a key.
        self._salt = os.urandom(_SALT_BYTES)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Secretbox:
        """Make the box that the environment describes. Earlier secrets may be weak: they only open.

        Raises:
            MissingSecret: ROSREESTR_CRYPTO_SECRET isn't set or empty.
            WeakSecret: It can be guessed, and this isn't the system that `orders-service dev` started.
        """
        previous = [line.strip() for line in environ.get(PREVIOUS_SECRETS_ENV, "").splitlines()]
        secret = require_secret(environ)
        if not environ.get(DEV_ENV):
            require_strength(secret)
        return cls(secret, [line for line in previous if line])

    def __repr__(self) -> str:
        return f"Secretbox(previous={len(self._previous)})"

    @property
    def key_id(self) -> str:
        """Name the secret that seals: eight hex digits, the same in every process with this secret."""
        return _key_id(self._secret)

    def seal(self, text: str, *, username: str, purpose: str) -> str:
        """Seal a text for this account and purpose; the same text gives another result each time."""
        key_id = self.key_id
        nonce = os.urandom(_NONCE_BYTES)
        key = _derive(self._secret, self._salt)
        sealed = AESGCM(key).encrypt(nonce, text.encode(), _associated(key_id, self._salt, username, purpose))
        return f"{_FORM}.{key_id}.{_encode(self._salt)}.{_encode(nonce + sealed)}"

    def open(self, sealed: str, *, username: str, purpose: str) -> str:
        """Return the text that was sealed for this account and purpose.

        Raises:
            NotSealed: The text is in neither form.
            WrongSecret: None of this box's secrets sealed it.
            SealBroken: It was changed, or sealed for another account or purpose.
        """
        if match := _NEW_TEXT.fullmatch(sealed):
            return self._open_new(match, username, purpose)
        # The old system sealed passwords only, and bound them to nothing: a session in this form was planted.
        if purpose == PASSWORD and is_old_form(sealed):
            return self._open_old(sealed, username, purpose)
        raise NotSealed(username, purpose)

    def is_current(self, sealed: str) -> bool:
        """Whether the secret that seals now sealed this text too; else it is due to be sealed again."""
        return key_id_of(sealed) == self.key_id

    def _open_new(self, match: re.Match[str], username: str, purpose: str) -> str:
        key_id = match[1]
        try:
            salt, body = _decode(match[2]), _decode(match[3])
        except binascii.Error as exc:
            raise NotSealed(username, purpose) from exc
        if len(salt) != _SALT_BYTES or len(body) < _NONCE_BYTES + _TAG_BYTES:
            raise NotSealed(username, purpose)
        secret = next((known for known in (self._secret, *self._previous) if _key_id(known) == key_id), None)
        if secret is None:
            raise WrongSecret(username, purpose, key_id)
        nonce, ciphertext = body[:_NONCE_BYTES], body[_NONCE_BYTES:]
        associated = _associated(key_id, salt, username, purpose)
        try:
            return AESGCM(_derive(secret, salt)).decrypt(nonce, ciphertext, associated).decode()
        except InvalidTag as exc:
            raise SealBroken(username, purpose, key_id) from exc

    def _open_old(self, sealed: str, username: str, purpose: str) -> str:
        iv, tag, data = (base64.b64decode(part) for part in sealed.split(":"))
        for secret in (self._secret, *self._previous):
            try:
                return AESGCM(_derive(secret, _OLD_SALT)).decrypt(iv, data + tag, None).decode()
            except InvalidTag:
                continue  # the old form doesn't say which secret it was: all are tried
        raise WrongSecret(username, purpose, None)


def require_secret(environ: Mapping[str, str]) -> str:
    """Return ROSREESTR_CRYPTO_SECRET.

    Raises:
        MissingSecret: It isn't set, or empty. There is no default: what a default seals, everybody can open.
    """
    secret = environ.get(SECRET_ENV, "")
    if not secret.strip():
        raise MissingSecret
    return secret


def require_strength(secret: str) -> None:
    """Return for a secret that nobody guesses.

    Raises:
        WeakSecret: It is short, of few different characters, or one of those that stand in examples.
    """
    if len(secret) < _MIN_CHARACTERS:
        raise WeakSecret(f"is too short ({len(secret)} characters)")
    if len(set(secret)) < _MIN_DIFFERENT:
        raise WeakSecret("repeats a few characters")
    if "".join(character for character in secret.lower() if character.isalnum()) in _KNOWN:
        raise WeakSecret("is one that stands in examples")


def key_id_of(sealed: str) -> str | None:
    """Return the key id of the secret that sealed a text of the new form; None for any other text. Needs no secret."""
    match = _NEW_TEXT.fullmatch(sealed)
    return match[1] if match else None


def is_old_form(sealed: str) -> bool:
    """Whether the text is one that the old system sealed: readable, and written in the new form when set next."""
    match = _OLD_TEXT.fullmatch(sealed)
    if match is None:
        return False
    try:
        iv, tag, _ = (base64.b64decode(part, validate=True) for part in match.groups())
    except binascii.Error:
        return False
    return len(iv) == _OLD_IV_BYTES and len(tag) == _TAG_BYTES


@functools.lru_cache(maxsize=64)
def _derive(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=16384, r=8, p=1, dklen=32)


def _key_id(secret: str) -> str:
    # Through scrypt as well: a fast hash beside the sealed text would let a weak secret be guessed past it.
    return _derive(secret, _KEY_ID_SALT)[:4].hex()


def _associated(key_id: str, salt: bytes, username: str, purpose: str) -> bytes:
    # JSON keeps the fields apart: no username can run into the purpose.
    return json.dumps([_FORM, key_id, _encode(salt), purpose, username], ensure_ascii=True).encode()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(data) != text:  # spare bits in the last character: two texts would be one
        raise binascii.Error("not the canonical encoding")
    return data
