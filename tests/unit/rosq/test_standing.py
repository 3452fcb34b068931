"""What stands in Redis about a queue's settings is told once, by whoever sees it first."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from rosq.store.keys import Keys
from rosq.store.standing import StandingSettings


@pytest.mark.parametrize(
    ("text", "event"), [("not JSON", "settings_unreadable"), ('{"keep_failed": 3}', "settings_changed")]
)
def test_who_looks_while_another_is_telling_tells_nothing_again(
    text: str, event: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, logger="rosq")
    standing = StandingSettings(Keys("letters"))
    others = iter(range(8))

    def look(*_: Any) -> bool:
        standing.look(lambda *_: [None, text])
        return True

    def let_another_look(_: logging.LogRecord) -> bool:
        # In the midst of the telling, as a thread of the maintenance may.
        return next(others, None) is None or look()

    monkeypatch.setattr(logging.getLogger("rosq.store.standing"), "filters", [let_another_look])

    look()

    assert [getattr(record, "event", "") for record in caplog.records] == [event]


def test_what_comes_back_later_is_news_again(caplog: pytest.LogCaptureFixture) -> None:
    standing = StandingSettings(Keys("letters"))

    for text in ("not JSON", "not JSON", "{}", "not JSON"):
        standing.look(lambda *_, text=text: [None, text])

    assert [getattr(record, "event", "") for record in caplog.records] == ["settings_unreadable"] * 2
