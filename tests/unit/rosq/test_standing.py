"""What stands in Redis about a queue's settings is told once, by whoever sees it first."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import pytest

from rosq.store.keys import Keys
from rosq.store.standing import StandingSettings


@pytest.mark.parametrize(
    ("text", "event"), [("not JSON", "settings_unreadable"), ('{"keep_failed": 3}', "settings_changed")]
)
def test_threads_that_look_at_the_same_moment_tell_the_same_news_once(
    text: str, event: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, logger="rosq")
    standing = StandingSettings(Keys("letters"))
    all_have_read = threading.Barrier(8)

    def answer(*_: Any) -> Any:
        all_have_read.wait(10)
        return [None, text]

    def dawdle(_: logging.LogRecord) -> bool:
        # As a slow disk does: a moment in which the others compare.
        time.sleep(0.05)
        return True

    monkeypatch.setattr(logging.getLogger("rosq.store.standing"), "filters", [dawdle])
    threads = [threading.Thread(target=standing.look, args=(answer,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert [record for record in caplog.records if getattr(record, "event", "") == event] != []
    assert len(caplog.records) == 1


def test_what_comes_back_later_is_news_again(caplog: pytest.LogCaptureFixture) -> None:
    standing = StandingSettings(Keys("letters"))

    for text in ("not JSON", "not JSON", "{}", "not JSON"):
        standing.look(lambda *_, text=text: [None, text])

    assert [getattr(record, "event", "") for record in caplog.records] == ["settings_unreadable"] * 2
