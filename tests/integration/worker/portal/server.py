"""A small scripted portal over real HTTP: it answers well unless a test says otherwise, and notes what it was asked.

Written from the facts of the contract; it knows nothing of the client.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.integration.worker.portal import papers

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

KEY = "7f1c0c1e-0000-4000-8000-000000000001"
OID = "1000000001"
CAD_NUM = "77:01:0001001:1001"
NUMBER = "OfSite-2026-01-15-123456-77-01"

ON_SEARCH = "/account-back/on/with-addresses"
ON_CARD = "/account-back/on"
ROLES = "/account-back/profile/roles"
INFO = "/account-back/profile/info"
BALANCE = "/account-back/finances/operations/total"
KEY_TEXT = "/account-back/access-key/current-user"
KEY_OBJECT = "/account-back/access-key"
UPLOAD = "/account-request/statement/upload"
FINISH = "/account-request/statement/finish"
LIST = "/account-back/applications"
AUTH = "/account-back/auth/login"
LOGIN = "/aas/oauth2/api/login"
TOTP = "/aas/oauth2/api/login/totp/verify"
RETURN = "/auth-return"
HTML = "text/html; charset=utf-8"
JSON = "application/json"

PROFILE: dict[str, Any] = {
    "id": 1,
    "noauthorization": False,
    "attributesOauth": {
        "userId": OID,
        "lastName": "Тестов",
        "firstName": "Тест",
        "middleName": "Тестович",
        "snils": "000-000-000 00",
        "email": "test@example.org",
        "phone": "+7(000)0000000",
        "documents": {
            "size": 2,
            "elements": [
                {"type": "FRGN_PASS", "series": "99", "number": "1", "issueDate": "x", "issuedBy": "y"},
                {
                    "type": "RF_PASSPORT",
                    "series": "0000",
                    "number": "987654",
                    "issueDate": "01.02.2003",
                    "issuedBy": "ТЕСТОВЫМ ОТДЕЛОМ",
                },
            ],
        },
    },
}


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer, or what comes instead of it."""

    status: int = 200
    body: Any = None
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    #: answer; close: read the request, then close; reset: the same with a RST; cut: half of the body;
    #: trickle: a byte at a time until `release`; wait: no byte until `release`.
    action: str = "answer"

    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str):
            return self.body.encode()
        return json.dumps(self.body).encode()


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at_s: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Portal:
    """The scripted portal. `script` queues replies for a call; when they are used up it answers well again."""

    url: str = ""
    login_url: str = ""
    password: str = "right"
    requests: list[Seen] = field(default_factory=list)
    applications: list[dict[str, Any]] = field(default_factory=list)
    page_max: int = 1000
    sessions: set[str] = field(default_factory=set)
    roles: list[dict[str, Any]] = field(default_factory=lambda: [{"oid": int(OID), "name": "Физическое лицо"}])
    connections: int = 0
    release: threading.Event = field(default_factory=threading.Event)
    _scripts: dict[tuple[str, str], deque[Reply]] = field(default_factory=lambda: defaultdict(deque))
    _always: dict[tuple[str, str], Reply] = field(default_factory=dict)
    _idle: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def script(self, method: str, path: str, *replies: Reply) -> None:
        self._scripts[method, path].extend(replies)

    def always(self, method: str, path: str, reply: Reply) -> None:
        self._always[method, path] = reply

    def seen(self, path: str) -> list[Seen]:
        return [request for request in self.requests if request.path == path]

    def close_idle_connections(self) -> int:
        """Close every connection on which no request has begun, as the portal's idle limit does."""
        with self._lock:
            idle, self._idle = self._idle, set()
        closed = 0
        for connection in idle:
            with suppress(OSError):  # the client was first
                connection.shutdown(socket.SHUT_RDWR)
                closed += 1
        return closed

    def note_idle(self, connection: socket.socket) -> None:
        with self._lock:
            self._idle.add(connection)
            self.connections += 1

    def note_busy(self, connection: socket.socket) -> None:
        with self._lock:
            self._idle.discard(connection)

    def reply_to(self, request: Seen) -> Reply:
        with self._lock:
            self.requests.append(request)
            scripted = self._scripts[request.method, request.path]
            if scripted:
                return scripted.popleft()
        if (reply := self._always.get((request.method, request.path))) is not None:
            return reply
        return self._reply_well(request)

    def _reply_well(self, request: Seen) -> Reply:
        path = request.path
        if path == AUTH:
            return Reply(
                status=302,
                headers=(("Location", f"{self.login_url}/aas/oauth2/ac?client_id=x"), ("Set-Cookie", "waf=1; Path=/")),
            )
        if path == LOGIN:
            if request.json.get("password") != self.password:
                return Reply(status=401, body={"error": "invalid_credentials"})
            return Reply(body={"redirect_url": f"{self.url}{RETURN}"})
        if path == RETURN:
            token = f"token-{len(self.sessions)}"
            self.sessions.add(token)
            # One name twice, with different paths: a real jar sends both.
            return Reply(
                status=302,
                headers=(
                    ("Location", "/"),
                    ("Set-Cookie", f"AUTH_TOKEN={token}; Path=/; HttpOnly"),
                    ("Set-Cookie", f"AUTH_TOKEN={token}; Path=/account-back; HttpOnly"),
                    ("Set-Cookie", "session-cookie=abc; Path=/"),
                ),
            )
        if not any(f"AUTH_TOKEN={token}" in request.headers.get("cookie", "") for token in self.sessions):
            return Reply(status=401, body={"error": "unauthorized"})
        return self._reply_logged_in(request)

    def _reply_logged_in(self, request: Seen) -> Reply:
        simple: dict[str, Callable[[], Any]] = {
            ROLES: lambda: {"logged": False, "roles": self.roles},
            INFO: lambda: PROFILE,
            BALANCE: lambda: [
                {"ordinal": 1, "mnemo": "other", "count": 5},
                {"ordinal": 2, "mnemo": "egrn_with_docs_1", "count": 87, "totalCount": 100},
            ],
            ON_SEARCH: lambda: {"elements": [found()], "count": 1},
            ON_CARD: lambda: {"elements": [card()], "count": 1},
            KEY_TEXT: lambda: KEY,
            KEY_OBJECT: lambda: {"guid": KEY},
        }
        if request.path in simple:
            return Reply(body=simple[request.path]())
        if request.path == UPLOAD:
            echo = {n: request.json[n] for n in ("superPackageGuid", "packageGuid", "statementGuid", "draftGuid")}
            return Reply(body={**echo, "contentToSign": None, "oneRequestForAllObjects": None})
        if request.path == FINISH:
            return Reply(body=NUMBER, content_type="text/plain")
        if request.path == LIST:
            return Reply(body=self._page(request))
        if request.path.endswith("/download"):
            return Reply(body=papers.good_zip(CAD_NUM), content_type="application/zip")
        return Reply(status=404, body={"error": "no such path"})

    def _page(self, request: Seen) -> dict[str, Any]:
        asked = request.json
        rows = [
            row
            for row in self.applications
            if (not asked["requestNumber"] or row["requestNumber"] == asked["requestNumber"])
            and (not asked["cadastralNumber"] or row["cadastralNumber"] == asked["cadastralNumber"])
        ]
        size = min(int(request.query["size"]), self.page_max)
        content = rows[int(request.query["page"]) * size :][:size]
        return {"content": content, "numberOfElements": len(content)}


