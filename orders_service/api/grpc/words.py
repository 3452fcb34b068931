"""The words of the database and the values of the contract's enums."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from orders_service import errors
from orders_service.v1 import operator_pb2, orders_pb2, rosreestr_users_pb2

if TYPE_CHECKING:
    from google.protobuf.internal.enum_type_wrapper import _EnumTypeWrapper

V = TypeVar("V", bound=int)


class Words(Generic[V]):
    """The words for the values of one enum: `quarantined` for `PAPER_KIND_QUARANTINED`.

    A word that this version doesn't know was written by a newer one, and reads as unspecified: an order that has it is
    shown all the same.
    """

    def __init__(self, enum: _EnumTypeWrapper[V], what: str) -> None:
        prefix = enum.keys()[0].removesuffix("UNSPECIFIED")
        self._what = what
        self._unspecified = enum.values()[0]
        self._values = {
            name.removeprefix(prefix).lower(): value for name, value in enum.items() if value != self._unspecified
        }
        self._words: dict[int, str] = {value: word for word, value in self._values.items()}

    @property
    def all(self) -> frozenset[str]:
        """Every word of the contract."""
        return frozenset(self._values)

    def value(self, word: str | None) -> V:
        """Return the contract's value of a word; unspecified for None, and for what isn't known here."""
        return self._unspecified if word is None else self._values.get(word, self._unspecified)

    def word(self, value: int, field: str) -> str:
        """Return the word of a value that a caller gave.

        Raises:
            InvalidInput: It is unspecified, or of a newer contract.
        """
        word = self._words.get(value)
        if word is None:
            raise errors.InvalidInput.of(field, f"is no {self._what} of this service: {value}.")
        return word

    def optional_word(self, value: int, field: str) -> str:
        """Return the word of a value that a caller may leave out: empty for unspecified.

        Raises:
            InvalidInput: It is of a newer contract.
        """
        return "" if value == self._unspecified else self.word(value, field)


STATES: Final = Words(orders_pb2.OrderState, "state of an order")
PAPER_KINDS: Final = Words(orders_pb2.PaperKind, "kind of paper")
EVENT_KINDS: Final = Words(orders_pb2.OrderEventKind, "kind of step")
NOTIFICATION_STATES: Final = Words(operator_pb2.WebhookNotificationState, "state of a notification")
STANDBY_KINDS: Final = Words(rosreestr_users_pb2.StandbyKind, "kind of standby")
