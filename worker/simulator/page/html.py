"""HTML in small pieces: every text is escaped where it enters, so that nothing that a client sent becomes markup."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ROOT = "/_simulator/view"
_TABS = ("accounts", "orders", "ledger", "calls", "faults", "settings")


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def shown(value: object) -> Markup:
    """Any value as HTML."""
    if isinstance(value, Markup):
        return value
    if value is None:
        return Markup('<span class="none">–</span>')
    if isinstance(value, bool):
        return Markup("yes" if value else "no")
    if isinstance(value, float):
        return Markup(f"{value:.3f}".rstrip("0").rstrip("."))
    if isinstance(value, list | dict):
        return Markup(html.escape(json.dumps(value, ensure_ascii=False)))
    return Markup(html.escape(str(value)))


def joined(parts: Iterable[object], between: str = " ") -> Markup:
    """Several values, one after the other."""
    return Markup(between.join(shown(part) for part in parts))


def link(text: object, view: str, **query: object) -> Markup:
    """A link to a view."""
    asked = {name: value for name, value in query.items() if value is not None}
    target = f"{ROOT}/{view}" + (f"?{urlencode(asked)}" if asked else "")
    return Markup(f'<a href="{html.escape(target)}">{shown(text)}</a>')


def button(text: str, call: str, body: Mapping[str, object] | None = None, **fields: object) -> Markup:
    """A form that does a call of the control API; `fields` are typed in, each with what it shows first."""
    inputs = "".join(
        f'<input name="field.{html.escape(name)}" value="{html.escape("" if value is None else str(value))}"'
        f' placeholder="{html.escape(name)}" aria-label="{html.escape(name)}">'
        for name, value in fields.items()
    )
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(value)}">'
        for name, value in (("call", call), ("body", json.dumps(dict(body or {}), ensure_ascii=False)))
    )
    return Markup(f'<form method="post" action="{ROOT}/do">{hidden}{inputs}<button>{html.escape(text)}</button></form>')


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """A table, or a sentence where there is nothing."""
    body = "".join("<tr>" + "".join(f"<td>{shown(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    if not body:
        return Markup("<p>Nothing yet.</p>")
    head = "".join(f"<th>{html.escape(text)}</th>" for text in heads)
    return Markup(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def pages(view: str, page: int, size: int, total: int, **query: object) -> Markup:
    """Where one is in a long list, and the way on."""
    first, last = page * size + 1, min((page + 1) * size, total)
    parts: list[object] = [f"{first}–{last} of {total}" if total else "none"]
    if page > 0:
        parts.append(link("newer", view, page=page - 1, **query))
    if last < total:
        parts.append(link("older", view, page=page + 1, **query))
    return Markup(f"<p>{joined(parts)}</p>")


def document(view: str, *parts: Markup, said: str = "", refresh_s: int | None = None) -> str:
    """A whole page."""
    tabs = joined(Markup(f"<strong>{tab}</strong>") if tab == view else link(tab, tab) for tab in _TABS)
    again = f'<meta http-equiv="refresh" content="{refresh_s}">' if refresh_s else ""
    note = f'<p class="said">{html.escape(said)}</p>' if said else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Simulator: {html.escape(view)}</title>'
        f'<meta name="viewport" content="width=device-width">{again}<link rel="stylesheet" href="{ROOT}/style.css">'
        f"</head><body><nav>{tabs}</nav><h1>{html.escape(view.capitalize())}</h1>{note}{''.join(parts)}</body></html>\n"
    )


STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 1rem auto; max-width: 90rem; padding: 0 1rem }
body { color: #1c1c1c; background: #fff }
nav { display: flex; gap: 1.2rem; border-bottom: 1px solid #bbb; padding-bottom: .5rem }
h1 { font-size: 1.3rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0 }
th, td { border-bottom: 1px solid #ddd; overflow-wrap: anywhere }
form { display: inline-flex; gap: .3rem; margin: 0 .4rem .2rem 0 }
input { width: 8rem }
.said { padding: .4rem .6rem; background: #fff3cd }
.none { color: #888 }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #181818 }
  a { color: #8ab4f8 }
  th, td { border-color: #444 }
  .said { background: #4a3f12 }
}
"""
