"""taskiq on a Redis stream, one task at a time, COUNT 1, acknowledged when it was executed."""

from __future__ import annotations

import side
from taskiq.acks import AcknowledgeType
from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker


class Taskiq(side.Side):
    async def open(self):
        self.broker = RedisStreamBroker(
            self.url,
            queue_name=side.NAME,
            consumer_id="0",
            xread_count=1,
            idle_timeout=int((self.lease_s or 600) * 1000),
        )

        @self.broker.task(task_name="run")
        async def run(data) -> None:
            self.handle(data)

        self.task = run
        await self.broker.startup()

    async def enqueue(self, number, data):
        await self.task.kiq(data)

    async def work(self):
        await run_receiver_task(self.broker, max_async_tasks=1, max_prefetch=0, ack_time=AcknowledgeType.WHEN_EXECUTED)


if __name__ == "__main__":
    side.main(Taskiq)
