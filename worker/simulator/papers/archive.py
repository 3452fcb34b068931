"""The ZIP that a download gives: the good one, and every broken or odd one that was seen or is feared.

The same application always gives the same bytes: names and times inside follow from it alone.
"""

from __future__ import annotations

import gzip
import io
import struct
import uuid
import zipfile
from typing import TYPE_CHECKING

from worker.simulator import cadnum
from worker.simulator.clock import MOSCOW
from worker.simulator.papers import extract_pdf, extract_xml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.simulator.books import Application
    from worker.simulator.objects import PropertyObject
    from worker.simulator.people import Person

_NAMES_NAMESPACE = uuid.UUID("0d5b0f6a-6b0e-4b9e-8d51-6f0d7d2a3c11")
_BOMB_BYTES = 64 * 1024 * 1024
#: One file inside: its name and content.
_Member = tuple[str, bytes]


class Archive:
    """Packs one application's papers."""

    def __init__(self, application: Application, found: PropertyObject, receiver: Person) -> None:
        self._application = application
        self._found = found
        self._receiver = receiver
        report = uuid.uuid5(_NAMES_NAMESPACE, application.request_number)
        self._stem = f"report-{report}-{application.request_number}[0]"

    def good(self) -> bytes:
        """XML and PDF of the same stem, flat; for an object marked so, the notice of absence."""
        if self._application.is_notice:
            return self.notice()
        return self._zip([self._xml(self._extract()), self._pdf()])

    def notice(self) -> bytes:
        """A notice of absence instead of an extract."""
        return self._zip([self._xml(extract_xml.notice(self._application, self._receiver)), self._pdf()])

    def wrong_cad_num(self) -> bytes:
        """A whole extract, of another object."""
        quarter, number = self._found.cad_num.rsplit(":", 1)
        return self._zip([self._xml(self._extract(f"{quarter}:{int(number) + 1}")), self._pdf()])

    def other_spelling(self) -> bytes:
        """The right object, with other leading zeros than the search printed."""
        return self._zip([self._xml(self._extract(cadnum.respell(self._found.cad_num))), self._pdf()])

    def windows_1251(self) -> bytes:
        """A right extract in the old encoding, declared as it must be."""
        text = self._extract().decode().replace('encoding="UTF-8"', 'encoding="WINDOWS-1251"', 1)
        return self._zip([self._xml(text.encode("cp1251")), self._pdf()])

    def signed(self) -> bytes:
        """A right extract with signatures and a stylesheet beside it."""
        signatures = [(f"{self._stem}{end}", b"\x30\x80test signature\x00\x00") for end in (".xml.sig", ".pdf.sig")]
        stylesheet = ("extract.xsl", b'<?xml version="1.0"?><stylesheet/>')
        return self._zip([self._xml(self._extract()), self._pdf(), *signatures, stylesheet])

    def nested(self) -> bytes:
        """The old habit: an archive inside, and its signature."""
        return self._wrap(self.good())

    def too_deep(self) -> bytes:
        """An archive in an archive in an archive."""
        return self._wrap(self._wrap(self.good()))

    def gzipped(self) -> bytes:
        """The XML packed once more, as seen in the wild."""
        return self._zip([(f"{self._stem}.xml.gz", gzip.compress(self._extract(), mtime=0)), self._pdf()])

    def without_xml(self) -> bytes:
        """The PDF alone."""
        return self._zip([self._pdf()])

    def signature_only(self) -> bytes:
        """Nothing but a signature."""
        return self._zip([(f"{self._stem}.xml.sig", b"\x30\x80test signature\x00\x00")])

    def two_xml(self) -> bytes:
        """Two extracts of two objects; which one was meant, nobody can tell."""
        quarter, number = self._found.cad_num.rsplit(":", 1)
        other = self._extract(f"{quarter}:{int(number) + 1}")
        return self._zip([self._xml(self._extract()), (f"{self._stem[:-3]}[1].xml", other), self._pdf()])

    def bad_crc(self) -> bytes:
        """A directory that is whole, and an XML whose bytes don't match their checksum."""
        packed = bytearray(self.good())
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            at = archive.infolist()[0].header_offset
        name_length, extra_length = struct.unpack_from("<HH", packed, at + 26)
        packed[at + 30 + name_length + extra_length + 20] ^= 0xFF
        return bytes(packed)

    def bomb(self) -> bytes:
        """A few kilobytes that unpack to 64 MiB."""
        return self._zip([self._xml(self._extract() + b" " * _BOMB_BYTES), self._pdf()])

    def entities(self) -> bytes:
        """An extract that declares entities: no parser of ours may expand them."""
        declared = self._extract().replace(b"?>", b'?>\n<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]>', 1)
        return self._zip([self._xml(declared.replace(b"</status>", b"&c;</status>", 1)), self._pdf()])

    def bad_xml(self) -> bytes:
        """An XML that ends in the middle, in an archive that is whole."""
        whole = self._extract()
        return self._zip([self._xml(whole[: len(whole) // 2]), self._pdf()])

    def _extract(self, cad_num: str | None = None) -> bytes:
        return extract_xml.extract(self._application, self._found, self._receiver, cad_num=cad_num)

    def _xml(self, content: bytes) -> _Member:
        return f"{self._stem}.xml", content

    def _pdf(self) -> _Member:
        lines = [
            "Extract from the register (simulator, not a document)",
            f"Request: {self._application.request_number}",
            f"Cadastral number: {self._found.cad_num}",
            f"Formed: {self._application.ready_at.astimezone(MOSCOW).date().isoformat()}",
        ]
        return f"{self._stem}.pdf", extract_pdf.page(lines)

    def _wrap(self, inner: bytes) -> bytes:
        name = f"Response-{self._application.request_number}"
        return self._zip([(f"{name}.zip", inner), (f"{name}.zip.sig", b"\x30\x80test signature\x00\x00")])

    def _zip(self, members: Sequence[_Member]) -> bytes:
        packed = io.BytesIO()
        made = self._application.ready_at.astimezone(MOSCOW).timetuple()[:6]
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                archive.writestr(zipfile.ZipInfo(name, made), content, zipfile.ZIP_DEFLATED)
        return packed.getvalue()
