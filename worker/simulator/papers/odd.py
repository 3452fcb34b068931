"""Every download but the good one: broken, odd or another paper, as they were seen or are feared, by name.

The first line of each function is what `GET /_simulator/faults/kinds` says of it.
"""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from worker.simulator import answers, cadnum
from worker.simulator.papers import notices
from worker.simulator.papers.archive import SIGNATURE, Archive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Pack = Callable[[Archive], bytes]

_BOMB_BYTES = 64 * 1024 * 1024


def wrong_cad_num(archive: Archive) -> bytes:
    """a whole extract, of another object"""
    return archive.with_pdf(archive.extract(archive.neighbour()))


def other_spelling(archive: Archive) -> bytes:
    """the right object, with other leading zeros than the search printed"""
    return archive.with_pdf(archive.extract(cadnum.respell(archive.found.cad_num)))


def base_params(archive: Archive) -> bytes:
    """the extract's other form, about the main parameters"""
    return archive.with_pdf(archive.extract(family="extract_base_params"))


def older(archive: Archive) -> bytes:
    """an extract of the right object that was formed years before the order"""
    return archive.with_pdf(archive.extract(formed_at=archive.application.created_at - timedelta(days=1000)))


def windows_1251(archive: Archive) -> bytes:
    """a right extract in the old encoding, declared as it must be"""
    text = archive.extract().decode().replace('encoding="UTF-8"', 'encoding="WINDOWS-1251"', 1)
    return archive.with_pdf(text.encode("cp1251"))


def signed(archive: Archive) -> bytes:
    """a right extract with signatures and a stylesheet beside it"""
    xml = (f"{archive.stem}.xml", archive.extract())
    signatures = [(f"{archive.stem}{end}", SIGNATURE) for end in (".xml.sig", ".pdf.sig")]
    return archive.packed([xml, archive.pdf(), *signatures, ("extract.xsl", b'<?xml version="1.0"?><stylesheet/>')])


def old_names(archive: Archive, encoding: str) -> bytes:
    """Russian names of files in an old encoding, without the flag that says which"""
    name = f"Выписка из ЕГРН {archive.found.cad_num.replace(':', '_')}"
    members = [(f"{name}.xml", archive.extract()), (f"{name}.pdf", archive.pdf()[1])]
    return archive.packed(members, names_in=encoding)


def utf8_names(archive: Archive) -> bytes:
    """Russian names of files, said to be UTF-8"""
    name = f"Выписка из ЕГРН {archive.found.cad_num.replace(':', '_')}"
    return archive.packed([(f"{name}.XML", archive.extract()), (f"{name}.PDF", archive.pdf()[1])])


def nested(archive: Archive) -> bytes:
    """the old habit: an archive inside, and its signature"""
    return archive.wrapped(archive.good())


def too_deep(archive: Archive) -> bytes:
    """an archive in an archive in an archive"""
    return archive.wrapped(archive.wrapped(archive.good()))


def in_folders(archive: Archive) -> bytes:
    """the papers in folders, which have entries of their own"""
    return archive.packed([("out/", b""), (f"out/{archive.stem}.xml", archive.extract()), archive.pdf()])


def gzipped(archive: Archive) -> bytes:
    """the XML packed once more"""
    return archive.packed([(f"{archive.stem}.xml.gz", gzip.compress(archive.extract(), mtime=0)), archive.pdf()])


def without_xml(archive: Archive) -> bytes:
    """the PDF alone"""
    return archive.packed([archive.pdf()])


def without_pdf(archive: Archive) -> bytes:
    """the XML alone"""
    return archive.packed([(f"{archive.stem}.xml", archive.extract())])


def signature_only(archive: Archive) -> bytes:
    """nothing but a signature"""
    return archive.packed([(f"{archive.stem}.xml.sig", SIGNATURE)])


def nothing(archive: Archive) -> bytes:
    """an archive without any file"""
    return archive.packed([])


def two_xml(archive: Archive) -> bytes:
    """two extracts of two objects; which one was meant, nobody can tell"""
    other = archive.extract(archive.neighbour())
    first = (f"{archive.stem}.xml", archive.extract())
    return archive.packed([first, (f"{archive.stem[:-3]}[1].xml", other), archive.pdf()])


def bad_crc(archive: Archive) -> bytes:
    """a directory that is whole, and an XML whose bytes don't match their checksum"""
    packed = bytearray(archive.good())
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        at = opened.infolist()[0].header_offset
    name_length, extra_length = struct.unpack_from("<HH", packed, at + 26)
    packed[at + 30 + name_length + extra_length + 20] ^= 0xFF
    return bytes(packed)


def encrypted(archive: Archive) -> bytes:
    """an archive whose first file claims to be encrypted"""
    packed = bytearray(archive.good())
    for mark, flags_at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        packed[packed.index(mark) + flags_at] |= 1
    return bytes(packed)


def escaping(archive: Archive) -> bytes:
    """a right extract beside files whose names lead out of the folder"""
    xml = (f"{archive.stem}.xml", archive.extract())
    return archive.packed([("../../out.xml", b"<out/>"), ("/etc/out.txt", b"out"), xml, archive.pdf()])


