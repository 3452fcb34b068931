"""saq, concurrency 1; a killed worker's job is swept up as aborted, and runs again only where it has retries."""

from __future__ import annotations

import time

import saq
import side


class Saq(side.Side):
    async def open(self):
        self.queue = saq.Queue.from_url(self.url, name=side.NAME)
        await self.queue.connect()

    async def enqueue(self, number, data):
        await self.queue.enqueue("run", data=data, ttl=-1, retries=3)

    async def enqueue_delayed(self, number, data, delay_s):
        await self.queue.enqueue("run", data=data, ttl=-1, retries=3, scheduled=time.time() + delay_s)

    async def work(self):
        async def run(context, *, data):
            self.handle(data)

        timers = {"sweep": self.lease_s} if self.lease_s else None
        await saq.Worker(self.queue, [("run", run)], concurrency=1, timers=timers).start()


if __name__ == "__main__":
    side.main(Saq)
