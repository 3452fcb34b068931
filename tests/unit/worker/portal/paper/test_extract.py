"""What a downloaded paper is, and that nothing strange gets through or breaks the check."""

from __future__ import annotations

import gzip
import io
import random
import tracemalloc
import zipfile
from typing import TYPE_CHECKING

import pytest

from orders_service.archive import ArchiveLimits
from tests.integration.worker.portal import papers
from worker.portal.paper.extract import Broken, GoodExtract, Notice, Wrong, check_extract

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Check = Callable[..., object]

CAD_NUM = "77:01:0001001:1001"
OTHER = "77:01:0001001:2002"


@pytest.fixture
def check(tmp_path: Path) -> Check:
    def run(content: bytes, ordered: str = CAD_NUM, limits: ArchiveLimits | None = None) -> object:
        path = tmp_path / "paper.zip"
        path.write_bytes(content)
        return check_extract(path, ordered, limits)

    return run


def xml_zip(xml: bytes, name: str = "report[0].xml") -> bytes:
    return papers.zip_of((name, xml))


def test_a_flat_archive_with_the_ordered_object_is_good(check: Check) -> None:
    result = check(papers.good_zip(CAD_NUM))

    assert isinstance(result, GoodExtract)
    assert result.registration_number == "КУВИ-001/2026-00000001"
    assert (result.formed_on, result.cad_num, result.root) == ("2026-01-15", CAD_NUM, "extract_about_property_room")
    assert len(result.sha256) == 64


@pytest.mark.parametrize("printed", [CAD_NUM, "77:1:1001:1001", "77:01:001001:1001"])
def test_numbers_are_compared_by_key_not_by_spelling(check: Check, printed: str) -> None:
    result = check(papers.good_zip(printed))

    assert isinstance(result, GoodExtract)
    assert result.cad_num == printed


@pytest.mark.parametrize("encoding", ["UTF-8", "windows-1251", "UTF-16"])
def test_the_declared_encoding_holds(check: Check, encoding: str) -> None:
    result = check(xml_zip(papers.extract_xml(CAD_NUM, encoding=encoding)))

    assert isinstance(result, GoodExtract)
    assert result.registration_number == "КУВИ-001/2026-00000001"


def test_the_root_is_known_by_its_local_name(check: Check) -> None:
    xml = papers.extract_xml(CAD_NUM).replace(
        b"<extract_about_property_room>", b'<extract_about_property_room xmlns="urn://x">'
    )

    assert isinstance(check(xml_zip(xml)), GoodExtract)


def test_the_other_family_of_extracts_is_an_extract_too(check: Check) -> None:
    assert isinstance(check(xml_zip(papers.extract_xml(CAD_NUM, root="extract_base_params_room"))), GoodExtract)


def test_one_archive_inside_is_opened(check: Check) -> None:
    nested = papers.zip_of(("inner.zip", papers.good_zip(CAD_NUM)), ("inner.zip.sig", b"signature"))
    packed = papers.zip_of(("report.xml.gz", gzip.compress(papers.extract_xml(CAD_NUM))))

    assert isinstance(check(nested), GoodExtract)
    assert isinstance(check(packed), GoodExtract)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(papers.good_zip(OTHER), "about 77:01:0001001:2002", id="another object"),
        pytest.param(papers.zip_of(("a.pdf", b"%PDF"), ("a.xml.sig", b"x")), "no XML", id="no XML"),
        pytest.param(papers.zip_of(), "no XML", id="empty"),
        pytest.param(
            papers.zip_of(("a.xml", papers.extract_xml(CAD_NUM)), ("b.XML", papers.extract_xml(CAD_NUM))),
            "2 XML",
            id="two XML",
        ),
        pytest.param(
            papers.zip_of(("a.xml", papers.extract_xml(CAD_NUM)), ("b.zip", papers.good_zip(CAD_NUM))),
            "2 XML",
            id="one XML beside, one inside",
        ),
        pytest.param(
            papers.zip_of(("a.zip", papers.good_zip(CAD_NUM)), ("b.zip", papers.zip_of())),
            "more than one archive",
            id="two archives inside",
        ),
        pytest.param(
            papers.zip_of(("a.zip", papers.zip_of(("b.zip", papers.good_zip(CAD_NUM))))),
            "inside an archive inside",
            id="too deep",
        ),
        pytest.param(xml_zip(b"<KVOKS/>"), "its root is KVOKS", id="another kind"),
        pytest.param(
            xml_zip(papers.extract_xml(CAD_NUM, root="extract_cadastral_plan_territory")), "its root", id="a plan"
        ),
        pytest.param(xml_zip(b"<extract_about_property_room/>"), "no cadastral number", id="no number"),
        pytest.param(xml_zip(papers.extract_xml("nonsense")), "about nonsense", id="a number that is none"),
        pytest.param(xml_zip(b"<extract_about_property_room>"), "broken", id="broken XML"),
        pytest.param(xml_zip(b""), "broken", id="empty XML"),
        pytest.param(
            xml_zip(b'<!DOCTYPE x [<!ENTITY a "b">]><extract_about_property_room>&a;</extract_about_property_room>'),
            "DTDForbidden",
            id="DTD",
        ),
        pytest.param(xml_zip(b'<?xml version="1.0" encoding="klingon"?><a/>'), "", id="unknown encoding"),
        pytest.param(xml_zip(b"<a>" * 200 + b"</a>" * 200), "nested deeper", id="deep nesting"),
        pytest.param(
            xml_zip(
                papers.extract_xml(CAD_NUM).replace(
                    b"</room_record>",
                    b"</room_record><room_record><object><common_data><cad_number>77:01:0001001:2002</cad_number>"
                    b"</common_data></object></room_record>",
                )
            ),
            "more than one",
            id="two objects",
        ),
    ],
)
def test_what_is_whole_but_not_what_was_ordered_is_put_aside(check: Check, content: bytes, reason: str) -> None:
    result = check(content)

    assert isinstance(result, Wrong)
    assert reason in result.reason
    assert result.size_bytes == len(content)


