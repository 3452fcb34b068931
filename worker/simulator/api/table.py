"""Every endpoint of the portal."""

from __future__ import annotations

from worker.simulator.api import applications, login, profile, search, shell, statements

ENDPOINTS = (
    *login.ENDPOINTS,
    *profile.ENDPOINTS,
    *search.ENDPOINTS,
    *statements.ENDPOINTS,
    *applications.ENDPOINTS,
    *shell.ENDPOINTS,
)
NAMES = frozenset(entry.name for entry in ENDPOINTS)
