"""Signatures that any library of Standard Webhooks checks."""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, hmac

from orders_service.webhooks.signing import new_secret, sign


def test_the_example_of_the_standards_own_libraries_comes_out() -> None:
    signature = sign(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_two_secrets_sign_side_by_side_the_current_one_first() -> None:
    now, before = new_secret(), new_secret()

    signed = sign([now, before], "whd_1", 17, "тело".encode())

    for secret, one in zip((now, before), signed.split(), strict=True):
        check = hmac.HMAC(base64.b64decode(secret.removeprefix("whsec_")), hashes.SHA256())
        check.update("whd_1.17.тело".encode())
        check.verify(base64.b64decode(one.removeprefix("v1,")))


def test_no_two_secrets_are_alike_and_each_has_32_bytes() -> None:
    made = {new_secret() for _ in range(100)}

    assert len(made) == 100
    assert {len(base64.b64decode(one.removeprefix("whsec_"))) for one in made} == {32}


def test_the_receiver_of_the_documentation_takes_what_is_signed_and_nothing_else() -> None:
    page = (Path(__file__).parents[4] / "docs" / "webhooks.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    example: dict[str, Any] = {}
    exec(code, example)
    check = example["check"]
    secret, now = new_secret(), int(time.time())

    def headers(at: int, by: str) -> dict[str, str]:
        signature = sign([new_secret(), by], "msg_1", at, b"{}")
        return {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": signature}

    assert check(secret, headers(now, secret), b"{}")
    assert not check(secret, headers(now, secret), b"{ }")
    assert not check(secret, headers(now, new_secret()), b"{}")
    assert not check(secret, headers(now - 301, secret), b"{}")
    assert not check(secret, headers(now, secret) | {"webhook-id": "msg_2"}, b"{}")
