"""Running something without what macOS lacks: `python -m tests.macos CODE` takes it away, then runs the code.

What that is stands in typeshed, which says of each name of the standard library on which systems it is: here every name
goes that Linux has there and macOS hasn't.
"""

from __future__ import annotations

import ast
import importlib
import sys
import types
from pathlib import Path

import mypy

_TYPESHED = Path(mypy.__file__).parent / "typeshed" / "stdlib"
#: The modules in which systems differ; those with an underscore are where their names come from.
_MODULES = ("os", "posix", "socket", "_socket", "signal", "time", "select", "selectors", "fcntl", "resource", "mmap")


def lacking(module: str) -> list[str]:
    """Name what a module has here, and hasn't on macOS."""
    path = _TYPESHED / f"{module}.pyi"
    if not path.exists():
        path = _TYPESHED / module / "__init__.pyi"
    body = ast.parse(path.read_text(encoding="utf-8")).body
    here = importlib.import_module(module)
    return sorted(name for name in _names(body, "linux") - _names(body, "darwin") if hasattr(here, name))


def take_away() -> None:
    """Delete all of it from the modules of this process."""
    for module in _MODULES:
        here = importlib.import_module(module)
        for name in lacking(module):
            delattr(here, name)
    if "signal" in sys.modules:
        signals = importlib.import_module("_signal")
        for name in [name for name in ("SIGRTMIN", "SIGRTMAX", "sigtimedwait") if hasattr(signals, name)]:
            delattr(signals, name)


def _names(body: list[ast.stmt], platform: str) -> set[str]:
    names: set[str] = set()
    for statement in body:
        match statement:
            case ast.If(test=test, body=then, orelse=otherwise):
                names |= _names(then if _is_true(test, platform) else otherwise, platform)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]):
                names.add(name)
            case ast.ImportFrom(names=imported):
                names |= {each.asname or each.name for each in imported}
    return names


def _is_true(test: ast.expr, platform: str) -> bool:
    told = types.SimpleNamespace(platform=platform, version_info=sys.version_info)
    return bool(eval(ast.unparse(test), {"sys": told, "TYPE_CHECKING": True}))


if __name__ == "__main__":
    # On macOS this one would use what is there; here it knows that it is on Linux.
    import psutil  # noqa: F401

    take_away()
    exec(compile(sys.argv[1], "<without what macOS lacks>", "exec"), {"__name__": "__main__"})
