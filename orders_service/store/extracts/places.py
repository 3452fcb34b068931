"""Folders and S3-like stores, by their address."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import hashlib
import os
import urllib.parse
import uuid
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from orders_service import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from obstore.store import ObjectStore

#: The place of what lies in `extract_chunks`.
DATABASE: Final = "database"

_SCHEMES: Final = ("file", "s3", "gs", "az")
#: One call of a store, with its repeats. A worker that brings a paper waits for it, and tries again later.
_TIMEOUT: Final = dt.timedelta(seconds=30)

#: How much of a content is looked at at once.
_READ_BYTES: Final = 1 << 20


class PlaceInvalid(errors.OrdersServiceError):
    """The address is none of a place for papers."""


def check_place(place: str) -> str:
    """Return the address of a place in the one spelling that rows have.

    Raises:
        PlaceInvalid: It isn't `database`, `file:///folder` or `s3://bucket/prefix`, or holds a secret.
    """
    place = place.strip()
    if place == DATABASE:
        return place
    parts = urllib.parse.urlsplit(place)
    if parts.scheme not in _SCHEMES or parts.query or parts.fragment:
        raise PlaceInvalid(f"{place!r} is no place for extracts: give database, file:///folder or s3://bucket/prefix.")
    if parts.username or parts.password:
        raise PlaceInvalid(
            "The place of extracts holds a secret: give it by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    if parts.scheme == "file" and (parts.netloc or not parts.path.strip("/")):
        raise PlaceInvalid(f"{place!r} is no folder: give file:///folder, with three slashes.")
    if parts.scheme != "file" and not parts.netloc:
        raise PlaceInvalid(f"{place!r} names no bucket: give {parts.scheme}://bucket/prefix.")
    return place.rstrip("/")


class ObjectPlace:
    """A folder or a bucket. Every object is a paper under its hash, written whole and never changed.

    Attributes:
        address: As rows have it.

    Raises:
        PlaceInvalid: The address is none, or the extra isn't installed.
    """

    def __init__(self, address: str) -> None:
        self.address = check_place(address)
        try:
            import obstore as _  # noqa: F401
        except ImportError as exc:
            raise PlaceInvalid(f"Extracts in {self.address} need the extra: pip install 'rosq[objects]'.") from exc
        parts = urllib.parse.urlsplit(self.address)
        self._folder = Path(urllib.parse.unquote(parts.path)) if parts.scheme == "file" else None
        self._opened: ObjectStore | None = None

    async def write(self, sha256: str, file: IO[bytes]) -> None:
        """Store the content under its hash; it is on disk when this returns. The same again changes nothing.

        Raises:
            StoreUnavailable: It can't be written there now.
        """
        import obstore

        with self._translated("written to"):
            store = self._store()
            file.seek(0)
            # Under another name first, and renamed, or sent whole: a reader never sees half of it.
            await obstore.put_async(store, key_of(sha256), file)
            if self._folder is not None:
                await asyncio.to_thread(_flush, self._folder, key_of(sha256))

    async def read(self, sha256: str, start: int, length: int) -> bytes | None:
        """Return a range of the content; None where there is no such object, or it is shorter.

        Raises:
            StoreUnavailable: It can't be read now.
        """
        import obstore

        with self._translated("read from"):
            store = self._store()
            try:
                try:
                    data = await obstore.get_range_async(store, key_of(sha256), start=start, length=length)
                except obstore.exceptions.GenericError:
                    # Every store tells in words of its own that a range isn't there.
                    if (await obstore.head_async(store, key_of(sha256)))["size"] < start + length:
                        return None
                    raise
            except (FileNotFoundError, obstore.exceptions.NotFoundError):
                await self._require_there(store, sha256)
                return None
            return bytes(data)

    async def holds(self, sha256: str, size_bytes: int) -> bool:
        """Whether the whole content is there, byte by byte.

        Raises:
            StoreUnavailable: It can't be read now.
        """
        digest = hashlib.sha256()
        position = 0
        while position < size_bytes:
            piece = await self.read(sha256, position, min(_READ_BYTES, size_bytes - position))
            if not piece:
                return False
            digest.update(piece)
            position += len(piece)
        return digest.hexdigest() == sha256

    async def delete(self, sha256: str) -> None:
        """Remove the content; where there is none, nothing happens.

        Raises:
            StoreUnavailable: It can't be removed now, or what it lies in isn't there: a folder that isn't mounted holds
                all that it ever held.
        """
        import obstore

        with self._translated("removed from"):
            store = self._store()
            try:
                await obstore.delete_async(store, key_of(sha256))
            except (FileNotFoundError, obstore.exceptions.NotFoundError):
                await self._require_there(store, sha256)

    async def shares(self, other: ObjectPlace, sha256: str) -> bool:
        """Whether both are one and the same storage under two names, where this content would lie.

        Names prove nothing: links, mounts, aliases of a bucket. So a marker is written here, and looked for there. A
        crash leaves the marker, which is no content and is in nobody's way.

        Raises:
            StoreUnavailable: It can't be found out now.
        """
        import obstore

        marker = f"{sha256[:2]}/marker-{uuid.uuid4().hex}"
        with self._translated("written to"):
            store = self._store()
            await obstore.put_async(store, marker, b"Whose storage is this?")
            try:
                return await other.has(marker)
            finally:
                await obstore.delete_async(store, marker)

    async def has(self, key: str) -> bool:
        """Whether there is an object of this name.

        Raises:
            StoreUnavailable: It can't be looked for now.
        """
        import obstore

        with self._translated("read from"):
            store = self._store()
            try:
                await obstore.head_async(store, key)
            except (FileNotFoundError, obstore.exceptions.NotFoundError):
                return False
            return True

    async def _require_there(self, store: ObjectStore, sha256: str) -> None:
        """Tell what isn't in its place from a place that isn't there.

        Every content has made its folder, and none is ever taken away; a bucket answers for itself.
        """
        if self._folder is None:
            import obstore

            async for _ in obstore.list(store, prefix=sha256[:2], chunk_size=1):
                return
        elif not (self._folder / sha256[:2]).is_dir():
            raise FileNotFoundError(f"there is no folder {self._folder / sha256[:2]}: is it mounted?")

    def _store(self) -> ObjectStore:
        # Never made, and asked for each time: a folder that isn't mounted, or not any more, would be another disk.
        if self._folder is not None and not self._folder.is_dir():
            raise FileNotFoundError(f"there is no folder {self._folder}")
        if self._opened is None:
            from obstore.store import from_url

            if self._folder is not None:
                self._opened = from_url(self.address)
            else:
                # Credentials, region and endpoint come from the environment (AWS_…), as every tool reads them.
                self._opened = from_url(
                    self.address,
                    client_options={
                        "timeout": _TIMEOUT,
                        "connect_timeout": dt.timedelta(seconds=5),
                        # With options of ours the library no longer looks at this one itself.
                        "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true"),
                    },
                    retry_config={"max_retries": 3, "retry_timeout": _TIMEOUT},
                )
        return self._opened

    @contextlib.contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        import obstore

        try:
            yield
        except (obstore.exceptions.BaseError, OSError, ValueError) as exc:
            reason = " ".join(str(exc).partition("Debug source")[0].split())[:300].rstrip(".: ")
            raise errors.StoreUnavailable(f"The extract can't be {what} {self.address} ({reason}): try again.") from exc


@functools.lru_cache(maxsize=16)
def open_place(address: str) -> ObjectPlace:
    """Return the place of this address; opened once per process.

    Raises:
        PlaceInvalid: As for `check_place`.
    """
    return ObjectPlace(address)


def key_of(sha256: str) -> str:
    """Return under which name a content lies in its place."""
    # A folder with a million entries is slow to list.
    return f"{sha256[:2]}/{sha256}.zip"


def _flush(folder: Path, key: str) -> None:
    """Put a file that was written, and its names in the folders, onto the disk."""
    path = folder / key
    for one in (path, path.parent, folder):
        handle = os.open(one, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
