"""Writes docs/reference.md from the docstrings of what `rosq` exports: `make reference`; a test compares them."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
import sys
from pathlib import Path

import rosq

PAGE = Path(__file__).parent / "reference.md"
HEAD = """# Reference

What `import rosq` gives, from its docstrings. Written by `make reference`; change the docstrings instead.
"""
#: What rosq makes and its users only receive: how it is made is nobody's business.
_RECEIVED = ("Delivery", "EnqueuedMany")
_FIELD = re.compile(r"((?:^    #:.*\n)+)^    (\w+)(: [^=\n]+?)?(?: = ([^\n]*))?$", re.MULTILINE)


def write() -> str:
    """Return the page as it should be."""
    parts = [HEAD]
    for heading, names in _groups():
        parts.append(f"## {heading}\n")
        parts += [_describe(name, getattr(rosq, name)) for name in names]
    return "\n".join(parts).rstrip() + "\n"


def _groups() -> list[tuple[str, list[str]]]:
    """The names of `__all__` under the comments that group them there."""
    text = inspect.getsource(rosq)
    groups: list[tuple[str, list[str]]] = []
    for line in text[text.index("__all__") :].splitlines():
        if comment := re.match(r"    # (.+)", line):
            groups.append((comment.group(1), []))
        elif name := re.match(r'    "(\w+)",', line):
            groups[-1][1].append(name.group(1))
    return groups


def _describe(name: str, thing: object) -> str:
    if not inspect.isclass(thing):
        return f"### {name}\n\n{_text(thing)}\n"
    lines = [f"### {name}", "", _text(thing), ""]
    if thing.__doc__ and name not in _RECEIVED and not issubclass(thing, enum.Enum | BaseException):
        lines[2:2] = [f"```python\n{name}{_signature(thing)}\n```", ""]
    lines += _fields(thing)
    for method_name, method in vars(thing).items():
        if method_name.startswith("_") or isinstance(thing, enum.EnumMeta):
            continue
        if isinstance(method, property):
            lines += [f"**`{method_name}`** {_text(method)}", ""]
        elif isinstance(method, classmethod) or inspect.isfunction(method):
            function = method.__func__ if isinstance(method, classmethod) else method
            lines += [f"**`{method_name}{_signature(function)}`**", "", _text(function), ""]
    return "\n".join(lines)


def _fields(thing: type) -> list[str]:
    """Members of an enum and fields of a dataclass, with the `#:` lines above them."""
    if not (dataclasses.is_dataclass(thing) or issubclass(thing, enum.Enum)):
        return []
    told = []
    if issubclass(thing, enum.Enum):
        said = {name: comment for comment, name, _, _ in _FIELD.findall(inspect.getsource(thing))}
        told = [f"- `{member.name} = {member.value!r}` {_join(said.get(member.name, ''))}".rstrip() for member in thing]
        return [*told, ""]
    for comment, name, kind, default in _FIELD.findall(inspect.getsource(thing)):
        value = f" = {default}" if default and not default.endswith("(") else ""
        told.append(f"- `{name}{kind}{value}` {_join(comment)}")
    return [*told, ""] if told else []


def _join(comment: str) -> str:
    return " ".join(line.strip().removeprefix("#:").strip() for line in comment.splitlines())


def _signature(thing: object) -> str:
    assert callable(thing)
    signature = inspect.signature(thing)
    parts, is_keyword_only = [], False
    for parameter in signature.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not is_keyword_only:
            is_keyword_only = True
            parts.append("*")
        kind = "" if parameter.annotation is parameter.empty else f": {parameter.annotation}"
        # An object's address is another one each time.
        default = "" if parameter.default is parameter.empty else f" = {re.sub('<.*>', '…', repr(parameter.default))}"
        parts.append(f"{'*' * (parameter.kind is parameter.VAR_POSITIONAL)}{parameter.name}{kind}{default}")
    returns = signature.return_annotation
    is_told = returns not in (signature.empty, None, "None") and not inspect.isclass(thing)
    return f"({', '.join(parts)})" + (f" -> {returns}" if is_told else "")


def _text(thing: object) -> str:
    """A docstring, with its sections as lists."""
    lines = (inspect.getdoc(thing) or "").splitlines()
    told: list[str] = []
    for line in lines:
        if line in ("Args:", "Returns:", "Raises:"):
            told.append(f"*{line.removesuffix(':')}*")
            told.append("")
        elif entry := re.match(r"    (\S.*)", line):
            told.append(f"- {entry.group(1)}" if (told and told[-1] != "") or ":" in line else entry.group(1))
        else:
            told.append(line.strip() if line.startswith("        ") else line)
    return "\n".join(told).strip()


if __name__ == "__main__":
    PAGE.write_text(write())
    sys.stdout.write(f"Wrote {PAGE.name}: {len(write().splitlines())} lines\n")
