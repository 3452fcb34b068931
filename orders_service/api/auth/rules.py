"""Who may make which call, about what: one row for each rpc of the contract. A call without a row is nobody's.

`authorize` is pure: whatever serves the contract asks it, with the caller, the rpc's name and the request.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any, Final

from orders_service import errors
from orders_service.access.callers import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

    from orders_service.access.callers import Caller

#: In front of the names of services here, which leave it away.
PACKAGE: Final = "orders_service.v1."

KIB: Final = 1 << 10
MIB: Final = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Few:
    """How many calls of one kind may be under way at once, where each takes much of the service.

    Attributes:
        of_one: Of one access token.
        of_all: Of all together, also of those who need no token.
    """

    of_one: int
    of_all: int


class Trace(enum.Enum):
    """What a call leaves in the audit."""

    #: Nothing: it changes nothing.
    NONE = "none"
    #: A row before and one after, with how what it is about stood before and after.
    WHOLE = "whole"
    #: One row afterwards, which nobody waits for: of calls that come in masses.
    BRIEF = "brief"
    #: Nothing here: each step of a worker is in the order's own journal and history, with account, time and delivery.
    JOURNAL = "journal"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Who may make a call.

    Attributes:
        roles: Those whose token lets them.
        order_ids: Fields of the request that name orders: a client may name its own alone.
        is_filtered: It shows orders that the request doesn't name by id: whoever answers shows a client its own alone.
        account: The field of the request that names the account: a worker may name its own alone.
        max_bytes: The longest request message.
        max_seconds: How long the whole request may take to come in.
        few: How many may be under way at once; None: no fewer than of all calls together.
    """

    roles: frozenset[Role]
    order_ids: tuple[str, ...] = ()
    is_filtered: bool = False
    account: str = ""
    trace: Trace = Trace.NONE
    max_bytes: int = 64 * KIB
    max_seconds: float = 30.0
    few: Few | None = None

    @property
    def max_json_bytes(self) -> int:
        """The longest body that says the same as the longest message: in JSON a letter may take six bytes for two."""
        return min(4 * self.max_bytes, _BATCH)


_PEOPLE: Final = frozenset({Role.CLIENT, Role.OPERATOR})
_READERS: Final = frozenset({Role.CLIENT, Role.VIEWER, Role.OPERATOR})
_STAFF: Final = frozenset({Role.VIEWER, Role.OPERATOR})
_OPERATOR: Final = frozenset({Role.OPERATOR})
_WORKER: Final = frozenset({Role.WORKER})
#: Ten thousand orders with the longest notes.
_BATCH: Final = 64 * MIB
#: A worker tells of pages of the portal's list, and what the portal answered.
_REPORT: Final = 4 * MIB
#: Each is a message of megabytes, and ten thousand rows.
_BATCHES: Final = Few(of_one=8, of_all=32)
#: Each lasts as long as its caller listens.
_WATCHES: Final = Few(of_one=200, of_all=2000)
#: Each reads up to a hundred thousand orders into a file of its own, or counts those of a year.
_TABLES: Final = Few(of_one=2, of_all=8)
#: Each reads up to a thousand papers.
_BUNDLES: Final = Few(of_one=2, of_all=16)


def _decision() -> Rule:
    return Rule(roles=_OPERATOR, order_ids=("basis.order_id",), trace=Trace.WHOLE, max_bytes=256 * KIB)


def _account(trace: Trace = Trace.WHOLE) -> Rule:
    # An imported session has some tens of cookies.
    return Rule(roles=_OPERATOR, trace=trace, account="account", max_bytes=256 * KIB)


def _step() -> Rule:
    return Rule(roles=_WORKER, account="holder.account", trace=Trace.JOURNAL, max_bytes=_REPORT)


