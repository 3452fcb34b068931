"""BullMQ's port for Python, concurrency 1."""

from __future__ import annotations

import asyncio

import side
from bullmq import Queue, Worker


class Bullmq(side.Side):
    async def open(self):
        self.queue = Queue(side.NAME, {"connection": self.url})

    async def enqueue(self, number, data):
        await self.queue.add("run", data, {"removeOnComplete": 1000})

    async def enqueue_many(self, numbers, data):
        for start in range(0, len(numbers), side.BATCH):
            part = numbers[start : start + side.BATCH]
            jobs = [{"name": "run", "data": data, "opts": {"removeOnComplete": 1000}} for _ in part]
            await self.queue.addBulk(jobs)

    async def work(self):
        async def run(job, token):
            self.handle()

        self.worker = Worker(side.NAME, run, {"connection": self.url, "concurrency": 1})
        await asyncio.Event().wait()


if __name__ == "__main__":
    side.main(Bullmq)
