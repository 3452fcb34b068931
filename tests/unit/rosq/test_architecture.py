"""The page on how rosq is built names what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rosq
from rosq.scripts import loader

HOUSE = Path(rosq.__file__).parent
PAGE = (HOUSE.parent / "docs" / "rosq-architecture.md").read_text(encoding="utf-8")
_NAMED = sorted(set(re.findall(r"`((?:[a-z_]+/)+[a-z_]+(?:\.lua)?)`", PAGE)))


def test_the_page_names_modules() -> None:
    assert len(_NAMED) > 20


@pytest.mark.parametrize("name", _NAMED)
def test_each_module_that_the_page_names_is_there(name: str) -> None:
    assert any((HOUSE / f"{name}{ending}").exists() for ending in ("", ".py"))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([a-z_]+)\.lua`", PAGE))))
def test_each_script_that_the_page_names_is_there(name: str) -> None:
    assert name in loader.list_names()


def test_every_room_stands_on_the_page() -> None:
    rooms = [each.name for each in HOUSE.iterdir() if each.is_dir() and (each / "__init__.py").exists()]

    assert [room for room in rooms if f"{room}/" not in PAGE] == []
