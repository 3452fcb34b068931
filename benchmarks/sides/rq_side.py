"""rq with its worker that doesn't fork (a fork a job would cost it ten times that). A killed worker's job isn't run
again by itself."""

from __future__ import annotations

import redis
import rq
import side

current = None


def run(data):
    current.handle(data)


class Rq(side.Side):
    def open(self):
        global current
        current = self
        self.redis = redis.Redis(host=self.host, port=self.port, db=self.db, password=self.password)
        self.queue = rq.Queue(side.NAME, connection=self.redis)

    def enqueue(self, number, data):
        self.queue.enqueue("rq_side.run", data, result_ttl=0)

    def enqueue_many(self, numbers, data):
        for start in range(0, len(numbers), side.BATCH):
            part = numbers[start : start + side.BATCH]
            self.queue.enqueue_many([rq.Queue.prepare_data("rq_side.run", (data,), result_ttl=0) for _ in part])

    def work(self):
        # What the worker imports is this file anew, under its own name.
        import rq_side

        rq_side.current = self
        rq.SimpleWorker([self.queue], connection=self.redis).work(logging_level="WARNING")


if __name__ == "__main__":
    side.main(Rq)
