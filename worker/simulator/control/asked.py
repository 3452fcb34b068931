"""One call of the control API, as its action sees it: what came with it, field by field, and what it acts on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from worker.simulator import cadnum, errors
from worker.simulator.objects import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from worker.simulator.accounts import Account
    from worker.simulator.runtime import Simulator

    Action = Callable[["Asked"], "Told"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The answer of an action: JSON."""

    body: Mapping[str, object]
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The call. Every reader of a field refuses with 400 and the field's name."""

    simulator: Simulator
    body: Mapping[str, object] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    path: Mapping[str, str] = field(default_factory=dict)

    def account(self) -> Account:
        """The account that the body or the path names."""
        return account_named(self.simulator, self.path.get("username") or field_of(self.body, "account", str))

    def number(self, name: str, default: float = 0.0) -> float:
        """A number of the query, from 0."""
        text = self.query.get(name, str(default))
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not 0 <= number < 1e12:
            raise errors.Refusal(400, f"{name} must be a number from 0.", field=name)
        return number


def account_named(simulator: Simulator, username: str) -> Account:
    """The account of this name."""
    account = simulator.accounts.find(username)
    if account is None:
        raise errors.Refusal(400, f"There is no account {username}.", field="account")
    return account


def field_of(body: Mapping[str, object], name: str, kind: type[T], default: T | None = None) -> T:
    """A field of this type, which must be there unless a default is given."""
    value = body.get(name, default)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)  # type: ignore[return-value]
    if type(value) is not kind:
        raise errors.Refusal(400, f"{name} is missing or no {kind.__name__}.", field=name)
    return value


def cad_num_of(body: Mapping[str, object]) -> str:
    """The cadastral number that stands in `cad_num`."""
    cad_num = field_of(body, "cad_num", str)
    if not cadnum.looks_valid(cad_num):
        raise errors.Refusal(400, "cad_num is no cadastral number.", field="cad_num")
    return cad_num


def outcome_of(body: Mapping[str, object], default: Outcome) -> Outcome:
    """How an order ends."""
    value = field_of(body, "outcome", str, default.value)
    if value not in list(Outcome):
        raise errors.Refusal(400, f"outcome must be one of {', '.join(Outcome)}.", field="outcome")
    return Outcome(value)


def only(body: Mapping[str, object], known: tuple[str, ...]) -> None:
    """Refuse a field that nobody reads: a typing error would otherwise go unseen."""
    for name in body:
        if name not in known:
            raise errors.Refusal(400, f"{name} is no field here; known are {', '.join(known)}.", field=name)
