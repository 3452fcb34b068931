"""The settings of a queue as they stand in Redis: once, for its producers, workers, their maintenance and the command.

They are a field of `meta`. Who gives settings with `Queue(…, settings)` writes them there when it first reaches the
server, so the last one who gave some decides; who gives none takes what stands, or the defaults where nothing does.
Whoever is at work looks from time to time, and goes by what stands then, whatever it gave itself.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from typing import TYPE_CHECKING, Any

from rosq.scripts import loader
from rosq.settings import QueueSettings
from rosq.store import fitness
from rosq.store.keys import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from rosq.store.keys import Keys

log = logging.getLogger(__name__)

_DEFAULTS = QueueSettings()


def spell_settings(settings: QueueSettings) -> str:
    """Spell settings, so that `read_settings` reads them."""
    return json.dumps(dataclasses.asdict(settings), separators=(",", ":"))


def read_settings(text: str | None) -> QueueSettings | None:
    """Read what stands; None where nothing does, or something that no rosq has written.

    What it doesn't know is left to whoever wrote it, and what isn't said has its default.
    """
    try:
        found = json.loads(text) if text is not None else None
        if not isinstance(found, dict):
            return None
        known = {name: found[name] for name in dataclasses.asdict(_DEFAULTS) if name in found}
        for name, value in known.items():
            # `True` is a number to Python, and 1.5 jobs can't be kept.
            kinds = int if isinstance(getattr(_DEFAULTS, name), int) else (int, float)
            if isinstance(value, bool) or not isinstance(value, kinds):
                return None
        return QueueSettings(**known)
    except (ValueError, OverflowError, RecursionError):
        return None


class StandingSettings:
    """What one process knows of them; for many threads, each of which reads `current` when it needs it.

    Args:
        given: What this process gives; None gives nothing.
    """

    def __init__(self, keys: Keys, given: QueueSettings | None = None) -> None:
        self._keys = keys
        self._to_give = given
        self._given = given
        #: What the queue keeps, as far as this process knows; another object as soon as that is something else.
        self.current = given or _DEFAULTS
        #: The text whose news were told, and by which look. No lock: one that is held in a fork stays so in the child.
        self._told: dict[str | None, object] = {}

    def look(self, call: Callable[..., Any]) -> None:
        """See what stands, and refuse a queue of a newer rosq; the first look also gives what is given.

        What was given comes back where all data are lost.

        Args:
            call: Sends a command to the server that has the queue.

        Raises:
            QueueNewer: A newer rosq has written the queue.
            QueueDamaged: Its key schema is no number.
        """
        version, text = call("HMGET", self._keys.meta, "schema_version", "settings")
        fitness.check_schema(version, self._keys)
        standing = read_settings(text)
        to_give = self._to_give or (self._given if text is None else None)
        if to_give is not None and to_give != standing:
            self._write(call, to_give, is_first=self._to_give is None)
            standing, text = to_give, spell_settings(to_give)
        self._to_give = None
        self._adopt(standing, text)

    def _write(self, call: Callable[..., Any], settings: QueueSettings, *, is_first: bool) -> None:
        step = loader.load("put_settings")
        args = (spell_settings(settings), int(is_first), settings.max_events, SCHEMA_VERSION)
        call("EVAL", step.source, 2, self._keys.meta, self._keys.events, *args)

    def _adopt(self, standing: QueueSettings | None, text: str | None) -> None:
        is_news = self._is_news(text)
        if standing is None:
            if text is not None and is_news:
                log.error(
                    "The queue's settings can't be read; going on with what was known",
                    extra={"event": "settings_unreadable", "queue": self._keys.queue},
                )
            return
        before = self.current
        if standing == before:
            return
        self.current = standing
        if is_news:
            after = dataclasses.asdict(standing)
            changed = {name: value for name, value in after.items() if value != getattr(before, name)}
            log.info(
                "The queue's settings are others than this process had",
                extra={"event": "settings_changed", "queue": self._keys.queue, "changed": json.dumps(changed)},
            )

    def _is_news(self, text: str | None) -> bool:
        """Whether this look is the first that saw what stands now; of several threads at one moment, one."""
        look = object()
        if self._told.setdefault(text, look) is not look:
            return False
        for other in list(self._told):
            if other != text:
                self._told.pop(other, None)
        return True
