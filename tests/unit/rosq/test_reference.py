"""The reference page is what the docstrings say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import rosq

DOCS = Path(rosq.__file__).parents[1] / "docs"


def test_the_reference_is_as_the_docstrings_make_it() -> None:
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)

    assert (DOCS / "reference.md").read_text() == maker.write(), "run `make reference` and commit the page"


def test_the_reference_names_everything_that_is_exported() -> None:
    page = (DOCS / "reference.md").read_text()

    assert [name for name in rosq.__all__ if f"### {name}\n" not in page] == []
