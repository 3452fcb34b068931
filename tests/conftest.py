"""Fixtures that any test may ask for. Each lives in the module that says what it is."""

from __future__ import annotations

pytest_plugins = ["tests.containers", "tests.servers", "tests.postgres", "tests.system_fixtures"]
