"""Opening an extract's ZIP that nobody vouches for: bounded, every checksum checked, exactly one XML found.

The worker judges by it what the portal handed out, the service reads the summary of what it was brought. The
portal packs flat (XML, PDF, perhaps signatures and a stylesheet), or puts one archive inside. What is cut or damaged is
worth another download; what is whole but strange is for a person.
"""

from __future__ import annotations

import errno
import gzip
import io
import struct
import tempfile
import zipfile
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

_MIB: Final = 1024 * 1024
_CHUNK: Final = 256 * 1024
_ENCRYPTED_FLAG: Final = 0x1
# Smaller entries can't do harm, however well they are compressed.
_RATIO_FLOOR_BYTES: Final = _MIB
# What zipfile raises for cut or damaged archives; found by cutting and damaging thousands of them.
_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    gzip.BadGzipFile,
    EOFError,
    UnicodeDecodeError,
    struct.error,
    OverflowError,
)
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """How much an archive may be, all levels together."""

    max_archive_bytes: int = 256 * _MIB
    max_entries: int = 200
    #: Of one XML.
    max_xml_bytes: int = 256 * _MIB
    #: Unpacked, of all entries.
    max_total_bytes: int = 1024 * _MIB
    #: Unpacked to packed, of one entry. Text packs 30 : 1; bombs 1000 : 1.
    max_ratio: int = 250


class ArchiveDamaged(Exception):
    """The archive is cut or damaged: download it again."""


class ArchiveStrange(Exception):
    """The archive is whole, but not what an extract looks like: put it aside for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundXml:
    """The archive's only XML."""

    name: str
    content: IO[bytes]


@contextmanager
def open_only_xml(source: Path | IO[bytes], limits: ArchiveLimits) -> Iterator[FoundXml]:
    """Check the whole archive and give its only XML to read.

    Args:
        source: Where the archive lies, or the archive itself, which is read from its beginning and stays open.

    Raises:
        ArchiveDamaged, ArchiveStrange: As they say; the message is one sentence.
        OSError: The file can't be read: our disk, not the portal.
    """
    with ExitStack() as stack:
        file = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
        size = file.seek(0, io.SEEK_END)
        if size > limits.max_archive_bytes:
            raise ArchiveStrange(f"The file has {size} bytes, more than {limits.max_archive_bytes}.")
        reader = _Reader(limits, stack)
        try:
            reader.read_zip(file, label="", is_inner=False)
        except _DAMAGE as exc:
            raise ArchiveDamaged(f"The archive is damaged: {str(exc) or type(exc).__name__}.") from exc
        except OSError as exc:
            if exc.errno != errno.EINVAL:
                raise
            # A directory that points before the beginning of the file.
            raise ArchiveDamaged("The archive is damaged: its directory points nowhere.") from exc
        except NotImplementedError as exc:  # zipfile's word for what it can't unpack
            raise ArchiveStrange(f"The archive can't be unpacked: {exc}.") from exc
        yield reader.only_xml()


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Reader:
    def __init__(self, limits: ArchiveLimits, stack: ExitStack) -> None:
        self._limits = limits
        self._stack = stack
        self._entries = 0
        self._total = 0
        self._inner_archives = 0
        self._xmls: list[FoundXml] = []

    def only_xml(self) -> FoundXml:
        if len(self._xmls) != 1:
            names = ", ".join(xml.name for xml in self._xmls[:3])
            raise ArchiveStrange(
                f"The archive holds {len(self._xmls)} XML files ({names})." if names else "The archive holds no XML."
            )
        return self._xmls[0]

    def read_zip(self, source: IO[bytes], *, label: str, is_inner: bool) -> None:
        archive = self._stack.enter_context(zipfile.ZipFile(source))
        for entry in archive.infolist():
            self._entries += 1
            if self._entries > self._limits.max_entries:
                raise ArchiveStrange(f"The archive has more than {self._limits.max_entries} entries.")
            if entry.is_dir():
                continue
            name = f"{label}{entry.filename}"
            if entry.flag_bits & _ENCRYPTED_FLAG:
                raise ArchiveStrange(f"{name} is encrypted.")
            if entry.compress_type not in _METHODS:
                raise ArchiveStrange(f"{name} is compressed by an unusual method ({entry.compress_type}).")
            with archive.open(entry) as unpacked:
                # Read to its end whatever it is: that alone checks its checksum.
                self._take(name, unpacked, packed_bytes=entry.compress_size, is_inner=is_inner)

    def _take(self, name: str, unpacked: _Readable, *, packed_bytes: int, is_inner: bool) -> None:
        kind = name.lower()
        is_archive = kind.endswith((".zip", ".xml.gz"))
        if is_archive and is_inner:
            raise ArchiveStrange(f"{name} is an archive inside an archive inside the archive.")
        if not is_archive and not kind.endswith(".xml"):
            self._copy(name, unpacked, None, packed_bytes)
            return
        # Closed by the stack, together with the archive.
        kept = self._stack.enter_context(tempfile.SpooledTemporaryFile(max_size=16 * _MIB))  # noqa: SIM115
        self._copy(name, unpacked, kept, packed_bytes)
        size = kept.tell()
        kept.seek(0)
        if not is_archive:
            self._xmls.append(FoundXml(name=name, content=kept))
            return
        self._inner_archives += 1
        if self._inner_archives > 1:
            raise ArchiveStrange("The archive holds more than one archive.")
        if kind.endswith(".gz"):
            with gzip.GzipFile(fileobj=kept, mode="rb") as inner:
                self._take(name[: -len(".gz")], inner, packed_bytes=size, is_inner=True)
        else:
            self.read_zip(kept, label=f"{name}/", is_inner=True)

    def _copy(self, name: str, source: _Readable, target: IO[bytes] | None, packed_bytes: int) -> None:
        limit = self._limits.max_xml_bytes if target is not None else self._limits.max_total_bytes
        copied = 0
        # What the headers say of sizes is a claim; what comes out counts.
        while chunk := source.read(_CHUNK):
            copied += len(chunk)
            self._total += len(chunk)
            if copied > limit or self._total > self._limits.max_total_bytes:
                raise ArchiveStrange(f"{name} unpacks to more than is allowed.")
            if copied > _RATIO_FLOOR_BYTES and copied > packed_bytes * self._limits.max_ratio:
                raise ArchiveStrange(f"{name} unpacks to more than {self._limits.max_ratio} times its size.")
            if target is not None:
                target.write(chunk)