def many(archive: Archive) -> bytes:
    """a right extract among two thousand other files"""
    others = [(f"other-{number}.txt", b"") for number in range(2000)]
    return archive.packed([*others, (f"{archive.stem}.xml", archive.extract()), archive.pdf()])


def bomb(archive: Archive) -> bytes:
    """a few kilobytes that unpack to 64 MiB"""
    return archive.with_pdf(archive.extract() + b" " * _BOMB_BYTES)


def entities(archive: Archive) -> bytes:
    """an extract that declares entities: no parser may expand them"""
    declared = archive.extract().replace(b"?>", b'?>\n<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]>', 1)
    return archive.with_pdf(declared.replace(b"</status>", b"&c;</status>", 1))


def bad_xml(archive: Archive) -> bytes:
    """an XML that ends in the middle, in an archive that is whole"""
    whole = archive.extract()
    return archive.with_pdf(whole[: len(whole) // 2])


def bare_pdf(archive: Archive) -> bytes:
    """no archive: a PDF that is served as one"""
    return archive.pdf()[1]


def bare_xml(archive: Archive) -> bytes:
    """no archive: the XML itself"""
    return archive.extract()


def bare_page(archive: Archive) -> bytes:
    """no archive: a page of the portal, said to be one"""
    return answers.SHELL.encode()


def notice(archive: Archive) -> bytes:
    """a notice of absence, its object in an element of its own"""
    return archive.with_pdf(notices.absence(archive.application, archive.receiver))


def notice_in_words(archive: Archive, form: int = 12) -> bytes:
    """a notice of absence, its object named in a sentence"""
    number = archive.application.cadastral_number
    return archive.with_pdf(notices.absence_in_words(archive.application, archive.receiver, cad_num=number, form=form))


def notice_of_another(archive: Archive) -> bytes:
    """a notice of absence that names another object in a sentence"""
    number = archive.neighbour()
    return archive.with_pdf(notices.absence_in_words(archive.application, archive.receiver, cad_num=number))


def notice_of_nothing(archive: Archive) -> bytes:
    """a notice of absence that names no object at all"""
    return archive.with_pdf(notices.absence_in_words(archive.application, archive.receiver, cad_num=None))


def refusal(archive: Archive) -> bytes:
    """a decision not to provide anything"""
    return archive.with_pdf(notices.refusal(archive.application, archive.receiver))


def plan(archive: Archive) -> bytes:
    """the plan of the object's cadastral quarter"""
    return archive.with_pdf(notices.plan_of_quarter(archive.application, archive.receiver))


def transfer(archive: Archive) -> bytes:
    """an extract about the transfer of rights"""
    return archive.with_pdf(notices.transfer_of_rights(archive.application, archive.found, archive.receiver))


def value(archive: Archive) -> bytes:
    """an extract about the cadastral value alone"""
    return archive.with_pdf(notices.cadastral_value(archive.application, archive.found, archive.receiver))


def old_form(archive: Archive, root: str) -> bytes:
    """a form of the time before 2021"""
    return archive.with_pdf(notices.form_before_2021(archive.application, archive.found, root))


PACKED: Mapping[str, Pack] = {
    "wrong_cad_num_zip": wrong_cad_num,
    "other_spelling_zip": other_spelling,
    "base_params_zip": base_params,
    "older_zip": older,
    "windows_1251_zip": windows_1251,
    "signed_zip": signed,
    "cp866_names_zip": partial(old_names, encoding="cp866"),
    "cp1251_names_zip": partial(old_names, encoding="cp1251"),
    "utf8_names_zip": utf8_names,
    "nested_zip": nested,
    "deep_zip": too_deep,
    "folders_zip": in_folders,
    "gzip_zip": gzipped,
    "no_xml_zip": without_xml,
    "no_pdf_zip": without_pdf,
    "signature_zip": signature_only,
    "no_file_zip": nothing,
    "two_xml_zip": two_xml,
    "bad_crc_zip": bad_crc,
    "encrypted_zip": encrypted,
    "escaping_zip": escaping,
    "many_files_zip": many,
    "bomb_zip": bomb,
    "entities_zip": entities,
    "bad_xml_zip": bad_xml,
    "bare_pdf": bare_pdf,
    "bare_xml": bare_xml,
    "bare_page": bare_page,
    "notice_zip": notice,
    "notice_in_words_zip": notice_in_words,
    "notice_11_zip": partial(notice_in_words, form=11),
    "notice_13_zip": partial(notice_in_words, form=13),
    "notice_of_another_zip": notice_of_another,
    "notice_of_nothing_zip": notice_of_nothing,
    "refusal_zip": refusal,
    "plan_zip": plan,
    "transfer_zip": transfer,
    "value_zip": value,
    **{f"{root.lower()}_zip": partial(old_form, root=root) for root in notices.OLD_FORMS},
}
SAID: Mapping[str, str] = {
    kind: (pack.func if isinstance(pack, partial) else pack).__doc__ or "" for kind, pack in PACKED.items()
}
