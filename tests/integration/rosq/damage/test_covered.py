"""The table of damage leaves no key out: what it goes through is what `rosq.store.keys` makes, what the docs list, and
what a busy queue has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rosq.store.keys import Keys
from tests.integration.rosq.conftest import ROOT
from tests.integration.rosq.damage import table
from tests.integration.rosq.damage.stage import staged
from tests.integration.rosq.damage.test_keys import CASES, REAL

if TYPE_CHECKING:
    from tests.servers import RedisServer

PAGE = (ROOT / "docs" / "redis-keys.md").read_text()


def list_documented() -> set[str]:
    """The patterns of the table in the docs, in the form of `rosq.store.keys`: `lane:ANY`."""
    found = re.findall(r"`rosq:\{Q\}:([^`]+)`", PAGE.partition("## Fields")[0])
    return {re.sub(r":[A-Z]+$", ":ANY", pattern) for pattern in found if not pattern.startswith("aside:")}


def test_the_docs_list_every_key_that_is_made_and_no_other() -> None:
    assert list_documented() == set(table.list_patterns().values())


def test_every_key_of_a_busy_queue_is_one_that_is_listed(redis_server: RedisServer, queue_name: str) -> None:
    patterns = table.list_patterns()

    with staged(redis_server, queue_name) as stage:
        stage.start_worker("w1")
        stage.enqueue_good("first")
        stage.wait_for_good()
        seen = {key: table.pattern_of(key, patterns) for key in stage.list_keys()}

    assert None not in seen.values(), seen


def test_every_key_is_replaced_by_the_table() -> None:
    patterns = table.list_patterns()

    replaced = {table.pattern_of(case.key, patterns) for case in CASES}

    assert replaced == set(patterns.values())
    assert set(REAL) == replaced


def test_every_key_has_the_type_that_the_doctor_expects(redis_server: RedisServer, queue_name: str) -> None:
    keys = Keys(queue_name)
    prefix = keys.pattern.removesuffix("*")

    assert {pattern: keys.type_of(prefix + pattern) for pattern in REAL} == {
        pattern: kind for pattern, (kind, _) in REAL.items()
    }
    with staged(redis_server, queue_name) as stage:
        assert {key: stage.client.type(prefix + key) for key in stage.list_keys()} == {
            key: keys.type_of(prefix + key) for key in stage.list_keys()
        }
    assert keys.type_of(keys.aside(keys.meta, 1)) is None
