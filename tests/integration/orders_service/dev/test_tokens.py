"""The stack's own access tokens: only where its database has any."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from orders_service.access import tokens
from orders_service.access.callers import Role
from orders_service.dev.tokens import OPERATOR, make_tokens
from orders_service.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from orders_service.store.db import Database
    from tests import postgres


def test_a_stack_whose_service_asks_nobody_makes_none(fresh_database: postgres.Database) -> None:
    made = asyncio.run(make_tokens(DatabaseSettings.from_env(fresh_database.env()), ["rosreestr_user_1"]))

    assert made == {}


def test_a_stack_whose_service_asks_everybody_makes_its_own_anew_at_each_start(
    fresh_database: postgres.Database, run: Callable[[Any], Any]
) -> None:
    settings = DatabaseSettings.from_env(fresh_database.env())

    async def add(database: Database) -> None:
        await tokens.add_token(database, tokens.NewToken(name="ivan", role=Role.VIEWER, created_by="test"))

    run(add)
    first, second = (asyncio.run(make_tokens(settings, ["rosreestr_user_1"])) for _ in range(2))

    assert first.keys() == second.keys() == {OPERATOR, "rosreestr_user_1"}
    assert not set(first.values()) & set(second.values())
    in_use = run(tokens.list_tokens)
    assert {(token.name, token.role, token.account) for token in in_use} == {
        ("ivan", Role.VIEWER, None),
        ("dev", Role.OPERATOR, None),
        ("dev-rosreestr_user_1", Role.WORKER, "rosreestr_user_1"),
    }