RULES: Final[Mapping[str, Rule]] = {
    "OrdersService/CreateOrder": Rule(roles=_PEOPLE, is_filtered=True, trace=Trace.BRIEF),
    "OrdersService/BatchCreateOrders": Rule(
        roles=_PEOPLE, is_filtered=True, trace=Trace.BRIEF, max_bytes=_BATCH, max_seconds=120.0, few=_BATCHES
    ),
    "OrdersService/CheckOrders": Rule(
        roles=_PEOPLE, is_filtered=True, max_bytes=_BATCH, max_seconds=120.0, few=_BATCHES
    ),
    "OrdersService/GetOrder": Rule(roles=_READERS, order_ids=("order_id",), is_filtered=True),
    "OrdersService/BatchGetOrders": Rule(roles=_READERS, is_filtered=True),
    "OrdersService/ListOrders": Rule(roles=_READERS, is_filtered=True),
    "OrdersService/ListOrderEvents": Rule(roles=_READERS, order_ids=("order_id",)),
    # Whose orders they are, and whether there are such, nobody is told.
    "OrdersService/WatchOrders": Rule(roles=_READERS, is_filtered=True, few=_WATCHES),
    "OrdersService/DownloadPaper": Rule(roles=_PEOPLE, order_ids=("order_id",)),
    # One that is another's is told in the list as one that isn't there.
    "OrdersService/DownloadPapers": Rule(roles=_PEOPLE, is_filtered=True, few=_BUNDLES),
    # What an extract says of persons is for whoever ordered it.
    "OrdersService/GetExtractSummary": Rule(roles=_PEOPLE, order_ids=("order_id",)),
    "OrdersService/ExportOrders": Rule(roles=_PEOPLE, is_filtered=True, few=_TABLES),
    "OrdersService/GetOrderStatistics": Rule(roles=_READERS, is_filtered=True, few=_TABLES),
    "OrdersService/CancelOrder": Rule(roles=_PEOPLE, order_ids=("order_id",), trace=Trace.WHOLE),
    "OperatorService/GetOrderCase": Rule(roles=_STAFF, order_ids=("order_id",)),
    "OperatorService/SettleByNumber": _decision(),
    "OperatorService/SettleAsAbsent": _decision(),
    "OperatorService/ResumeOrder": _decision(),
    "OperatorService/GiveUpOrder": _decision(),
    "OperatorService/RetryOrder": _decision(),
    "OperatorService/DownloadAnyPaper": Rule(roles=_OPERATOR, order_ids=("order_id",)),
    "OperatorService/GetWebhook": Rule(roles=_STAFF),
    "OperatorService/SwitchWebhook": Rule(roles=_OPERATOR, trace=Trace.WHOLE),
    "OperatorService/ListWebhookNotifications": Rule(roles=_STAFF),
    "OperatorService/ResendWebhookNotifications": Rule(
        roles=_OPERATOR, order_ids=("order_id",), trace=Trace.WHOLE, max_bytes=256 * KIB
    ),
    "RosreestrUsersService/CreateRosreestrUser": _account(),
    "RosreestrUsersService/GetRosreestrUser": Rule(roles=_STAFF),
    "RosreestrUsersService/ListRosreestrUsers": Rule(roles=_STAFF),
    "RosreestrUsersService/UpdateRosreestrUser": _account(),
    "RosreestrUsersService/DeactivateRosreestrUser": _account(),
    "RosreestrUsersService/ActivateRosreestrUser": _account(),
    # Gives out the sealed secrets, and ends whatever worker the account had.
    "WorkerService/OpenAccount": Rule(roles=_WORKER, account="account", trace=Trace.WHOLE),
    # Gives out the sealed secrets, too; asked every few seconds.
    "WorkerService/ReadAccount": Rule(roles=_WORKER, account="account"),
    "WorkerService/MarkAccount": Rule(roles=_WORKER, account="account", trace=Trace.WHOLE),
    "WorkerService/RecordPassword": Rule(roles=_WORKER, account="account", trace=Trace.WHOLE),
    # Every few minutes, for each account that works.
    "WorkerService/ReserveCalls": Rule(roles=_WORKER, account="account", trace=Trace.BRIEF),
    "WorkerService/ClaimOrder": _step(),
    "WorkerService/RecordIntent": _step(),
    "WorkerService/RecordUpload": _step(),
    "WorkerService/PassGate": _step(),
    "WorkerService/RecordFact": _step(),
    "WorkerService/RecordNotFound": _step(),
    "WorkerService/RecordCheck": _step(),
    "WorkerService/ReleaseOrder": _step(),
    "WorkerService/FailOrder": _step(),
    "WorkerService/UploadPaper": Rule(
        # A piece of up to 1 MiB a message; the whole within the time that a worker gives it.
        roles=_WORKER,
        account="header.holder.account",
        trace=Trace.JOURNAL,
        max_bytes=MIB + 64 * KIB,
        max_seconds=300.0,
    ),
}


