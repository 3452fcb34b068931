"""The bytes of papers: the same in the database, a folder and a bucket; moved, removed and checked without a loss."""

from __future__ import annotations

import datetime as dt
import errno
import functools
import hashlib
import io
import itertools
import os
import tempfile
import urllib.parse
from typing import TYPE_CHECKING, Any

import pytest

from orders_service import errors
from orders_service.store.extracts import (
    DATABASE,
    PIECE_BYTES,
    PlaceInvalid,
    StoredFile,
    check_place,
    files,
    places,
    upkeep,
)
from tests import s3
from tests.integration.orders_service.stage import insert_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from orders_service.store.db import Database
    from tests.postgres import Database as TestDatabase

    Run = Callable[[Callable[[Database], Any]], Any]

PLACES = ["database", "folder", "bucket"]
SMALL = b"a paper"
LARGE = bytes(range(256)) * (PIECE_BYTES // 256) * 6 + b"the end"


class Sites:
    """A place of each kind, by name, and a way to spoil or empty each behind the service's back."""

    def __init__(self, database: TestDatabase, folder: Path, bucket: s3.S3Server) -> None:
        self._database, self._folder, self.bucket = database, folder, bucket
        folder.mkdir()
        self.addresses = {"database": DATABASE, "folder": folder.as_uri(), "bucket": "s3://extracts/papers"}

    def spoil(self, name: str, extract_id: int, data: bytes, *, is_cut: bool = False) -> None:
        sha256 = hashlib.sha256(data).hexdigest()
        spoiled = data[:-3] if is_cut else b"!" + data[1:]
        if name == "database":
            with self._database.connect() as connection:
                connection.execute(
                    "update extract_chunks set data = %s where position = 0 and extract_id = %s",
                    (spoiled[:PIECE_BYTES] if not is_cut else data[:-3][: PIECE_BYTES - 3], extract_id),
                )
        elif name == "folder":
            (self._folder / sha256[:2] / f"{sha256}.zip").write_bytes(spoiled)
        else:
            self.bucket.objects[f"/extracts/papers/{sha256[:2]}/{sha256}.zip"] = spoiled

    def lose(self, name: str, stored: StoredFile) -> None:
        if name == "database":
            with self._database.connect() as connection:
                connection.execute("delete from extract_chunks where extract_id = %s", (stored.id,))
        elif name == "folder":
            (self._folder / places.key_of(stored.sha256)).unlink()
        else:
            self.bucket.objects.clear()

    def count(self, name: str) -> int:
        if name == "database":
            with self._database.connect() as connection:
                row = connection.execute("select count(distinct extract_id) from extract_chunks").fetchone()
            assert row is not None
            return int(row[0])
        if name == "folder":
            return sum(path.is_file() for path in self._folder.rglob("*"))
        return len(self.bucket.objects)


@pytest.fixture
def sites(fresh_database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sites]:
    with s3.serving() as server:
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        places.open_place.cache_clear()
        yield Sites(fresh_database, tmp_path / "papers ё", server)
        places.open_place.cache_clear()


async def store(db: Database, place: str, data: bytes) -> StoredFile:
    """Store as a paper is stored."""
    sha256 = hashlib.sha256(data).hexdigest()
    file = io.BytesIO(data)
    await files.prepare(db, place, sha256, len(data), file)
    async with db.transaction() as connection:
        extract_id = await files.keep(connection, place, sha256, len(data), file)
    return await find(db, extract_id)


async def find(db: Database, extract_id: int) -> StoredFile:
    async with db.transaction() as connection:
        cursor = await connection.execute(
            "select id, sha256, size_bytes, place from extracts where id = %s", (extract_id,)
        )
        row = await cursor.fetchone()
    assert row is not None
    return StoredFile(**row)


async def fetch(db: Database, stored: StoredFile, **where: Any) -> bytes:
    return b"".join([piece async for piece in files.read(db, stored, **where)])


def test_what_is_stored_comes_back_whole_and_by_ranges(run: Run, sites: Sites) -> None:
    async def work(db: Database) -> None:
        for name, data in itertools.product(PLACES, (SMALL, LARGE)):
            data = name.encode() + data
            stored = await store(db, sites.addresses[name], data)
            assert stored.place == sites.addresses[name]
            assert await fetch(db, stored) == data
            middle = len(data) // 2
            for start, end in ((0, 1), (1, None), (middle, middle + 3), (len(data) - 1, None), (len(data), None)):
                assert await fetch(db, stored, start=start, end=end) == data[start:end]
            assert await fetch(db, stored, start=0, end=len(data) + 100) == data

    run(work)


def test_one_content_is_stored_once_whatever_comes_and_wherever_it_would_go_now(run: Run, sites: Sites) -> None:
    async def work(db: Database) -> None:
        for name in PLACES:
            first = await store(db, sites.addresses[name], name.encode())
            for other in PLACES:
                assert await store(db, sites.addresses[other], name.encode()) == first

    run(work)
    assert {name: sites.count(name) for name in PLACES} == dict.fromkeys(PLACES, 1)


def test_what_isnt_what_was_stored_is_never_given_out_whole(run: Run, sites: Sites) -> None:
    async def work(db: Database) -> None:
        for name, data, is_cut in itertools.product(PLACES, (SMALL, LARGE), (False, True)):
            data = name.encode() + data + b"%d" % is_cut
            stored = await store(db, sites.addresses[name], data)
            sites.spoil(name, stored.id, data, is_cut=is_cut)
            with pytest.raises(files.BytesMissing):
                await fetch(db, stored)
        assert [bool(one.error) async for one in upkeep.check(db)] == [True] * 12

    run(work)


def test_a_paper_that_was_prepared_and_not_kept_is_gone_on_with(run: Run, sites: Sites) -> None:
    async def work(db: Database) -> None:
        sha256 = hashlib.sha256(SMALL).hexdigest()
        sites.bucket.is_away = True
        with pytest.raises(errors.StoreUnavailable):
            await files.prepare(db, sites.addresses["bucket"], sha256, len(SMALL), io.BytesIO(SMALL))
        sites.bucket.is_away = False
        stored = await store(db, sites.addresses["bucket"], SMALL)
        assert await fetch(db, stored) == SMALL

    run(work)


def test_moving_brings_every_file_and_loses_none(run: Run, sites: Sites) -> None:
    async def work(db: Database) -> None:
        before = [
            (await store(db, sites.addresses[name], name.encode() + data), name.encode() + data)
            for name, data in itertools.product(PLACES, (SMALL, LARGE))
        ]
        for target in (*PLACES, *reversed(PLACES)):
            outcomes = [one async for one in upkeep.move(db, sites.addresses[target])]
            assert {one.error for one in outcomes} <= {""}
            assert {name: sites.count(name) for name in PLACES} == {name: 6 * (name == target) for name in PLACES}
            for stored, data in before:
                # Also for who found it before the first move.
                assert await fetch(db, stored) == data
                assert (await find(db, stored.id)).place == sites.addresses[target]
            assert [one async for one in upkeep.move(db, sites.addresses[target])] == []

    run(work)


def second_name(sites: Sites, kind: str, tmp_path: Path) -> tuple[str, str]:
    """One storage under two names."""
    folder = tmp_path / "papers ё"
    if kind == "a link":
        (tmp_path / "link").symlink_to(folder)
        return sites.addresses["folder"], (tmp_path / "link").as_uri()
    if kind == "a link inside":
        (tmp_path / "other").mkdir()
        for name in (f"{number:02x}" for number in range(256)):
            (folder / name).mkdir()
            (tmp_path / "other" / name).symlink_to(folder / name)
        return sites.addresses["folder"], (tmp_path / "other").as_uri()
    if kind == "another way of saying it":
        return sites.addresses["folder"], f"{folder.as_uri()}/../{urllib.parse.quote('papers ё')}"
    sites.bucket.aliases["/other"] = "/extracts"
    return sites.addresses["bucket"], "s3://other/papers"


@pytest.mark.parametrize("kind", ["a link", "a link inside", "another way of saying it", "an alias of the bucket"])
def test_moving_to_the_same_storage_under_another_name_removes_nothing(
    run: Run, sites: Sites, kind: str, tmp_path: Path
) -> None:
    here, there = second_name(sites, kind, tmp_path)

    async def work(db: Database) -> None:
        before = [(await store(db, here, b"%d" % number + SMALL), b"%d" % number + SMALL) for number in range(3)]
        for target in (there, here):
            assert [one.error async for one in upkeep.move(db, target)] == [""] * 3
            for stored, data in before:
                assert (await find(db, stored.id)).place == target
                assert await fetch(db, await find(db, stored.id)) == data
        assert [one.error async for one in upkeep.check(db)] == [""] * 3

    run(work)
    assert sites.count("bucket" if "bucket" in kind else "folder") == 3, "and no marker is left"


class Careless(places.ObjectPlace):
    """A store that says it has stored what it hasn't, or not whole."""

    keeps = 0

    async def write(self, sha256: str, file: Any) -> None:
        await super().write(sha256, io.BytesIO(file.read()[: self.keeps]))


@pytest.mark.parametrize("keeps", [1, 4])
@pytest.mark.parametrize("name", ["folder", "database"])
def test_nothing_is_removed_before_the_new_place_has_shown_that_it_has_it(
    run: Run, sites: Sites, name: str, keeps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Careless, "keeps", keeps)
    careless = Careless(sites.addresses["bucket"])
    opened = places.open_place
    monkeypatch.setattr(upkeep, "open_place", lambda place: careless if place == careless.address else opened(place))

    async def work(db: Database) -> None:
        stored = await store(db, sites.addresses[name], name.encode())
        [outcome] = [one async for one in upkeep.move(db, careless.address)]
        assert "isn't stored whole in s3://extracts/papers" in outcome.error
        assert await fetch(db, await find(db, stored.id)) == name.encode()

    run(work)


def test_what_couldnt_be_removed_from_the_old_place_is_told(run: Run, sites: Sites, tmp_path: Path) -> None:
    async def work(db: Database) -> None:
        stored = await store(db, sites.addresses["folder"], SMALL)
        taken_away = tmp_path / "away"
        real = places.ObjectPlace.shares

        async def shares(self: places.ObjectPlace, other: places.ObjectPlace, sha256: str) -> bool:
            """The folder is unmounted when all else is done."""
            found = await real(self, other, sha256)
            (tmp_path / "papers ё").rename(taken_away)
            (tmp_path / "papers ё").mkdir()
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(places.ObjectPlace, "shares", shares)
            [outcome] = [one async for one in upkeep.move(db, sites.addresses["bucket"])]
        assert "is still in file:" in outcome.error
        assert f"{stored.sha256}.zip" in outcome.error
        assert await fetch(db, await find(db, stored.id)) == SMALL

    run(work)


def test_a_full_disk_on_the_way_is_told_and_the_file_stays_where_it_is(
    run: Run, sites: Sites, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def work(db: Database) -> None:
        stored = await store(db, DATABASE, SMALL)
        monkeypatch.setattr(tempfile, "SpooledTemporaryFile", lambda **_: Full())
        [outcome] = [one async for one in upkeep.move(db, sites.addresses["folder"])]
        assert "No space left on device" in outcome.error
        assert await fetch(db, await find(db, stored.id)) == SMALL

    run(work)


@pytest.mark.parametrize("name", ["folder", "bucket"])
@pytest.mark.parametrize("how", ["gone", "an empty mount point"])
def test_a_place_that_isnt_there_is_never_taken_for_one_without_the_file(
    run: Run, sites: Sites, fresh_database: TestDatabase, tmp_path: Path, name: str, how: str
) -> None:
    folder = tmp_path / "papers ё"
    stored = run(functools.partial(store, place=sites.addresses[name], data=SMALL))
    order_of(fresh_database, stored.id, state="completed", days_ago=100)
    sites.bucket.is_gone = True
    folder.rename(tmp_path / "away")
    if how == "an empty mount point":
        folder.mkdir()

    [told] = _retired(run, 99)
    assert "can't be removed from" in told.error
    [checked] = run(checked_all)
    assert "can't be read from" in checked.error, "it isn't lost: nobody should look for a backup"

    sites.bucket.is_gone = False
    if folder.exists():
        folder.rmdir()
    (tmp_path / "away").rename(folder)
    assert [one.error for one in run(checked_all)] == [""]
    assert [one.error for one in _retired(run, 99)] == [""]
    assert sites.count(name) == 0


@pytest.mark.parametrize("name", PLACES)
def test_what_a_broken_off_removal_removed_is_removed(
    run: Run, sites: Sites, fresh_database: TestDatabase, name: str
) -> None:
    stored = run(functools.partial(store, place=sites.addresses[name], data=SMALL))
    order_of(fresh_database, stored.id, state="completed", days_ago=100)
    sites.lose(name, stored)

    assert [one.error for one in _retired(run, 99)] == [""]


async def checked_all(db: Database) -> list[upkeep.Outcome]:
    return [one async for one in upkeep.check(db)]


@pytest.mark.parametrize(("is_paper", "hours_ago", "is_told"), [(False, 0, False), (False, 2, True), (True, 0, True)])
def test_a_file_whose_bytes_never_came_is_told(
    run: Run, sites: Sites, fresh_database: TestDatabase, is_paper: bool, hours_ago: int, is_told: bool
) -> None:
    sites.bucket.is_away = True
    with pytest.raises(errors.StoreUnavailable):
        run(lambda db: store(db, sites.addresses["bucket"], SMALL))
    with fresh_database.connect() as connection:
        row = connection.execute("select id from extracts").fetchone()
        assert row is not None
        if is_paper:
            order_of(fresh_database, row[0], state="completed", days_ago=1)
        connection.execute("update extracts set stored_at = now() - make_interval(hours => %s)", (hours_ago,))
    sites.bucket.is_away = False

    assert ["never came" in one.error for one in run(checked_all)] == [True] * is_told
    [place] = run(upkeep.list_places)
    assert (place.place, place.is_removed) == ("", False)

    assert run(lambda db: store(db, sites.addresses["bucket"], SMALL)).place == sites.addresses["bucket"]
    assert [one.error for one in run(checked_all)] == [""]


def test_a_file_that_is_moved_by_two_at_once_is_told_as_moved_once(run: Run, sites: Sites) -> None:
    async def work(db: Database) -> None:
        stored = await store(db, sites.addresses["folder"], SMALL)
        real = places.ObjectPlace.shares

        async def shares(self: places.ObjectPlace, other: places.ObjectPlace, sha256: str) -> bool:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(places.ObjectPlace, "shares", real)
                assert [one.error async for one in upkeep.move(db, sites.addresses[first])] == [""]
            return False

        for first, told in (("bucket", []), ("database", ["Somebody else moved or removed it meanwhile"])):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(places.ObjectPlace, "shares", shares)
                outcomes = [one.error async for one in upkeep.move(db, sites.addresses["bucket"])]
            assert [one.partition(":")[0] for one in outcomes] == told
            assert await fetch(db, await find(db, stored.id)) == SMALL
            assert (await find(db, stored.id)).place == sites.addresses[first]
            async for _ in upkeep.move(db, sites.addresses["folder"]):
                pass

    run(work)


def test_a_download_goes_on_while_its_file_is_moved(run: Run, sites: Sites) -> None:
    async def work(db: Database) -> None:
        stored = await store(db, sites.addresses["folder"], LARGE)
        pieces: list[bytes] = []
        async for piece in files.read(db, stored):
            if not pieces:
                assert [one.error async for one in upkeep.move(db, DATABASE)] == [""]
            pieces.append(piece)
        assert b"".join(pieces) == LARGE

    run(work)


def test_a_damaged_file_stays_where_it_is_and_is_told(run: Run, sites: Sites) -> None:
    async def work(db: Database) -> None:
        stored = await store(db, sites.addresses["folder"], SMALL)
        sites.spoil("folder", stored.id, SMALL)
        for target in ("database", "bucket"):
            [outcome] = [one async for one in upkeep.move(db, sites.addresses[target])]
            assert stored.sha256 in outcome.error
            assert (await find(db, stored.id)).place == sites.addresses["folder"]

    run(work)
    assert sites.count("folder") == 1


def order_of(database: TestDatabase, extract_id: int, *, state: str, days_ago: float | None, number: int = 1) -> None:
    columns: dict[str, Any] = {"account": "a", "rosreestr_order_num": f"80-{number}"}
    if state == "completed":
        columns["extract_id"] = extract_id
    order_id = insert_order(database, number, state=state, **columns, finished_at=_ago(days_ago))
    with database.connect() as connection:
        connection.execute(
            "insert into order_extracts (order_id, extract_id, kind, file_name, received_at) "
            "values (%s, %s, 'extract', 'x.zip', %s)",
            (order_id, extract_id, _ago(days_ago) or _ago(0)),
        )
        connection.execute("update extracts set stored_at = now() - interval '400 days'")


def _ago(days: float | None) -> dt.datetime | None:
    return None if days is None else dt.datetime.now(dt.UTC) - dt.timedelta(days=days)


def _retired(run: Run, days: float, **options: Any) -> list[upkeep.Outcome]:
    before = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)

    async def work(db: Database) -> list[upkeep.Outcome]:
        return [one async for one in upkeep.retire(db, before, **options)]

    outcomes: list[upkeep.Outcome] = run(work)
    return outcomes


def test_old_files_are_removed_and_what_is_known_of_them_stays(
    run: Run, sites: Sites, fresh_database: TestDatabase
) -> None:
    async def store_all(db: Database) -> list[StoredFile]:
        return [await store(db, sites.addresses[name], name.encode()) for name in PLACES]

    stored = run(store_all)
    for number, one in enumerate(stored, start=1):
        order_of(fresh_database, one.id, state="completed", days_ago=100, number=number)

    assert [one.error for one in _retired(run, 99, is_dry_run=True)] == ["", "", ""]
    assert [sites.count(name) for name in PLACES] == [1, 1, 1]
    assert [one.error for one in _retired(run, 99)] == ["", "", ""]
    assert [sites.count(name) for name in PLACES] == [0, 0, 0]
    assert _retired(run, 99) == []

    async def look(db: Database) -> None:
        for name, one in zip(PLACES, stored, strict=True):
            with pytest.raises(files.BytesMissing):
                await fetch(db, one)
            # The same content may come again.
            again = await store(db, sites.addresses[name], name.encode())
            assert (again.id, await fetch(db, again)) == (one.id, name.encode())

    run(look)


def test_a_file_that_an_order_still_needs_stays(run: Run, sites: Sites, fresh_database: TestDatabase) -> None:
    cases: list[list[tuple[str, float | None]]] = [
        [("registered", None)],
        [("completed", 98)],
        [("completed", 100), ("completed", 98)],
        [("completed", 100), ("registered", None)],
    ]
    number = 0
    for index, orders in enumerate(cases):
        content = b"%d" % index
        stored = run(functools.partial(store, place=sites.addresses["folder"], data=content))
        for state, days_ago in orders:
            number += 1
            order_of(fresh_database, stored.id, state=state, days_ago=days_ago, number=number)

    assert _retired(run, 99) == []
    assert sites.count("folder") == len(cases)


def test_how_much_lies_where_is_told(run: Run, sites: Sites) -> None:
    run(lambda db: store(db, sites.addresses["folder"], SMALL))
    run(lambda db: store(db, DATABASE, LARGE))

    told = {one.place: (one.files, one.size_bytes) for one in run(upkeep.list_places)}

    assert told == {DATABASE: (1, len(LARGE)), sites.addresses["folder"]: (1, len(SMALL))}


def test_a_folder_that_isnt_there_is_never_made(run: Run, sites: Sites, tmp_path: Path) -> None:
    missing = tmp_path / "not mounted"

    with pytest.raises(errors.StoreUnavailable, match="there is no folder"):
        run(lambda db: store(db, missing.as_uri(), SMALL))

    assert not missing.exists()


@pytest.mark.parametrize(
    "text", ["database", "file:///srv/papers", "s3://bucket", "s3://bucket/a/b", "gs://b/a", "az://c/a"]
)
def test_a_place_is_known_by_its_address(text: str) -> None:
    assert check_place(f" {text} ") == text
    assert check_place(f"{text}/" if "//" in text else text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "papers",
        "/srv/papers",
        "file://srv/papers",
        "file:///",
        "s3://",
        "s3://key:secret@bucket",
        "http://host/a",
        "s3://b?x=1",
    ],
)
def test_what_is_no_place_is_refused_and_no_secret_repeated(text: str) -> None:
    with pytest.raises(PlaceInvalid) as caught:
        check_place(text)

    assert "secret@" not in str(caught.value)
    assert urllib.parse.urlsplit(text).password is None or "AWS_SECRET_ACCESS_KEY" in str(caught.value)
