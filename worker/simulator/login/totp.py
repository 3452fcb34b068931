"""One-time codes as an authenticator app makes them: SHA-1, six digits, a new one every 30 seconds (RFC 6238)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct

STEP_S = 30


def code(secret: str, at_s: float) -> str:
    """The code of a base32 secret at a time of the wall, in seconds since 1970.

    Raises:
        ValueError: The secret isn't base32.
    """
    packed = secret.replace(" ", "").rstrip("=").upper()
    try:
        key = base64.b32decode(packed + "=" * (-len(packed) % 8))
    except binascii.Error as exc:
        raise ValueError("The secret isn't base32.") from exc
    mac = hmac.new(key, struct.pack(">Q", int(at_s) // STEP_S), hashlib.sha1).digest()
    offset = mac[-1] & 0x0F
    number = struct.unpack(">I", mac[offset : offset + 4])[0] & 0x7FFF_FFFF
    return f"{number % 1_000_000:06d}"


def is_valid(secret: str, given: str, at_s: float) -> bool:
    """Whether this is the code of now, of the step before or of the one after."""
    return any(hmac.compare_digest(code(secret, at_s + step * STEP_S).encode(), given.encode()) for step in (-1, 0, 1))
