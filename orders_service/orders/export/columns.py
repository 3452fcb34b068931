"""The columns of an exported table, with their headings, and what stands in them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
from typing import TYPE_CHECKING, Final, TypeAlias

from orders_service.domain.summary import ExtractSummary, HoldersAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orders_service.domain.summary import Characteristic, Encumbrance, Holder, Right
    from orders_service.orders.search import OrderView

Cell: TypeAlias = "str | int | decimal.Decimal | dt.datetime | dt.date"

#: People and the registry's offices speak of it; the whole of Russia is never on one clock.
MOSCOW: Final = dt.timezone(dt.timedelta(hours=3), "МСК")

#: What an answer about holders is called; an order without a summary has none of them.
_ANSWERS: Final = {
    HoldersAnswer.NAMED: "указаны",
    HoldersAnswer.HIDDEN: "право зарегистрировано, правообладатель скрыт",
    HoldersAnswer.NONE: "право не зарегистрировано",
}
_HIDDEN: Final = "скрыт"
_EMPTY: Final = ExtractSummary()


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """A column of orders; its values are made of an order and what its extract says."""

    heading: str
    value: Callable[[OrderView, ExtractSummary], Cell | None]
    width: int = 14


ORDER_COLUMNS: Final = (
    Column("№ заказа", lambda order, _: order.id, 10),
    Column("Кадастровый номер", lambda order, _: order.cad_num, 22),
    Column("Статус", lambda order, _: order.status, 28),
    Column("Код статуса", lambda order, _: order.state),
    Column("Ждёт решения", lambda order, _: order.hold_reason),
    Column("Аккаунт", lambda order, _: order.account),
    Column("Номер заявки", lambda order, _: order.order_number, 18),
    Column("Получатель", lambda order, _: order.recipient, 20),
    Column("Комментарий", lambda order, _: order.comment, 20),
    Column("Срочно", lambda order, _: "да" if order.is_urgent else "", 8),
    Column("Ключ", lambda order, _: order.idempotency_key),
    Column("Принят (МСК)", lambda order, _: _moscow(order.created_at), 18),
    Column("Зарегистрирован (МСК)", lambda order, _: _moscow(order.registered_at), 18),
    Column("Завершён (МСК)", lambda order, _: _moscow(order.finished_at), 18),
    Column("Номер выписки", lambda _, said: said.number, 26),
    Column("Дата выписки", lambda _, said: _day(said.formed_on), 12),
    Column("Вид объекта", lambda _, said: said.real_estate.kind, 16),
    Column("Наименование", lambda _, said: said.real_estate.name, 16),
    Column("Назначение", lambda _, said: said.real_estate.purpose, 16),
    Column("Адрес", lambda _, said: said.real_estate.address, 50),
    Column("Площадь, кв. м", lambda _, said: _number(said.real_estate.area), 12),
    Column("Другие характеристики", lambda _, said: _join(map(_characteristic, said.real_estate.characteristics)), 20),
    Column("Этаж", lambda _, said: said.real_estate.floor, 8),
    Column("Год постройки", lambda _, said: said.real_estate.year_built, 8),
    Column("Категория земель", lambda _, said: said.real_estate.category, 20),
    Column("Разрешённое использование", lambda _, said: _join(said.real_estate.permitted_uses), 24),
    Column("Кадастровая стоимость, руб.", lambda _, said: _number(said.real_estate.cost), 18),
    Column("Статус записи", lambda _, said: said.real_estate.status, 20),
    Column("Родительские объекты", lambda _, said: _join(said.real_estate.parent_cad_nums), 22),
    Column("Прежние номера", lambda _, said: _join(old.number for old in said.real_estate.old_numbers), 22),
    Column("Правообладатели", lambda _, said: _ANSWERS[said.answer] if said is not _EMPTY else "", 20),
    Column("Права", lambda _, said: _join((*map(_right, said.rights), _more(said.more_rights))), 60),
    Column("Обременения", lambda _, said: _join((*map(_burden, said.encumbrances), _more(said.more_encumbrances))), 40),
    Column("SHA-256 выписки", lambda order, _: _sha256(order), 20),
)

RIGHT_HEADINGS: Final = (
    "№ заказа",
    "Кадастровый номер",
    "Вид права",
    "Номер регистрации",
    "Дата регистрации",
    "Доля",
    "Правообладатель",
    "ИНН",
    "ОГРН",
)
BURDEN_HEADINGS: Final = (
    "№ заказа",
    "Кадастровый номер",
    "Вид обременения",
    "Номер регистрации",
    "Дата регистрации",
    "Срок",
    "В пользу",
    "Ограничиваемые права",
)


def order_cells(order: OrderView, summary: ExtractSummary | None) -> list[Cell | None]:
    """Return the order's row."""
    said = summary or _EMPTY
    return [column.value(order, said) for column in ORDER_COLUMNS]


def right_rows(order: OrderView, summary: ExtractSummary) -> list[list[Cell | None]]:
    """Return a row for each holder of each right; a right whose holder is hidden has one that says so."""
    rows: list[list[Cell | None]] = []
    for right in summary.rights:
        begin: list[Cell | None] = [
            order.id,
            order.cad_num,
            right.kind,
            right.number,
            _day(right.registered_on),
            right.share,
        ]
        named = [holder for holder in right.holders if holder.name]
        rows += [[*begin, holder.name, holder.inn, holder.ogrn] for holder in named]
        if not named:
            rows.append([*begin, _HIDDEN, "", ""])
        if right.more_holders:
            rows.append([*begin, _more(right.more_holders), "", ""])
    return rows


def burden_rows(order: OrderView, summary: ExtractSummary) -> list[list[Cell | None]]:
    """Return a row for each encumbrance."""
    return [
        [
            order.id,
            order.cad_num,
            burden.kind,
            burden.number,
            _day(burden.registered_on),
            burden.period,
            _holders(burden.holders, burden.more_holders),
            _join(burden.right_numbers),
        ]
        for burden in summary.encumbrances
    ]


def _right(right: Right) -> str:
    facts = (
        right.kind,
        right.share,
        _holders(right.holders, right.more_holders) or _HIDDEN,
        right.number,
        right.registered_on,
    )
    return ", ".join(fact for fact in facts if fact)


def _burden(burden: Encumbrance) -> str:
    facts = (burden.kind, burden.period, _holders(burden.holders, burden.more_holders), burden.number)
    return ", ".join(fact for fact in facts if fact)


def _holders(holders: Sequence[Holder], more: int) -> str:
    named = [f"{holder.name} (ИНН {holder.inn})" if holder.inn else holder.name for holder in holders if holder.name]
    return ", ".join(one for one in (*named, _more(more)) if one)


def _characteristic(one: Characteristic) -> str:
    return f"{one.kind} {one.value} {one.unit}".strip()


def _more(count: int) -> str:
    return f"и ещё {count}" if count else ""


def _join(texts: object) -> str:
    return "; ".join(text for text in texts if text)  # type: ignore[attr-defined]


def _sha256(order: OrderView) -> str:
    return next((paper.sha256 for paper in reversed(order.papers) if paper.kind == "extract"), "")


def _moscow(at: dt.datetime | None) -> dt.datetime | None:
    return at.astimezone(MOSCOW).replace(tzinfo=None, microsecond=0) if at is not None else None


def _day(text: str) -> Cell:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return text


def _number(text: str) -> Cell:
    """Return the number that the text is; a text that is none, or wouldn't stay itself as one, stays a text."""
    try:
        number = decimal.Decimal(text)
    except decimal.InvalidOperation:
        return text
    return number if number.is_finite() and len(number.as_tuple().digits) <= 15 else text
