"""dramatiq, one thread and a prefetch of one; a killed worker's messages are requeued by another's maintenance."""

from __future__ import annotations

import os

os.environ["DRAMATIQ_QUEUE_PREFETCH"] = "1"

import dramatiq
import side
from dramatiq.brokers.redis import RedisBroker


class Dramatiq(side.Side):
    def open(self):
        self.broker = RedisBroker(url=self.url, heartbeat_timeout=int((self.lease_s or 60) * 1000))
        dramatiq.set_broker(self.broker)

        @dramatiq.actor(queue_name=side.NAME)
        def run(data):
            self.handle(data)

        self.actor = run

    def enqueue(self, number, data):
        self.actor.send(data)

    def work(self):
        worker = dramatiq.Worker(self.broker, queues={side.NAME}, worker_threads=1)
        worker.start()
        side.threading.Event().wait()


if __name__ == "__main__":
    side.main(Dramatiq)