def found(**changes: Any) -> dict[str, Any]:
    return {
        "objectType": "002001003000",
        "cadastralNumber": CAD_NUM,
        "address": "г. Тестовск, ул. Примерная, д. 1",
        "mainCharacters": [
            {"code": "05", "description": "Площадь", "value": 42.4, "unitCode": "012002001000"},
        ],
        **changes,
    }


def card(**changes: Any) -> dict[str, Any]:
    return {"cadNumber": CAD_NUM, "objType": "002001003000", "status": "1", "cancelDate": None, **changes}


def application(application_id: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": application_id,
        "requestNumber": f"OfSite-2026-01-15-{application_id:06d}-77-01",
        "cadastralNumber": CAD_NUM,
        "statusCode": "processing",
        "requestStatus": "В работе",
        **changes,
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Nagle's algorithm would delay the second piece of an answer by 40 ms and blur what is measured here.
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.portal.note_idle(self.connection)

    def finish(self) -> None:
        self.server.portal.note_busy(self.connection)
        super().finish()

    def parse_request(self) -> bool:
        self.server.portal.note_busy(self.connection)
        self.started_s = time.monotonic()
        return super().parse_request()

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        seen = Seen(
            method=self.command,
            path=parts.path,
            query={name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()},
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("Content-Length", 0))),
            at_s=self.started_s,
        )
        self._send(self.server.portal.reply_to(seen))

    do_GET = do_POST = _answer

    def _send(self, reply: Reply) -> None:
        release = self.server.portal.release
        if reply.action == "wait":
            release.wait(30)
        if reply.action in ("close", "reset", "wait"):
            self.close_connection = True
            if reply.action == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        content = reply.content()
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if reply.action == "cut":
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        if reply.action == "trickle":
            for byte in content:
                self.wfile.write(bytes((byte,)))
                if release.wait(0.02):
                    break
            self.close_connection = True
            return
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    portal: Portal
    tls: ssl.SSLContext | None = None

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.tls is not None:
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave in the middle are what these tests are about."""


class running_portal:
    """Runs a portal in threads of its own, for the length of a `with` block."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.tls = tls
        scheme = "http" if tls is None else "https"
        url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        # The login stands on another origin, as the identity provider does.
        other = url if tls is not None else f"http://localhost:{self._server.server_port}"
        self.portal = Portal(url=url, login_url=other)
        self._server.portal = self.portal
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Portal:
        self._thread.start()
        return self.portal

    def __exit__(self, *_: object) -> None:
        self.portal.release.set()
        self.portal.close_idle_connections()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
        assert not self._thread.is_alive()
