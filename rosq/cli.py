"""The command `rosq`."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import click

from rosq.commands.context import EXIT_CODES, Target
from rosq.commands.group import MainGroup
from rosq.commands.server_options import SECRET, VARIABLES, server_options
from rosq.names import check_queue_name

if TYPE_CHECKING:
    from rosq.redis_settings import RedisSettings


@click.group(
    cls=MainGroup,
    variables=VARIABLES,
    secret=SECRET,
    members={
        "inspect": "rosq.commands.inspect:inspect",
        "top": "rosq.commands.top:top",
        "doctor": "rosq.commands.examine:doctor",
        "repair": "rosq.commands.repair:repair",
        "pause": "rosq.commands.steer:pause",
        "resume": "rosq.commands.steer:resume",
        "retry": "rosq.commands.steer_jobs:retry",
        "promote": "rosq.commands.steer_jobs:promote",
        "move": "rosq.commands.steer_jobs:move",
        "cancel": "rosq.commands.steer_jobs:cancel",
        "remove": "rosq.commands.steer_jobs:remove",
        "forget": "rosq.commands.steer:forget",
        "drain": "rosq.commands.steer:drain",
    },
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--queue", envvar="ROSQ_QUEUE", show_envvar=True, help="The queue. Default: the only queue there is.")
@server_options
@click.pass_context
def main(context: click.Context, queue: str | None, settings: RedisSettings) -> None:
    """See a rosq queue, examine it, steer it.

    \b
    rosq inspect                 the only queue of the Redis on this machine
    rosq inspect explain 123     why job 123 isn't running now, and when it will
    rosq top                     a screen that stays: all views, by keys
    rosq doctor                  what is wrong, and what to do about it
    rosq repair --dry-run        jobs, entries and leases that contradict each other
    rosq retry --error timeout --dry-run
    rosq --queue orders inspect --watch
    REDIS_HOST=redis rosq inspect --json | jq .waiting
    rosq --redis-url rediss://redis.example/0 inspect

    Where Redis is stands in the environment or in the options below: by host and port, a URL, a unix socket, sentinels
    or the nodes of a Cluster. docs/servers.md shows each way.
    """
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    if queue:
        check_queue_name(queue)
    context.obj = Target(settings=settings, queue=queue or None)


if __name__ == "__main__":
    main()
