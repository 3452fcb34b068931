"""Every endpoint of the portal."""

from __future__ import annotations

from worker.simulator.api import applications, esia, login, profile, qr, search, shell, statements

ENDPOINTS = (
    *login.ENDPOINTS,
    *esia.ENDPOINTS,
    *qr.ENDPOINTS,
    *profile.ENDPOINTS,
    *search.ENDPOINTS,
    *statements.ENDPOINTS,
    *applications.ENDPOINTS,
    *shell.ENDPOINTS,
)
NAMES = frozenset(entry.name for entry in ENDPOINTS)
