"""What comes of an order on paper: whole or not at all, by content, once."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from typing import TYPE_CHECKING

import pytest

from orders_service import errors
from orders_service.domain.summary import ExtractSummary
from orders_service.life import papers
from orders_service.store.extracts import PIECE_BYTES
from tests.integration.orders_service.life.bench import CAD_NUM, Bench, refused, row
from tests.unit.orders_service.domain.summary import extracts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from orders_service.domain.orders import Holder, OrderInHand

DATA = bytes(range(256)) * 5000  # 1.28 MB: two rows


def paper(data: bytes = DATA, **changes: object) -> papers.NewPaper:
    made = papers.NewPaper(
        kind="extract",
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        file_name="Response-N-1.zip",
        cad_num="77:1:1001:1001",
        registration_number="КУВИ-001/2026-1",
        formed_on="15.01.2026",
        reason="",
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


async def pieces(data: bytes, size: int = 300_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def bring(bench: Bench, holder: Holder, new: papers.NewPaper, data: bytes = DATA) -> OrderInHand:
    return bench.run(papers.store_paper(bench.db, holder, new, pieces(data)))


def stored(bench: Bench) -> bytes:
    return b"".join(chunk["data"] for chunk in bench.all("select data from extract_chunks order by position"))


def test_an_extract_completes_the_order(bench: Bench) -> None:
    holder = bench.registered()

    answered = bring(bench, holder, paper())

    order = bench.order(holder.order_id)
    assert answered.order.state == "completed"
    assert order["status"] == "Выполнен"
    assert (order["seen_at"], order["next_at"]) == (None, None)
    assert order["finished_at"] is not None
    assert stored(bench) == DATA
    link = bench.one("select * from order_extracts")
    assert (link["extract_id"], link["kind"]) == (order["extract_id"], "extract")
    assert (link["registration_number"], link["formed_on"], link["reason"]) == ("КУВИ-001/2026-1", "15.01.2026", None)


def test_an_order_shows_what_the_list_said_when_its_paper_was_ready(bench: Bench) -> None:
    holder = bench.registered()

    bring(bench, holder, paper(row=row(901, "N-1", status="Выполнено")))

    assert bench.order(holder.order_id)["portal_status"] == "processing / Выполнено"


def test_a_row_of_another_order_is_not_told_and_never_in_the_way_of_a_paper(bench: Bench) -> None:
    holder = bench.registered()
    before = bench.order(holder.order_id)["portal_status"]

    answered = bring(bench, holder, paper(row=row(902, "N-2", status="Выполнено")))

    assert answered.order.state == "completed"
    assert bench.order(holder.order_id)["portal_status"] == before


def test_the_repeat_of_a_stored_extract_answers_the_same_and_isnt_even_read(bench: Bench) -> None:
    holder = bench.registered()
    bring(bench, holder, paper())
    before = bench.snapshot(holder.order_id)

    async def nobody_asks() -> AsyncIterator[bytes]:
        raise AssertionError("the bytes were asked for")
        yield b""

    again = bench.run(papers.store_paper(bench.db, holder, paper(), nobody_asks()))

    assert again.order.state == "completed"
    assert bench.snapshot(holder.order_id) == before


def test_a_notice_fails_the_order_and_is_kept(bench: Bench) -> None:
    holder = bench.registered()

    bring(bench, holder, paper(kind="notice", cad_num="", reason="Сведения отсутствуют"))
    bring(bench, holder, paper(kind="notice", cad_num="", reason="Сведения отсутствуют"))

    assert bench.order(holder.order_id)["status"] == "Ошибка: Сведения отсутствуют"
    assert stored(bench) == DATA
    assert [link["kind"] for link in bench.all("select kind from order_extracts")] == ["notice"]


def test_a_quarantined_paper_is_kept_and_the_order_held(bench: Bench) -> None:
    holder = bench.registered()

    for _ in range(2):
        bring(bench, holder, paper(kind="quarantined", cad_num="1:1:1:1", reason="другой объект"))

    order = bench.order(holder.order_id)
    assert order["state"] == "registered"
    assert "другой объект" in order["hold_reason"]
    assert len(bench.events(holder.order_id, "quarantined")) == 1


def test_after_a_person_looked_the_same_paper_may_complete_the_order(bench: Bench) -> None:
    holder = bench.registered()
    bring(bench, holder, paper(kind="quarantined", reason="подозрительно"))
    bench.by_number(holder.order_id, "N-1")
    later = bench.claim(holder.order_id)

    assert bring(bench, later, paper()).order.state == "completed"
    assert [link["kind"] for link in bench.all("select kind from order_extracts")] == ["extract"]


def test_a_paper_put_aside_twice_is_held_twice(bench: Bench) -> None:
    holder = bench.registered()
    bring(bench, holder, paper(kind="quarantined", reason="подозрительно"))
    bench.by_number(holder.order_id, "N-1")

    bring(bench, bench.claim(holder.order_id), paper(kind="quarantined", reason="подозрительно"))

    assert bench.order(holder.order_id)["hold_reason"] is not None


def test_one_content_is_stored_once_for_two_orders(bench: Bench) -> None:
    first = bench.registered()
    second = bench.registered("N-2", 902)

    async def both() -> None:
        await asyncio.gather(
            *(papers.store_paper(bench.db, holder, paper(), pieces(DATA)) for holder in (first, second))
        )

    bench.run(both())

    assert bench.one("select count(*) as files from extracts")["files"] == 1
    assert stored(bench) == DATA
    assert [bench.state(one.order_id) for one in (first, second)] == ["completed", "completed"]


@pytest.mark.parametrize(
    ("new", "data", "field"),
    [
        (paper(), DATA[:-1], "header.size_bytes"),
        (paper(), DATA + b"!", "chunk"),
        (paper(), DATA[:-1] + b"!", "header.sha256"),
        (paper(cad_num="77:01:0001001:1002"), DATA, "header.cad_num"),
        (paper(cad_num=""), DATA, "header.cad_num"),
        (paper(kind="notice", cad_num="77:01:0001001:1002"), DATA, "header.cad_num"),
        (paper(kind="poem"), DATA, "header.kind"),
        (paper(sha256="ABC"), DATA, "header.sha256"),
        (paper(size_bytes=0), DATA, "header.size_bytes"),
        (paper(size_bytes=(256 << 20) + 1), DATA, "header.size_bytes"),
        (paper(file_name=" "), DATA, "header.file_name"),
        (paper(kind="quarantined"), DATA, "header.reason"),
    ],
)
def test_a_paper_that_doesnt_fit_is_refused_and_nothing_stored(
    bench: Bench, new: papers.NewPaper, data: bytes, field: str
) -> None:
    holder = bench.registered()
    before = bench.snapshot(holder.order_id)

    with pytest.raises(errors.InvalidInput) as caught:
        bring(bench, holder, new, data)

    assert field in [violation.field for violation in caught.value.violations]
    assert bench.snapshot(holder.order_id) == before
    assert bench.all("select * from extracts") == []


def test_only_the_holder_of_a_registered_order_brings_a_paper(bench: Bench) -> None:
    unconfirmed = bench.sent()
    with refused("WRONG_STATE", state="unconfirmed"):
        bring(bench, unconfirmed, paper())
    holder = bench.registered("N-2", 902, cad_num="77:01:0001001:1002")
    new = paper(cad_num="77:01:0001001:1002")
    later = bench.claim(holder.order_id)

    with refused("STALE_FENCE"):
        bring(bench, holder, new)
    bench.open()
    with refused("STALE_EPOCH"):
        bring(bench, later, new)

    assert bench.all("select * from extracts") == []


def test_a_holder_that_is_overtaken_while_he_brings_it_stores_nothing(bench: Bench) -> None:
    holder = bench.registered()

    async def overtaken() -> AsyncIterator[bytes]:
        yield DATA[:1000]
        await bench.claim_async(bench.delivery(holder.order_id))
        yield DATA[1000:]

    with refused("STALE_FENCE"):
        bench.run(papers.store_paper(bench.db, holder, paper(), overtaken()))

    assert bench.state(holder.order_id) == "registered"
    assert bench.all("select * from extracts") == []


def test_a_large_paper_is_stored_piece_by_piece(bench: Bench) -> None:
    holder = bench.registered()
    data = b"0123456789abcdef" * (1 << 16) * 20  # 20 MiB: more than is kept in memory

    bring(bench, holder, paper(data), data)

    sizes = bench.all("select octet_length(data) as size from extract_chunks order by position")
    assert [chunk["size"] for chunk in sizes] == [PIECE_BYTES] * 20
    assert hashlib.sha256(stored(bench)).hexdigest() == bench.one("select sha256 from extracts")["sha256"]


def test_the_papers_object_is_compared_and_not_its_spelling(bench: Bench) -> None:
    assert paper().cad_num != CAD_NUM


def kept_summaries(bench: Bench) -> list[object]:
    return [link["summary"] for link in bench.all("select summary from order_extracts order by order_id")]


def test_what_the_extract_says_is_kept_with_it(bench: Bench) -> None:
    holder = bench.registered()
    data = extracts.extract_zip(extracts.extract(rights=extracts.right(extracts.COMPANY))).getvalue()

    bring(bench, holder, paper(data), data)

    [kept] = kept_summaries(bench)
    summary = ExtractSummary.from_json(kept)
    assert summary is not None
    assert (summary.number, summary.real_estate.cad_num) == ("КУВИ-001/2026-000000001", "77:01:0001001:1001")
    assert summary.rights[0].holders[0].name == 'ООО "ТЕСТ"'


@pytest.mark.parametrize("kind", ["notice", "quarantined"])
def test_what_is_no_extract_of_this_order_has_no_summary(bench: Bench, kind: str) -> None:
    data = extracts.extract_zip(extracts.extract()).getvalue()

    bring(bench, bench.registered(), paper(data, kind=kind, cad_num="", reason="другой объект"), data)

    assert kept_summaries(bench) == [None]


def test_a_paper_without_a_summary_is_accepted_all_the_same(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bench.registered()
    second = bench.registered("N-2", 902)
    bring(bench, first, paper())

    def broken(_: object) -> ExtractSummary:
        raise RuntimeError("a defect of the reader")

    monkeypatch.setattr(papers, "read_summary", broken)
    bring(bench, second, paper())

    assert [bench.state(one.order_id) for one in (first, second)] == ["completed", "completed"]
    assert kept_summaries(bench) == [None, None]


def test_a_file_is_not_compressed_a_second_time(bench: Bench) -> None:
    column = bench.one(
        "select attstorage from pg_attribute where attrelid = 'extract_chunks'::regclass and attname = 'data'"
    )

    assert column["attstorage"] in ("e", b"e")


def test_a_paper_goes_to_the_folder_that_the_settings_name_and_waits_for_it(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    holder = bench.registered()
    before = bench.snapshot(holder.order_id)

    def bring_there() -> OrderInHand:
        return bench.run(papers.store_paper(bench.db, holder, paper(), pieces(DATA), place=folder.as_uri()))

    with pytest.raises(errors.StoreUnavailable):
        bring_there()
    assert bench.snapshot(holder.order_id) == before

    folder.mkdir()
    assert bring_there().order.state == "completed"
    assert bring_there().order.state == "completed"
    assert [path.read_bytes() for path in folder.rglob("*.zip")] == [DATA]
    assert stored(bench) == b""
    assert bench.one("select place from extracts")["place"] == folder.as_uri()
