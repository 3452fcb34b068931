"""Looking at a queue: everything here only reads Redis, a bounded part of it, and asks no worker."""

from __future__ import annotations

from rosq.inspect.inspector import Inspector
from rosq.inspect.overview import Overview

__all__ = ["Inspector", "Overview"]
