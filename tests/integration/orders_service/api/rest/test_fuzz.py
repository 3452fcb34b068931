"""Bad requests in numbers: none is answered by 500 or a traceback, and nothing of them is stored.

`ROSQ_REST_BAD_REQUESTS` says how many (300; 10,000 in the long mode), `ROSQ_REST_SEED` from which number they follow.
`ROSQ_REST_SCHEMATHESIS` also lets Schemathesis make so many of each call from the OpenAPI document.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import re
import subprocess
import sys
import urllib.parse
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.descriptor import FieldDescriptor

from orders_service.api.rest.bindings import read_bindings
from orders_service.server import REST_SERVICES

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.descriptor import Descriptor

    from orders_service.api.rest.bindings import Binding
    from tests.integration.orders_service.serving import Service
    from tests.postgres import Database

BINDINGS = read_bindings(REST_SERVICES)
SCHEMATHESIS = int(os.environ.get("ROSQ_REST_SCHEMATHESIS", "0"))

#: None of these is a cadastral number, or an account's name.
TEXTS = (
    "",
    "\0",
    "x\0y",
    "ж" * 5000,
    "\ud800",
    "%00",
    "../../etc/passwd",
    "' or 1=1 --",
    "77:01:1",
    "{{7*7}}",
    "\r\n",
    "🙂",
    "-",
)
NUMBERS = (0, -1, 2**31, 2**62, 2**63 - 1, 2**63, 10**400, 1.5, -0.0, 1e308, "9" * 30, "1e5", "0x10", " 7", "٣")
ODD: tuple[Any, ...] = (None, True, False, [], {}, [[]], {"": {}}, [None], {"@type": "x"})
IDS = ("0", "-1", str(2**62), str(2**63), "x", "%00", "%ff", "%2f", "1.5", "%D9%A3", "null", "~" * 300, "..")


class Fuzzer:
    """Makes bad requests, the same from the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def request(self) -> tuple[str, str, bytes | None, dict[str, str]]:
        """Method, path with query, body and headers."""
        pick = self.random
        binding = pick.choice(BINDINGS)
        path = binding.template.text
        for name in binding.template.fields:
            path = path.replace(f"{{{name}}}", pick.choice(IDS))
        query = self.query(binding)
        body = self.body(binding)
        headers = {"content-type": "application/json"} if body is not None else {}
        match pick.randrange(12):
            case 0:
                headers["content-type"] = pick.choice(
                    ["text/plain", "", "application/json; charset=x", ";;;", "a" * 5000]
                )
            case 1:
                headers["range"] = pick.choice(["bytes=0-", "bytes=--", "x"])
                headers["if-none-match"] = pick.choice(["*", '"', "W/"])
            case 2:
                path = pick.choice([path + "/", path + ":x", path.upper(), path.replace("/", "//"), path + "%00"])
            case 3:
                headers["authorization"] = pick.choice(["Bearer", "Bearer \xff", "Basic eDp5", "Bearer " + "x" * 3000])
        verb = binding.verb if pick.random() < 0.9 else pick.choice(["GET", "POST", "PUT", "PATCH", "DELETE", "BREW"])
        return verb, path + (f"?{query}" if query else ""), body, headers

    def query(self, binding: Binding) -> str:
        pick = self.random
        names = [field.name for field in binding.method.input_type.fields]
        pairs = [
            (pick.choice([*names, "x", "a.b.c", "", "__proto__"]), str(pick.choice([*TEXTS, *NUMBERS, *IDS])))
            for _ in range(pick.choice([0, 0, 1, 2, 5]))
        ]
        return urllib.parse.urlencode(pairs, errors="surrogatepass") if pick.random() < 0.9 else "%ff=%&&=&%00"

    def body(self, binding: Binding) -> bytes | None:
        pick = self.random
        chance = pick.random()
        if chance < 0.1:
            return pick.choice(
                [b"", b"{", b"[" * 5000, b'{"a":' * 3000, b"\xff\xfe{}", b"null", b'"x"', b"NaN", b"7", b"\0" * 100]
            )
        if chance < 0.2 or not binding.body:
            return None
        described = binding.method.input_type
        if binding.body != "*":
            inner = described.fields_by_name[binding.body].message_type
            assert inner is not None
            described = inner
        return json.dumps(self.message(described)).encode("utf-8", "surrogatepass")

    def message(self, described: Descriptor, depth: int = 0) -> Any:
        pick = self.random
        if depth > 6 or pick.random() < 0.1:
            return pick.choice(ODD)
        made = {field.name: self.value(field, depth) for field in described.fields if pick.random() < 0.7}
        if pick.random() < 0.2:
            made[pick.choice(["x", "", "@type", "ж", "order_id"])] = pick.choice([*TEXTS, *ODD])
        return made

    def value(self, field: FieldDescriptor, depth: int) -> Any:
        pick = self.random
        if field.is_repeated and pick.random() < 0.9:
            return [self.one(field, depth) for _ in range(pick.choice([0, 1, 3, 40]))]
        return self.one(field, depth)

    def one(self, field: FieldDescriptor, depth: int) -> Any:
        pick = self.random
        if pick.random() < 0.15:
            return pick.choice(ODD)
        if field.message_type is not None:
            return self.message(field.message_type, depth + 1)
        if field.type == FieldDescriptor.TYPE_STRING:
            return pick.choice(TEXTS)
        if field.type == FieldDescriptor.TYPE_BOOL:
            return pick.choice([True, False, "true", 1])
        return pick.choice([*NUMBERS, *TEXTS])