def rule_of(rpc: str) -> Rule:
    """Return who may make this call, by its name without the package.

    Raises:
        Forbidden: It has no rule, so nobody may.
    """
    rule = RULES.get(rpc)
    if rule is None:
        raise errors.Forbidden("ROLE_FORBIDDEN", f"Nobody may call {rpc}.")
    return rule


def check_role(caller: Caller, rpc: str) -> Rule:
    """Return the rule of the call where the caller's role may make it at all.

    Raises:
        Forbidden: It may not.
    """
    rule = rule_of(rpc)
    if caller.role is not Role.ANYBODY and caller.role not in rule.roles:
        allowed = " or ".join(sorted(rule.roles))
        raise errors.Forbidden(
            "ROLE_FORBIDDEN",
            f"The access token {caller.name} has the role {caller.role}, and {rpc} is for {allowed}: "
            f"use a token of that role (`orders-service tokens add NAME --role {min(rule.roles)}`).",
        )
    return rule


def authorize(caller: Caller, rpc: str, request: Message, owners: Mapping[int, str]) -> Rule:
    """Return the rule of the call where this caller may make it with this request.

    Args:
        rpc: Its name without the package, like `OrdersService/GetOrder`.
        request: The request, or the first message of one that is a stream.
        owners: The clients of the orders that the request names (`order_ids_of`); who is missing doesn't exist.

    Raises:
        Forbidden: The role may not make it, or the request names another worker's account.
        NotFound: The request names another client's order: a client doesn't even learn that there is one.
    """
    rule = check_role(caller, rpc)
    if caller.owned is not None:
        for order_id in order_ids_of(rule, request):
            # One that isn't there is told here, too: what comes after might tell it later, or in other words.
            if owners.get(order_id) != caller.owned:
                raise errors.NotFound("order", order_id)
    if caller.account is not None and (named := _read(request, rule.account) or "") != caller.account:
        raise errors.Forbidden(
            "ACCOUNT_FORBIDDEN",
            f"The access token {caller.name} is the worker's of account {caller.account}, not of "
            f"{repr(named) if named else 'one that is empty'}: start the worker with the token of its own account.",
        )
    return rule


def order_ids_of(rule: Rule, request: Message) -> tuple[int, ...]:
    """Return the orders that the request names by id."""
    ids: list[int] = []
    for path in rule.order_ids:
        value = _read(request, path)
        ids += ([value] if value else []) if isinstance(value, int) else value or ()
    return tuple(ids)


def account_of(rule: Rule, request: Message) -> tuple[str | None, int | None]:
    """Return the account that the request names, by name and by id; None where it doesn't."""
    if not rule.account:
        return None, None
    folder, _, _ = rule.account.rpartition("account")
    account_id = _read(request, f"{folder}account_id")
    return _read(request, rule.account) or None, account_id or None


def reason_of(request: Message) -> str:
    """Return why, in the caller's words."""
    return str(_read(request, "reason") or _read(request, "basis.reason") or "")


def _read(message: Message, path: str) -> Any:
    """Return what stands at the path; None where the message has no such field."""
    value: Any = message
    for name in path.split(".") if path else ():
        if name not in value.DESCRIPTOR.fields_by_name:
            return None
        value = getattr(value, name)
    return value if path else None
