"""A TCP proxy before Redis that writes down which scripts were called and what they answered.

Whatever a script was called with, by whichever client, can be sent once more, letter by letter: what a client does
whose answer was lost.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import selectors
import socket
import threading
from typing import TYPE_CHECKING, Any

import hiredis

from rosq.scripts import loader

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of a script: how many keys, the keys, the arguments; and the answer, as Redis gave it."""

    name: str
    sha: str
    rest: tuple[str, ...]
    answer: Any


class Recorder:
    """Passes everything on, and remembers the calls of rosq's scripts in order."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.calls: list[Call] = []
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def last(self, name: str) -> Call:
        """The last call of this script that Redis knew and answered."""
        return next(call for call in reversed(self.calls) if call.name == name)

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._open += [client, server]
            threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        asked: list[list[str]] = []
        requests, answers = (hiredis.Reader(encoding="utf-8", errors="surrogateescape") for _ in range(2))
        with client, server, selectors.DefaultSelector() as selector, contextlib.suppress(OSError, ValueError):
            selector.register(client, selectors.EVENT_READ)
            selector.register(server, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(65_536)  # type: ignore[union-attr]
                    if not data:
                        return
                    if key.fileobj is client:
                        requests.feed(data)
                        asked += self._read(requests)
                        server.sendall(data)
                    else:
                        answers.feed(data)
                        for answer in self._read(answers):
                            # Written down before the client can go on.
                            self._note(asked.pop(0), answer)
                        client.sendall(data)

    @staticmethod
    def _read(reader: hiredis.Reader) -> list[Any]:
        found = []
        while (message := reader.gets()) is not False:
            found.append(message)
        return found

    def _note(self, request: list[str], answer: Any) -> None:
        command, *rest = request
        if command.upper() == "SCRIPT" and rest[0].upper() == "LOAD":
            _learn(rest[1])
        elif command.upper() in ("EVAL", "EVALSHA"):
            sha = rest[0] if command.upper() == "EVALSHA" else _learn(rest[0])
            if sha in _NAMES and not isinstance(answer, hiredis.ReplyError):
                self.calls.append(Call(_NAMES[sha], sha, tuple(rest[1:]), answer))


#: What the server's scripts are, by their hash: a script has other constants, and so another hash, with other settings.
_NAMES: dict[str, str] = {}


def _learn(source: str) -> str:
    """Note which of rosq's scripts this is: each has its own header in it."""
    sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
    for name in loader.list_names():
        header = loader.load(name).source.split("\n", 1)[0]
        if header in source.splitlines():
            _NAMES[sha] = name
    return sha


def send_again(client: Any, call: Call) -> Any:
    """Run the script once more with the same keys and arguments."""
    return client.execute_command("EVALSHA", call.sha, *call.rest)


@contextlib.contextmanager
def recorder(host: str, port: int) -> Iterator[Recorder]:
    """Run such a proxy."""
    recording = Recorder(host, port)
    try:
        yield recording
    finally:
        recording.close()
