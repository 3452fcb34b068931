"""The bytes of an extract by HTTP: whole, in parts, and not at all where the caller has them."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.integration.orders_service.orders.test_download import store_extract

if TYPE_CHECKING:
    import httpx

    from tests.postgres import Database

DATA = bytes(range(256)) * 9000
SIZE = len(DATA)
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def path(order_id: int, database: Database) -> str:
    """Where the extract of a completed order is."""
    # The same bytes are stored once; each order has a row of its own.
    data = DATA + order_id.to_bytes(8, "big")
    store_extract(database, order_id, data)
    return f"/v1/orders/{order_id}/paper"


def whole(order_id: int) -> bytes:
    return DATA + order_id.to_bytes(8, "big")


def test_the_whole_comes_with_name_size_and_digest(web: httpx.Client, path: str, order_id: int) -> None:
    answer = web.get(path)

    data = whole(order_id)
    assert (answer.status_code, answer.content == data) == (200, True)
    assert answer.headers["content-type"] == "application/zip"
    assert int(answer.headers["content-length"]) == len(data)
    assert answer.headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    assert answer.headers["repr-digest"] == f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"
    assert answer.headers["content-disposition"] == (
        "attachment; filename*=UTF-8''%D0%92%D1%8B%D0%BF%D0%B8%D1%81%D0%BA%D0%B0.zip"
    )
    assert answer.headers["x-paper-kind"] == "PAPER_KIND_EXTRACT"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, None),
        ("bytes=-100", -100, None),
        ("bytes=1000000-1500000", 1_000_000, 1_500_001),
        ("bytes=1000-999999999999", 1000, None),
        ("bytes=-999999999999", 0, None),
    ],
)
def test_a_part_can_be_asked_for(
    web: httpx.Client, path: str, order_id: int, asked: str, start: int, end: int | None
) -> None:
    data = whole(order_id)

    answer = web.get(path, headers={"range": asked})

    assert answer.content == data[start:end]
    if len(answer.content) == len(data):
        assert answer.status_code == 200
    else:
        begin = start % len(data)
        assert answer.status_code == 206
        assert answer.headers["content-range"] == f"bytes {begin}-{begin + len(answer.content) - 1}/{len(data)}"


@pytest.mark.parametrize("asked", ["bytes=5-1", "bytes=a-b", "bytes=0-1,5-6", "lines=1-2", "bytes=-", "nonsense"])
def test_a_part_that_makes_no_sense_is_the_whole(web: httpx.Client, path: str, order_id: int, asked: str) -> None:
    answer = web.get(path, headers={"range": asked})

    assert (answer.status_code, answer.content == whole(order_id)) == (200, True)


def test_a_part_behind_the_end_is_refused_with_the_size(web: httpx.Client, path: str, order_id: int) -> None:
    size = len(whole(order_id))

    for asked in (f"bytes={size}-", "bytes=-0"):
        answer = web.get(path, headers={"range": asked})
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{size}"), asked
        assert answer.headers["content-type"] == "application/problem+json"


def test_who_has_it_gets_nothing_and_who_has_another_gets_the_whole(
    web: httpx.Client, path: str, order_id: int
) -> None:
    etag = web.head(path).headers["etag"]

    for known in (etag, f'"x", {etag}', f"W/{etag}", "*"):
        answer = web.get(path, headers={"if-none-match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag), known
    assert web.get(path, headers={"if-none-match": '"x"'}).status_code == 200
    other = web.get(path, headers={"range": "bytes=0-9", "if-range": '"x"'})
    assert (other.status_code, other.content == whole(order_id)) == (200, True)
    assert web.get(path, headers={"range": "bytes=0-9", "if-range": etag}).status_code == 206


def test_head_tells_everything_but_the_bytes(web: httpx.Client, path: str, order_id: int) -> None:
    answer = web.head(path)

    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == len(whole(order_id))


def test_an_order_without_a_paper_says_how_far_it_is(web: httpx.Client, order_id: int) -> None:
    answer = web.get(f"/v1/orders/{order_id}/paper")

    assert (answer.status_code, answer.json()["reason"]) == (409, "WRONG_STATE")
    assert "Добавлен в очередь" in answer.json()["detail"]
    assert web.get(f"/v1/orders/{order_id}/paper?offset=5").status_code == 400
    assert web.get(f"/v1/orders/{2**40}/paper").status_code == 404


def test_papers_of_many_orders_come_as_one_zip_with_a_list(web: httpx.Client, path: str, order_id: int) -> None:
    answer = web.get("/v1/orders:papers", params={"order_ids": [order_id, 2**40]})

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = archive.namelist()
    assert names[-1] == "список.csv"
    assert len(names) == 2
    assert web.get("/v1/orders:papers").status_code == 400
    assert web.head("/v1/orders:papers", params={"order_ids": [order_id]}).status_code == 200


@pytest.mark.parametrize(
    ("asked", "kind", "begin"),
    [
        ("EXPORT_FORMAT_CSV", "text/csv; charset=utf-8", b"\xef\xbb\xbf"),
        ("EXPORT_FORMAT_XLSX", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK"),
    ],
)
def test_orders_come_as_a_table(web: httpx.Client, order_id: int, asked: str, kind: str, begin: bytes) -> None:
    number = web.get(f"/v1/orders/{order_id}").json()["order"]["cad_num"]

    answer = web.get("/v1/orders:export", params={"format": asked, "cad_num": number})

    assert (answer.status_code, answer.headers["content-type"]) == (200, kind), answer.text[:500]
    assert answer.content.startswith(begin)
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert "attachment" in answer.headers["content-disposition"]
    assert web.get("/v1/orders:export?format=PDF").status_code == 400


def test_any_paper_is_for_operators_also_one_that_was_put_aside(
    web: httpx.Client, order_id: int, database: Database
) -> None:
    data = DATA[:1000] + order_id.to_bytes(8, "big")
    store_extract(database, order_id, data, kind="quarantined")

    answer = web.get(f"/v1/orders/{order_id}/any-paper")

    assert (answer.status_code, answer.content == data) == (200, True), answer.text[:300]
    assert answer.headers["x-paper-kind"] == "PAPER_KIND_QUARANTINED"
    assert web.get(f"/v1/orders/{order_id}/paper").status_code == 409


def test_an_order_without_a_summary_says_why(web: httpx.Client, order_id: int) -> None:
    answer = web.get(f"/v1/orders/{order_id}/summary")

    assert (answer.status_code, answer.json()["reason"]) == (409, "WRONG_STATE")


def test_a_paper_that_is_damaged_never_arrives_as_a_whole(
    web: httpx.Client, path: str, order_id: int, database: Database
) -> None:
    with database.connect() as connection:
        connection.execute(
            "update extract_chunks set data = set_byte(data, 0, 255 - get_byte(data, 0)) where position = 2 "
            "and extract_id = (select extract_id from orders where id = %s)",
            (order_id,),
        )

    received = b""
    is_whole = True
    try:
        with web.stream("GET", path) as answer:
            for piece in answer.iter_raw():
                received += piece
    except Exception as error:
        assert type(error).__name__ == "RemoteProtocolError", error
        is_whole = False

    assert not is_whole
    assert len(received) < len(whole(order_id))
