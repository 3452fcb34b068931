"""Every archive but the good one, by the name of its fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.simulator.papers.archive import Archive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PACKED: Mapping[str, Callable[[Archive], bytes]] = {
    "wrong_cad_num_zip": Archive.wrong_cad_num,
    "notice_zip": Archive.notice,
    "nested_zip": Archive.nested,
    "deep_zip": Archive.too_deep,
    "other_spelling_zip": Archive.other_spelling,
    "windows_1251_zip": Archive.windows_1251,
    "signed_zip": Archive.signed,
    "gzip_zip": Archive.gzipped,
    "no_xml_zip": Archive.without_xml,
    "signature_zip": Archive.signature_only,
    "two_xml_zip": Archive.two_xml,
    "bad_crc_zip": Archive.bad_crc,
    "bomb_zip": Archive.bomb,
    "entities_zip": Archive.entities,
    "bad_xml_zip": Archive.bad_xml,
}
SAID: Mapping[str, str] = {kind: (pack.__doc__ or "").splitlines()[0] for kind, pack in PACKED.items()}
