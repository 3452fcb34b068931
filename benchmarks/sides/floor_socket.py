"""The floor without a client library: the same commands over a bare socket, with hiredis to pack and to parse."""

from __future__ import annotations

import socket

import hiredis
import side
from floor import ANSWERED_NOTHING, GROUP, STEP, STREAM


class Floor(side.Side):
    def open(self) -> None:
        self.socket = socket.create_connection((self.host, self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = hiredis.Reader()
        if self.password:
            self.call("AUTH", self.password)
        self.call("SELECT", self.db)
        self.call("XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM")

    def read(self):
        answer = self.reader.gets()
        while answer is False:
            received = self.socket.recv(65536)
            if not received:
                raise ConnectionError("the server closed the connection")
            self.reader.feed(received)
            answer = self.reader.gets()
        return answer

    def call(self, *command):
        self.socket.sendall(hiredis.pack_command(command))
        return self.read()

    def enqueue(self, number, data):
        self.call("XADD", STREAM, "*", "data", side.json.dumps(data))

    def enqueue_many(self, numbers, data):
        for start in range(0, len(numbers), side.BATCH):
            part = numbers[start : start + side.BATCH]
            packed = [hiredis.pack_command(("XADD", STREAM, "*", "data", side.json.dumps(data))) for _ in part]
            self.socket.sendall(b"".join(packed))
            for _ in part:
                self.read()

    def work(self):
        sha, done = self.call("SCRIPT", "LOAD", STEP), ANSWERED_NOTHING
        while True:
            entry = self.call("EVALSHA", sha, 1, STREAM, GROUP, self.worker_name, done)
            if entry is None:
                answer = self.call(
                    "XREADGROUP", "GROUP", GROUP, self.worker_name, "COUNT", 1, "BLOCK", 2000, "STREAMS", STREAM, ">"
                )
                if answer is None:
                    done = ANSWERED_NOTHING
                    continue
                entry = answer[0][1][0]
            done = entry[0]
            self.handle(side.json.loads(entry[1][1]))


if __name__ == "__main__":
    side.main(Floor)
