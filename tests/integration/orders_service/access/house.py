"""The service with its ports in this process, for tests of who is let in."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import message_factory

from orders_service.access import tokens
from orders_service.api.auth.gatekeeper import Gatekeeper
from orders_service.channel.opening import open_channel
from orders_service.channel.settings import ChannelSettings
from orders_service.crypto import Secretbox
from orders_service.listening import ListenSettings
from orders_service.server import Server
from orders_service.settings import Address, Settings
from orders_service.store.db import Database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from google.protobuf.message import Message

    from orders_service.access.callers import Role
    from tests import postgres

LOOPBACK = Address(host="127.0.0.1", port=0)


class House:
    """A running Server. Its event loop has a thread of its own; calls come from the test's, as from outside."""

    def __init__(self, database: postgres.Database, listen: ListenSettings, rate: float = 0.0, **gate: Any) -> None:
        self.database = database
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._channels: list[grpc.Channel] = []
        self.secrets: dict[str, str] = {}
        self.db, self.gatekeeper, self.server, self.addresses = self.run(lambda: self._open(listen, rate, gate))

    async def _open(self, listen: ListenSettings, rate: float, gate: dict[str, Any]) -> Any:
        settings = Settings.from_env({**self.database.env(), "ORDER_LEASE_S": "1"})
        db = Database(settings)
        await db.open()
        gatekeeper = Gatekeeper(db, is_token_required=listen.is_token_required, rate=rate, **gate)
        server = Server(db, Secretbox("secret of the tests"), settings, listen, gatekeeper)
        return db, gatekeeper, server, await server.start()

    def run(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Await this in the service's event loop."""

        async def awaited() -> Any:
            return await work()

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(60)

    def add_token(self, name: str, role: Role, **more: Any) -> str:
        """Make a token, and return what lets its owner in."""
        wanted = tokens.NewToken(name=name, role=role, created_by="test", **more)
        _, secret = self.run(lambda: tokens.add_token(self.db, wanted))
        self.secrets[name] = secret
        return str(secret)

    def channel(
        self, name: str | None = None, *, port: int = 0, settings: ChannelSettings | None = None
    ) -> grpc.Channel:
        """A channel that sends the token of this name; None: none."""
        settings = settings or ChannelSettings(token=self.secrets[name] if name is not None else None)
        channel = open_channel(f"127.0.0.1:{self.addresses[port].port}", settings)
        self._channels.append(channel)
        return channel

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with self.database.connect() as connection:
            return connection.execute(statement, parameters).fetchall()

    def close(self) -> None:
        for channel in self._channels:
            channel.close()
        self.run(self.server.abort)
        self.run(self.server.stop)
        self.run(self.db.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()


@contextlib.contextmanager
def opened_house(database: postgres.Database, listen: ListenSettings | None = None, **more: Any) -> Iterator[House]:
    """The service on this database, by default on a free port of loopback."""
    house = House(database, listen or ListenSettings(address=LOOPBACK), **more)
    try:
        yield house
    finally:
        house.close()


def call(channel: grpc.Channel, method: Any, request: Message) -> grpc.StatusCode | Message | list[Message]:
    """Make any call of the contract by its descriptor; return its answer, or the code of its error."""

    answer_class = message_factory.GetMessageClass(method.output_type)
    path = f"/{method.containing_service.full_name}/{method.name}"
    write, read = type(request).SerializeToString, answer_class.FromString
    try:
        if method.client_streaming:
            return channel.stream_unary(path, write, read)(iter([request]), timeout=30)
        if method.server_streaming:
            answers: Any = channel.unary_stream(path, write, read)(request, timeout=30)
            if not method.name.startswith("Watch"):
                return list(answers)
            # Begun at once, and never over by itself.
            first = next(answers)
            answers.cancel()
            return [first]
        return channel.unary_unary(path, write, read)(request, timeout=30)
    except grpc.RpcError as error:
        assert isinstance(error, grpc.Call)
        return error.code()
