"""The ZIP that a download gives.

The same application always gives the same bytes: names and times inside follow from it alone.
"""

from __future__ import annotations

import io
import uuid
import zipfile
from typing import TYPE_CHECKING, Any

from worker.simulator.clock import MOSCOW
from worker.simulator.papers import extract_pdf, extract_xml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.simulator.books import Application
    from worker.simulator.objects import PropertyObject
    from worker.simulator.people import Person

_NAMES_NAMESPACE = uuid.UUID("0d5b0f6a-6b0e-4b9e-8d51-6f0d7d2a3c11")
#: One file inside: its name and content.
Member = tuple[str, bytes]
SIGNATURE = b"\x30\x80test signature\x00\x00"


class Archive:
    """Packs one application's papers. What is odd about one is in `odd`."""

    def __init__(self, application: Application, found: PropertyObject, receiver: Person) -> None:
        self.application = application
        self.found = found
        self.receiver = receiver
        report = uuid.uuid5(_NAMES_NAMESPACE, application.request_number)
        self.stem = f"report-{report}-{application.request_number}[0]"

    def good(self) -> bytes:
        """XML and PDF of the same stem, flat."""
        return self.with_pdf(self.extract())

    def extract(self, cad_num: str | None = None, **more: Any) -> bytes:
        """The extract's XML."""
        return extract_xml.extract(self.application, self.found, self.receiver, cad_num=cad_num, **more)

    def neighbour(self) -> str:
        """The number of another object."""
        quarter, number = self.found.cad_num.rsplit(":", 1)
        return f"{quarter}:{int(number) + 1}"

    def with_pdf(self, xml: bytes) -> bytes:
        """An XML, and the PDF beside it."""
        return self.packed([(f"{self.stem}.xml", xml), self.pdf()])

    def pdf(self) -> Member:
        """The PDF, of the same stem."""
        lines = [
            "Extract from the register (simulator, not a document)",
            f"Request: {self.application.request_number}",
            f"Cadastral number: {self.found.cad_num}",
            f"Formed: {self.application.ready_at.astimezone(MOSCOW).date().isoformat()}",
        ]
        return f"{self.stem}.pdf", extract_pdf.page(lines)

    def wrapped(self, inner: bytes) -> bytes:
        """An archive in an archive, with its signature."""
        name = f"Response-{self.application.request_number}"
        return self.packed([(f"{name}.zip", inner), (f"{name}.zip.sig", SIGNATURE)])

    def packed(self, members: Sequence[Member], *, names_in: str | None = None) -> bytes:
        """A ZIP of these files; `names_in` writes their names in an old encoding, without saying so."""
        packed = io.BytesIO()
        made = self.application.ready_at.astimezone(MOSCOW).timetuple()[:6]
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                info = zipfile.ZipInfo(name, made) if names_in is None else _OldName(name, made, names_in)
                archive.writestr(info, content, zipfile.ZIP_DEFLATED)
        return packed.getvalue()


class _OldName(zipfile.ZipInfo):
    """A file whose name is written in a code page, without the flag that would call it UTF-8."""

    def __init__(self, name: str, made: Any, encoding: str) -> None:
        super().__init__(name, made)
        self._encoding = encoding

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        # What zipfile asks for a name's bytes and flags, both in the file's own header and in the directory.
        return self.filename.encode(self._encoding), self.flag_bits & ~0x800
