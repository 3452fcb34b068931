"""huey, one thread, a blocking pop; a killed worker's task is lost."""

from __future__ import annotations

import side
from huey import RedisHuey


class Huey(side.Side):
    def open(self):
        self.huey = RedisHuey(side.NAME, url=self.url, results=False)

        @self.huey.task(name="run")
        def run(data):
            self.handle(data)

        self.task = run

    def enqueue(self, number, data):
        self.task(data)

    def enqueue_delayed(self, number, data, delay_s):
        self.task.schedule(args=(data,), delay=delay_s)

    def work(self):
        consumer = self.huey.create_consumer(workers=1, worker_type="thread", periodic=False)
        consumer.start()
        side.threading.Event().wait()


if __name__ == "__main__":
    side.main(Huey)