def test_a_number_elsewhere_in_the_extract_is_not_the_objects(check: Check) -> None:
    # The parent's number stands in the extract as well; whoever orders the parent doesn't get this one.
    assert isinstance(check(papers.good_zip(CAD_NUM), "77:01:0001001:10"), Wrong)


def test_an_encrypted_archive_is_put_aside(check: Check) -> None:
    content = bytearray(papers.good_zip(CAD_NUM))
    directory = content.index(b"PK\x01\x02")
    content[directory + 8] |= 1

    result = check(bytes(content))

    assert isinstance(result, Wrong)
    assert "encrypted" in result.reason


def test_an_unusual_compression_is_put_aside(check: Check) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.xml", papers.extract_xml(CAD_NUM))

    assert isinstance(check(packed.getvalue()), Wrong)


@pytest.mark.parametrize("root", ["exract_notice_absence_request_info_12", "extract_notice_absence_request_info_12"])
def test_a_notice_of_absence_is_known_in_both_spellings(check: Check, root: str) -> None:
    result = check(xml_zip(papers.notice_xml(root=root)))

    assert isinstance(result, Notice)
    assert result.registration_number == "КУВИ-001/2026-00000002"


def test_a_notice_about_another_object_is_put_aside(check: Check) -> None:
    mine = papers.notice_xml(f"<cad_number>{CAD_NUM}</cad_number>")
    others = papers.notice_xml(f"<cad_number>{OTHER}</cad_number>")

    assert isinstance(check(xml_zip(mine)), Notice)
    assert isinstance(check(xml_zip(others)), Wrong)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"PK\x03\x04",
        papers.good_zip(CAD_NUM)[:-30],
        papers.good_zip(CAD_NUM)[: len(papers.good_zip(CAD_NUM)) // 2],
        papers.zip_of(("a.zip", papers.good_zip(CAD_NUM)[:-30])),
        papers.zip_of(("a.xml.gz", gzip.compress(papers.extract_xml(CAD_NUM))[:-20])),
    ],
)
def test_what_was_cut_is_downloaded_again(check: Check, content: bytes) -> None:
    assert isinstance(check(content), Broken)


def test_the_checksum_of_every_entry_counts_not_only_the_xmls(check: Check) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.xml", papers.extract_xml(CAD_NUM))
        archive.writestr("a.pdf", b"%PDF precious")
    content = packed.getvalue().replace(b"precious", b"damaged!")

    assert isinstance(check(content), Broken)


@pytest.mark.parametrize(
    ("content", "limits"),
    [
        (papers.good_zip(CAD_NUM), ArchiveLimits(max_entries=2)),
        (papers.good_zip(CAD_NUM), ArchiveLimits(max_archive_bytes=100)),
        (papers.good_zip(CAD_NUM), ArchiveLimits(max_total_bytes=4000)),
        (papers.good_zip(CAD_NUM), ArchiveLimits(max_xml_bytes=500)),
        (papers.zip_of(("a.bin", b"\0" * 3_000_000)), ArchiveLimits()),
        (xml_zip(b"<a>" + b" " * 3_000_000 + b"</a>"), ArchiveLimits()),
        (papers.zip_of(("a.xml.gz", gzip.compress(b" " * 3_000_000))), ArchiveLimits()),
    ],
)
def test_whatever_is_larger_than_an_extract_can_be_is_put_aside(
    check: Check, content: bytes, limits: ArchiveLimits
) -> None:
    assert isinstance(check(content, limits=limits), Wrong)


def test_an_extract_of_a_large_parcel_passes_without_being_kept_in_memory(check: Check) -> None:
    generator = random.Random(5)
    points = b"".join(
        b"<ordinate><x>%.2f</x><y>%.2f</y></ordinate>" % (generator.uniform(0, 1e6), generator.uniform(0, 1e6))
        for _ in range(60_000)
    )
    xml = papers.extract_xml(CAD_NUM).replace(
        b"<right_records>", b"<contours>" + points + b"</contours><right_records>"
    )

    content = xml_zip(xml)
    tracemalloc.start()
    try:
        result = check(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert isinstance(result, GoodExtract)
    # The XML itself once or twice, but not its 180,000 elements.
    assert peak < 3 * len(xml)


def test_no_damage_of_an_archive_breaks_the_check(check: Check) -> None:
    generator = random.Random(11)
    bases = (papers.good_zip(CAD_NUM), papers.zip_of(("a.zip", papers.good_zip(CAD_NUM)), ("b.sig", b"x")))
    kinds = set()

    for number in range(600):
        content = bytearray(bases[number % 2])
        if number % 3 == 0:
            del content[generator.randrange(len(content)) :]
        else:
            for _ in range(generator.randrange(1, 6)):
                content[generator.randrange(len(content))] = generator.randrange(256)
        kinds.add(type(check(bytes(content))))

    assert Broken in kinds
    assert kinds <= {Broken, Wrong, GoodExtract}