def test_bad_requests_are_refused_in_json_and_leave_nothing(service: Service, database: Database) -> None:
    number = int(os.environ.get("ROSQ_REST_BAD_REQUESTS", "300"))
    seed = int(os.environ.get("ROSQ_REST_SEED", "0")) or random.randrange(10**9)
    fuzzer = Fuzzer(seed)
    before = stored(database)
    statuses: dict[int, int] = {}

    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", service.rest_port, timeout=60)) as connection:
        for turn in range(number):
            verb, path, body, headers = fuzzer.request()
            connection.request(verb, path, body, headers)
            answer = connection.getresponse()
            if answer.headers["content-type"] == "text/event-stream":
                # Begun, and never over by itself.
                connection.close()
                continue
            content = answer.read()
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
            sent = f"{verb} {path[:200]!r} {body and body[:500]!r} {headers}"
            said = f"seed {seed}, turn {turn}: {sent} -> {content[:500]!r}"
            assert answer.status < 500, said
            if answer.status >= 400:
                assert answer.headers["content-type"] == "application/problem+json", said
                assert json.loads(content)["status"] == answer.status, said

    assert stored(database) == before, f"seed {seed}"
    assert "Traceback" not in service.process.log, f"seed {seed}"
    assert statuses.get(400, 0) > number * 0.3, statuses


@pytest.mark.skipif(not SCHEMATHESIS, reason="only in the long mode: ROSQ_REST_SCHEMATHESIS")
@pytest.mark.timeout(3600)
def test_schemathesis_finds_no_request_that_breaks_the_service_or_the_document(
    service: Service, database: Database, tmp_path: Path
) -> None:
    pytest.importorskip("schemathesis")
    before = stored(database)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{service.rest_port}/openapi.json"),
        *("--mode", "negative", "--phases", "coverage,fuzzing", "--max-examples", str(SCHEMATHESIS)),
        *("--exclude-path", "/v1/orders:watch"),
        *("--exclude-checks", "positive_data_acceptance,negative_data_rejection,unsupported_method"),
        *("--no-color", "--warnings", "off", "--continue-on-failure", "--suppress-health-check", "all"),
    ]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=3500, check=False)

    print(done.stdout[-5000:])  # noqa: T201 - what was tried, and what was found
    assert done.returncode == 0, done.stdout[-10000:]
    found = re.search(r"([\d,]+) generated", done.stdout)
    assert found is not None
    assert "Traceback" not in service.process.log
    assert stored(database)[0] == before[0], "no order"


def stored(database: Database) -> tuple[Any, ...]:
    """How many orders and accounts there are."""
    with database.connect() as connection:
        row = connection.execute(
            "select (select count(*) from orders), (select count(*) from rosreestr_users)"
        ).fetchone()
    assert row is not None
    return tuple(row)
