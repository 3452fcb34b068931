"""Which row a send made: one that can be nothing else, or a person decides."""

from __future__ import annotations

from orders_service.domain.adoption import Adopt, AskPerson, Elsewhere, Judgement, find_candidates, judge
from orders_service.domain.facts import ApplicationRow

KEY = "77:1:1001:1001"


def row(application_id: int, number: str, cad_num: str = "77:01:0001001:1001") -> ApplicationRow:
    return ApplicationRow(
        application_id=application_id, order_number=number, cad_num=cad_num, status_code="", request_status=""
    )


def candidates(
    *rows: ApplicationRow, known: tuple[int, ...] = (), elsewhere: Elsewhere | None = None
) -> tuple[ApplicationRow, ...]:
    return find_candidates(rows, cad_key=KEY, known_ids=known, elsewhere=elsewhere or Elsewhere())


def decide(
    *rows: ApplicationRow,
    expected: str = "",
    earlier: tuple[str, ...] = (),
    elsewhere: Elsewhere | None = None,
    is_complete: bool = True,
) -> Judgement:
    return judge(
        rows,
        expected_number=expected,
        earlier_numbers=earlier,
        elsewhere=elsewhere or Elsewhere(),
        is_complete=is_complete,
    )


def test_the_portals_own_spelling_is_the_same_object() -> None:
    assert candidates(row(1, "A", "77:1:1001:1001")) == (row(1, "A", "77:1:1001:1001"),)


def test_rows_of_other_objects_known_rows_and_rows_of_other_orders_are_no_candidates() -> None:
    elsewhere = Elsewhere(numbers=frozenset({"TAKEN"}), application_ids=frozenset({4}))

    found = candidates(
        row(1, "OTHER", "77:01:0001001:1002"),
        row(2, "KNOWN"),
        row(3, "TAKEN"),
        row(4, "TAKEN-BY-ID"),
        row(5, "NEW"),
        row(6, "NONSENSE", "квартира"),
        known=(2,),
        elsewhere=elsewhere,
    )

    assert [found_row.order_number for found_row in found] == ["NEW"]


def test_a_row_that_two_pages_show_is_one_candidate() -> None:
    assert len(candidates(row(1, "A"), row(1, "A"))) == 1


def test_one_application_under_two_numbers_is_two_candidates() -> None:
    assert len(candidates(row(1, "A"), row(1, "B"))) == 2


def test_the_only_row_is_adopted() -> None:
    assert decide(row(1, "A")) == Adopt(row=row(1, "A"))


def test_no_row_says_nothing() -> None:
    assert decide() is None


def test_the_expected_row_is_adopted_among_several() -> None:
    judgement = decide(row(1, "A"), row(2, "B"), expected="B")

    assert judgement == Adopt(row=row(2, "B"), left_over=("A",))


def test_several_rows_without_an_expected_one_are_for_a_person() -> None:
    judgement = decide(row(1, "A"), row(2, "B"))

    assert isinstance(judgement, AskPerson)
    assert not judgement.is_alarm


def test_another_row_than_the_expected_one_raises_an_alarm() -> None:
    judgement = decide(row(1, "A"), expected="B")

    assert isinstance(judgement, AskPerson)
    assert judgement.is_alarm


def test_the_expected_number_twice_isnt_adopted() -> None:
    assert isinstance(decide(row(1, "A"), row(2, "A"), expected="A"), AskPerson)


def test_a_list_that_wasnt_read_to_its_end_proves_only_the_expected_row() -> None:
    assert decide(row(1, "A"), is_complete=False) is None
    assert decide(row(1, "A"), expected="B", is_complete=False) is None
    assert decide(row(1, "A"), expected="A", is_complete=False) == Adopt(row=row(1, "A"))


def test_a_row_without_number_or_id_isnt_adopted() -> None:
    assert decide(row(1, "")) is None
    assert decide(row(0, "A")) is None
    assert isinstance(decide(row(0, "A"), expected="A"), AskPerson)


def test_a_number_that_an_earlier_send_was_answered_raises_an_alarm() -> None:
    judgement = decide(row(1, "A"), earlier=("A",))

    assert isinstance(judgement, AskPerson)
    assert judgement.is_alarm


def test_a_number_that_contradicts_itself_raises_an_alarm_and_is_no_absence() -> None:
    judgement = decide(row(1, "A"), elsewhere=Elsewhere(doubtful={"A": "why"}), expected="A")

    assert judgement == AskPerson(reason="why", is_alarm=True)
