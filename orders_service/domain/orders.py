"""An order with its journal, as the rules of its life see it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Final

from orders_service.domain.states import OrderState, SendOutcome

if TYPE_CHECKING:
    import uuid

LANE_MAIN: Final = "main"
LANE_URGENT: Final = "urgent"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who decides: a delivery of the order's job, in the hands of a worker that opened the account."""

    username: str
    epoch: int
    order_id: int
    fence: int
    token: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewSubmission:
    """What a worker means to submit, before it changes anything at the portal."""

    super_package_guid: uuid.UUID
    statement_guid: uuid.UUID
    package_guid: uuid.UUID
    draft_guid: uuid.UUID
    person_oid: str
    access_key: str
    balance: int
    portal_cad_num: str
    known_application_ids: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The journal of an order's submission by one account, as it is kept."""

    id: int
    rosreestr_user_id: int
    super_package_guid: uuid.UUID
    statement_guid: uuid.UUID
    package_guid: uuid.UUID
    draft_guid: uuid.UUID
    person_oid: str
    access_key: str = dataclasses.field(repr=False)
    balance: int
    portal_cad_num: str
    known_application_ids: tuple[int, ...]
    uploaded_at: dt.datetime | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """One passing of the gate.

    Attributes:
        account_id, username: By which account; by a person's word the order may have gone on to another one since.
        person_oid: As whom at the portal; only that person's list can show what came of it.
        balance: What the balance is where the send wasn't charged, as far as is known: read before the gate, or the
            last that a person saw who decided about it.
        balance_at: When the person's was read; None: before the gate.
        decided_at: When a person last decided about it; None: never.
        looked_at: When its account's list was last read in full to find it late; None: never.
        is_denied: A person said that it is absent, and named every row that he was shown.
        clear_readings: When the readings were begun that count towards its absence.
    """

    send_id: uuid.UUID
    submission_id: int
    account_id: int
    username: str
    person_oid: str
    fence: int
    fence_token: str
    gate_at: dt.datetime
    absent_after_s: float
    balance: int
    answered_at: dt.datetime | None
    expected_number: str | None
    outcome: SendOutcome | None
    settled_at: dt.datetime | None
    settled_by: str | None
    decided_at: dt.datetime | None = None
    looked_at: dt.datetime | None = None
    balance_at: dt.datetime | None = None
    is_denied: bool = False
    clear_readings: tuple[dt.datetime, ...] = ()

    @property
    def counts_from(self) -> dt.datetime:
        """From when on readings count: a person's decision begins anew."""
        return max(self.gate_at, self.decided_at or self.gate_at)

    @property
    def absent_from(self) -> dt.datetime:
        """When the time of absence is over."""
        return self.counts_from + dt.timedelta(seconds=self.absent_after_s)

    @property
    def may_have_left(self) -> bool:
        """Whether a byte of the paid call may have left: all but what its own sender denies."""
        return self.outcome is not SendOutcome.NOT_SENT


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order, the submission of the account that has it, and every send that it ever made, oldest first.

    Attributes:
        username: The account that has it; None: none.
        account_person_oid: Who that account is at the portal by now.
        bound_at: Since when nobody but that account can go on with it; None: any account may take it.
        person_oid: As whom at the portal it is bound; None: not bound, or not known.
        is_in_hand: Its holder gave a sign of life within the lease.
        case_no: What a person's decision is about; grows with each hold and each decision.
        look_at: When a row of an absent send is to be looked for once more; None: never.
        has_unweighed_facts: Something was seen of it that isn't judged yet.
        as_of: The database's clock when it was read.
    """

    id: int
    cad_num: str
    cad_key: str
    is_urgent: bool
    state: OrderState
    rosreestr_user_id: int | None
    username: str | None
    account_person_oid: str | None
    bound_at: dt.datetime | None
    person_oid: str | None
    fence: int
    fence_token: str | None
    is_in_hand: bool
    next_at: dt.datetime | None
    hold_reason: str | None
    not_found_at: dt.datetime | None
    number: str | None
    application_id: int | None
    portal_status: str | None
    extract_id: int | None
    case_no: int
    look_at: dt.datetime | None
    has_unweighed_facts: bool
    as_of: dt.datetime
    submission: Submission | None
    sends: tuple[Send, ...]

    @property
    def is_bound(self) -> bool:
        """Whether nobody but its account can go on with it."""
        return self.bound_at is not None

    @property
    def lane(self) -> str:
        """Where its job belongs."""
        if self.is_bound:
            return f"@{self.username}"
        return LANE_URGENT if self.is_urgent else LANE_MAIN

    @property
    def open_send(self) -> Send | None:
        """The send that isn't settled; there is one at most."""
        return next((send for send in self.sends if send.outcome is None), None)

    @property
    def may_have_left(self) -> tuple[Send, ...]:
        """Sends of which a byte may have left."""
        return tuple(send for send in self.sends if send.may_have_left)

    @property
    def was_sent_as_now(self) -> bool:
        """Whether the account that has the order may have sent it as the person that it is: its list would show it."""
        return any(
            (send.account_id, send.person_oid) == (self.rosreestr_user_id, self.account_person_oid)
            for send in self.may_have_left
        )

    @property
    def is_free_by_person(self) -> bool:
        """Whether all that may have left isn't at the portal, by a person's word: then nothing binds the order."""
        return all(send.is_denied for send in self.may_have_left)

    @property
    def absent_sends(self) -> tuple[Send, ...]:
        """Sends that were settled as absent."""
        return tuple(send for send in self.sends if send.outcome is SendOutcome.ABSENT)

    @property
    def current_send(self) -> Send | None:
        """The send that a person decides about: the open one, the number's, or the latest that is absent."""
        numbered = [send for send in self.sends if send.outcome is SendOutcome.NUMBER]
        return self.open_send or next(reversed([*self.absent_sends, *numbered]), None)

    def is_look_due(self, account_id: int) -> bool:
        """Whether this account's list is to be read once more for a row of a send that was settled as absent.

        Others than the account that has the order are asked once it is over: before that its job is in one lane only.
        """
        if self.look_at is None or self.look_at > self.as_of:
            return False
        if not self.state.is_final and self.rosreestr_user_id != account_id:
            return False
        return any(
            send.account_id == account_id and (send.looked_at is None or send.looked_at < self.look_at)
            for send in self.sends
            if send.outcome is SendOutcome.ABSENT or (send.outcome is None and self.state is OrderState.FAILED)
        )

    def find_send(self, send_id: uuid.UUID) -> Send | None:
        """Return the order's send of this id, if it has one."""
        return next((send for send in self.sends if send.send_id == send_id), None)

    def is_held_by(self, fence: int, token: str) -> bool:
        """Whether this delivery is the one that may decide."""
        return self.fence == fence and self.fence_token == token


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrderInHand:
    """An order as an account's worker is told of it.

    Attributes:
        submission: This account's; None: no intent yet.
        was_sent: The account may have sent it as the person that it is: what its list shows is looked at first.
        open_send: None: none, or not this account's.
        counted_readings: How many readings count towards the open send's absence.
        as_of: The database's clock at this answer: a reading made after it may claim this time.
        is_look_due: A send of this account was settled as absent: its list is to be read once more, before the paper is
            brought, and when the order is over.
    """

    order: Order
    is_bound_here: bool
    submission: Submission | None
    was_sent: bool
    open_send: Send | None
    counted_readings: int
    as_of: dt.datetime
    is_look_due: bool
