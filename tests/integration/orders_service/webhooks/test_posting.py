"""One POST: where it goes, as whom it knows the other end, and what becomes of an answer that isn't one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest

from orders_service.webhooks.posting import NotTaken, Parcel, Poster
from tests.certificates import Authority
from tests.integration.orders_service.webhooks.house import Receiver, opened_receiver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HEADERS = {"webhook-id": "whd_1", "webhook-timestamp": "1", "webhook-signature": "v1,x"}


def post(url: str, *addresses: str, is_private_allowed: bool = True, **more: Any) -> int:
    """Send to a name that stands for these addresses; without any, to what it really stands for."""

    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    async def sent() -> int:
        poster = Poster(**{"timeout_s": 5.0, **({"resolve": resolve} if addresses else {}), **more})
        parcel = Parcel(url=url, body=b"{}", headers=HEADERS, is_private_allowed=is_private_allowed)
        try:
            return await poster.post(parcel)
        finally:
            await poster.close()

    return asyncio.run(sent())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with opened_receiver() as opened:
        yield opened


@contextlib.contextmanager
def talking(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Somebody who answers a connection in his own way; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        thread.join(20)


def test_the_connection_goes_to_the_address_that_was_judged_and_the_name_is_told(receiver: Receiver) -> None:
    asked = []

    async def resolve(host: str, port: int) -> list[str]:
        # Whoever asks again is led elsewhere.
        asked.append((host, port))
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    assert post(f"http://crm.example:{receiver.port}/x?y=1", resolve=resolve) == 200

    assert asked == [("crm.example", receiver.port)]
    (came,) = receiver.received
    assert (came.path, came.headers["host"]) == ("/x?y=1", f"crm.example:{receiver.port}")


@pytest.mark.parametrize(
    "name", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "[::ffff:127.0.0.1]"]
)
def test_no_spelling_of_this_machine_is_reached_unless_said_so(receiver: Receiver, name: str) -> None:
    with pytest.raises(NotTaken, match=r"inside the network|isn't one"):
        post(f"https://{name}:{receiver.port}/", is_private_allowed=False)

    assert receiver.received == []


def test_one_forbidden_address_among_several_spoils_the_name(receiver: Receiver) -> None:
    with pytest.raises(NotTaken, match=r"169\.254\.169\.254"):
        post(f"http://crm.example:{receiver.port}/", "127.0.0.1", "169.254.169.254")

    assert receiver.received == []


def test_the_next_address_is_tried_where_nobody_listens(receiver: Receiver) -> None:
    assert post(f"http://crm.example:{receiver.port}/", "127.0.0.2", "127.0.0.1") == 200


def test_nobody_is_led_elsewhere(receiver: Receiver) -> None:
    receiver.answer = lambda _: (307, {"location": f"http://127.0.0.1:{receiver.port}/elsewhere"})

    with pytest.raises(NotTaken, match=r"307.*set the address where it leads"):
        post(receiver.url)

    assert [one.path for one in receiver.received] == ["/told?key=hidden-in-the-url"]


def test_a_proxy_of_the_environment_sees_nothing(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened_receiver() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

        assert post(receiver.url) == 200

        assert proxy.received == []


def test_a_certificate_is_looked_at_by_the_name_and_not_by_the_address(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = authority.equip("crm.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert_file, files.key_file)
    with opened_receiver() as receiver:
        receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
        url = f"https://crm.example:{receiver.port}/x"

        assert post(url, "127.0.0.1", ca_file=str(files.ca_file)) == 200
        with pytest.raises(NotTaken, match="isn't trusted"):
            post(url, "127.0.0.1")
        with pytest.raises(NotTaken, match="isn't trusted"):
            post(f"https://other.example:{receiver.port}/x", "127.0.0.1", ca_file=str(files.ca_file))
        with pytest.raises(NotTaken, match="isn't trusted"):
            post(f"https://127.0.0.1:{receiver.port}/x", ca_file=str(files.ca_file))

        assert len(receiver.received) == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_two_hundred_is_taken(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda _: (status, {"content-length": "0"} if status == 204 else {})

    assert post(receiver.url) == status


@pytest.mark.parametrize("status", [301, 400, 401, 404, 409, 410, 429, 500, 503])
def test_no_other_is(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda _: (status, {"retry-after": "7"})

    with pytest.raises(NotTaken, match=str(status)) as caught:
        post(receiver.url)

    assert (caught.value.status, caught.value.pause_s) == (status, 7.0)
    assert "hidden-in-the-url" not in str(caught.value)


def endless(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(b"x" * 65536)


def test_an_answer_without_an_end_is_left(receiver: Receiver) -> None:
    with talking(endless) as port:
        assert post(f"http://127.0.0.1:{port}/") == 200


def test_a_packed_answer_is_never_unpacked() -> None:
    def bomb(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope")

    with talking(bomb) as port:
        assert post(f"http://127.0.0.1:{port}/") == 200


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "connection broke"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "connection broke"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000, "connection broke"),
        (None, "no answer within"),
    ],
)
def test_what_is_no_answer_is_told_as_that_in_time(answer: bytes | None, why: str) -> None:
    over = threading.Event()

    def say(connection: socket.socket) -> None:
        connection.recv(65536)
        if answer is None:
            over.wait(20)
        else:
            with contextlib.suppress(OSError):
                connection.sendall(answer)

    with talking(say) as port:
        with pytest.raises(NotTaken, match=why) as caught:
            post(f"http://127.0.0.1:{port}/?key=hidden", timeout_s=0.5 if answer is None else 5.0)
        over.set()

    assert "hidden" not in str(caught.value)


def test_nobody_there_is_told_as_that() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(NotTaken, match="Nobody listens there"):
        post(f"http://127.0.0.1:{port}/")
    with pytest.raises(NotTaken, match="can't be looked up"):
        post("https://nobody.invalid/")


def test_what_was_answered_counts_however_slowly_its_body_drips() -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not over.wait(0.05):
            connection.sendall(b".")

    over = threading.Event()
    try:
        with talking(answer) as port:
            assert post(f"http://crm.example:{port}/", "127.0.0.1", timeout_s=0.5) == 200
            over.set()
    finally:
        over.set()


def test_a_name_in_punycode_is_looked_up_as_it_is_spelled() -> None:
    """In letters it is `fa\u00df.example`, which Python spells `fass.example`: somebody else's."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        raise OSError

    with pytest.raises(NotTaken, match=r"The name xn--fa-hia\.example can't be looked up"):
        post("https://xn--fa-hia.example/", "unused", resolve=resolve)
    with pytest.raises(NotTaken, match=r"The name xn--\.example can't be looked up"):
        post("https://xn--.example/", "unused", resolve=resolve)

    assert asked == ["xn--fa-hia.example", "xn--.example"]
