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

    async def enqueue_delayed(self, number, data, delay_s):
        await self.queue.add("run", data, {"removeOnComplete": 1000, "delay": round(delay_s * 1000)})

    async def enqueue_many_delayed(self, numbers, data, delay_s):
        options = {"removeOnComplete": 1000, "delay": round(delay_s * 1000)}
        for start in range(0, len(numbers), side.BATCH):
            part = numbers[start : start + side.BATCH]
            await self.queue.addBulk([{"name": "run", "data": data, "opts": options} for _ in part])

    async def work(self):
        async def run(job, token):
            self.handle(job.data)

        options = {"connection": self.url, "concurrency": 1}
        if self.lease_s:
            options |= {"lockDuration": self.lease_s * 1000, "stalledInterval": self.lease_s * 1000}
        self.worker = Worker(side.NAME, run, options)
        await asyncio.Event().wait()


if __name__ == "__main__":
    side.main(Bullmq)
