"""A receiver that answers as it is told, and the service's webhooks beside it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import http.server
import json
import threading
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes, hmac

from orders_service.access import tokens
from orders_service.access.callers import Role
from orders_service.api.webhook_body import write_body
from orders_service.crypto import Secretbox
from orders_service.settings import Settings, WebhookSettings
from orders_service.store.db import Database
from orders_service.webhooks import manage
from orders_service.webhooks.service import Webhooks
from tests.integration.orders_service.stage import opened_queue
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from tests import postgres
    from tests.servers import RedisServer

SECRET = "secret of the tests"
#: Tried again so soon, and so often, in tests.
SOON = WebhookSettings(
    senders=4, timeout_s=5.0, pauses_s=(0.05,) * 4, rest_s=0.01, away_after_s=0.0, lease_s=2.0, sweep_s=0.2
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def message(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> tuple[int, str]:
        """Which order, and the state that is told of."""
        return int(self.message["order"]["order_id"]), self.message["type"]

    def is_signed_by(self, secret: str) -> bool:
        """Check the signature by another library than the sender's."""
        signed = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        check = hmac.HMAC(base64.b64decode(secret.removeprefix("whsec_")), hashes.SHA256())
        check.update(signed)
        expected = check.finalize()
        given = [base64.b64decode(one.removeprefix("v1,")) for one in self.headers["webhook-signature"].split()]
        return expected in given


class Receiver:
    """An HTTP server on loopback.

    Attributes:
        answer: Called with each request, in a thread of its own: the status, and headers.
        taken: What was answered with 2xx.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.taken: list[Received] = []
        self.answer: Callable[[Received], tuple[int, dict[str, str]]] = lambda _: (200, {})
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                came = Received(path=self.path, headers=headers, body=body)
                receiver.received.append(came)
                status, more = receiver.answer(came)
                self.send_response(status)
                for name, value in {"content-length": "2", **more}.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(b"ok")
                if 200 <= status < 300:
                    receiver.taken.append(came)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}/told?key=hidden-in-the-url"
        self._thread = threading.Thread(target=self.server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(10)


class Teller:
    """The service's webhooks on a database; their event loop has a thread of its own."""

    def __init__(
        self, database: postgres.Database, redis: RedisServer, queue_name: str, settings: WebhookSettings, **more: Any
    ) -> None:
        self.database = database
        self.box = Secretbox(SECRET)
        self.settings = dataclasses.replace(settings, queue_name=queue_name)
        self._stack = contextlib.ExitStack()
        self.queue = self._stack.enter_context(opened_queue(redis, queue_name))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.db = Database(Settings.from_env(database.env()))
        self.run(self.db.open)
        self._more = more
        self._task: asyncio.Task[None] | None = None
        self.webhooks: Webhooks | None = None

    def run(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Await this in the event loop."""

        async def awaited() -> Any:
            return await work()

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(60)

    def start(self) -> None:
        """Start telling."""

        async def started() -> None:
            self.webhooks = Webhooks(
                self.db, self.queue, self.box, self.settings, write_body, grace_s=5.0, **self._more
            )
            self._task = asyncio.create_task(self.webhooks.run())

        self.run(started)

    def stop(self) -> None:
        """Let what is being sent end, then stop."""

        async def stopped() -> None:
            if self.webhooks is not None and self._task is not None:
                await self.webhooks.stop()
                self._task.cancel()
                await asyncio.wait([self._task])

        self.run(stopped)
        self.webhooks = self._task = None

    def add_client(self, name: str, url: str, *, is_private_allowed: bool = True) -> str:
        """A client with a token and a webhook, all of this name; returns what signs."""
        wanted = tokens.NewToken(name=name, role=Role.CLIENT, client=name, created_by="test")
        self.run(lambda: tokens.add_token(self.db, wanted))
        _, secret = self.run(
            lambda: manage.set_webhook(self.db, self.box, name, url, is_private_allowed=is_private_allowed, by="test")
        )
        return str(secret)

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask, or change, the database."""
        with self.database.connect() as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def states(self) -> list[str]:
        """How each notification stands, in their order."""
        return [row[0] for row in self.rows("select state from webhook_notifications order by id")]

    def close(self) -> None:
        self.stop()
        self.run(self.db.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()
        self._stack.close()


@contextlib.contextmanager
def opened_receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()


@contextlib.contextmanager
def opened_teller(
    database: postgres.Database, redis: RedisServer, queue_name: str, settings: WebhookSettings = SOON, **more: Any
) -> Iterator[Teller]:
    teller = Teller(database, redis, queue_name, settings, **more)
    try:
        yield teller
    finally:
        teller.close()


def add_order(teller: Teller, client: str, number: int = 1) -> int:
    """An accepted order of the client, with its event, as the service writes both."""
    rows = teller.rows(
        "with made as (insert into orders (cad_num, client, idempotency_key, recipient, relayed_at) "
        "values (%s, %s, gen_random_uuid()::text, 'Иванов Иван', now()) returning id) "
        "insert into order_events (order_id, actor, kind, to_state) select id, 'client', 'transition', 'queued' "
        "from made returning order_id",
        f"77:01:0001001:{number}",
        client,
    )
    return int(rows[0][0])


def move(teller: Teller, order_id: int, to_state: str, from_state: str = "queued") -> None:
    """One more change of its state, as far as the history tells it."""
    teller.rows(
        "insert into order_events (order_id, actor, kind, from_state, to_state, reason) "
        "values (%s, 'worker:a', 'transition', %s::order_state, %s::order_state, 'so it is')",
        order_id,
        from_state,
        to_state,
    )


def wait_for(count: int, got: list[Any], what: str, timeout_s: float = 30.0) -> None:
    """Wait until so many are there."""
    wait_until(lambda: len(got) >= count, what, timeout_s)
