"""streaq, concurrency 1 and the least prefetch that it has (two jobs in hand); a killed worker's jobs are claimed by
others after its idle_timeout."""

from __future__ import annotations

import side
import streaq


class Streaq(side.Side):
    async def open(self):
        self.worker = streaq.Worker(
            redis_url=self.url,
            queue_name=side.NAME,
            concurrency=1,
            prefetch=1,
            handle_signals=False,
            idle_timeout=self.lease_s or 60,
        )

        @self.worker.task(ttl=0)
        async def run(data):
            self.handle(data)

        self.task = run
        self.is_open = False

    async def _enter(self):
        if not self.is_open:
            self.is_open = True
            await self.worker.__aenter__()

    async def enqueue(self, number, data):
        await self._enter()
        await self.task.enqueue(data)

    async def enqueue_many(self, numbers, data):
        await self._enter()
        for start in range(0, len(numbers), side.BATCH):
            await self.worker.enqueue_many([self.task.enqueue(data) for _ in numbers[start : start + side.BATCH]])

    async def enqueue_delayed(self, number, data, delay_s):
        await self._enter()
        await self.task.enqueue(data).start(delay=delay_s)

    async def enqueue_many_delayed(self, numbers, data, delay_s):
        await self._enter()
        for start in range(0, len(numbers), side.BATCH):
            part = numbers[start : start + side.BATCH]
            await self.worker.enqueue_many([self.task.enqueue(data).start(delay=delay_s) for _ in part])

    async def work(self):
        await self.worker.run_async()


if __name__ == "__main__":
    side.main(Streaq)
