"""The download: the good archive of every kind of object, and all that can be wrong with one."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from typing import TYPE_CHECKING

import defusedxml.ElementTree
import httpx
import pytest
from defusedxml.common import EntitiesForbidden

from tests.integration.worker.simulator.numbers import BUILD, CONSTRUCTION, KINDS, LAND, ROOM

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element

    from tests.integration.worker.simulator.conftest import StartSimulator
    from tests.integration.worker.simulator.thread import SimulatorThread
    from tests.integration.worker.simulator.user import User

NAME = re.compile(r"report-[0-9a-f-]{36}-OfSite-\d{4}-\d{2}-\d{2}-\d{6}-77-01\[0\]\.(xml|pdf)")
RECORDS = {
    "002001001000": ("extract_about_property_land", "land_record"),
    "002001002000": ("extract_about_property_build", "build_record"),
    "002001003000": ("extract_about_property_room", "room_record"),
    "002001004000": ("extract_about_property_construction", "construction_record"),
    "002001005000": ("extract_about_property_under_construction", "object_under_construction_record"),
    "002001006000": ("extract_about_property_property_complex", "property_complex_record"),
    "002001008000": ("extract_about_property_unified_real_estate_complex", "unified_real_estate_complex_record"),
    "002001009000": ("extract_about_property_car_parking_space", "car_parking_space_record"),
}


def ordered(user: User, cad_num: str) -> int:
    """Order an object; the id of its row."""
    user.order(cad_num)
    [row] = user.rows(cadastralNumber=cad_num)
    return int(row["id"])


def members(content: bytes) -> dict[str, bytes]:
    """The files of an archive, each read to its end, so that checksums are checked."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def xml_of(content: bytes) -> Element:
    """The only XML of a flat archive, parsed."""
    [raw] = [inner for name, inner in members(content).items() if name.endswith(".xml")]
    root: Element = defusedxml.ElementTree.fromstring(raw)
    return root


@pytest.mark.parametrize(("cad_num", "code"), KINDS.items())
def test_the_extract_has_the_root_and_record_of_its_kind(user: User, cad_num: str, code: str) -> None:
    answer = user.download(ordered(user, cad_num))

    root = xml_of(answer.content)
    name, record = RECORDS[code]
    common = f"{record}/object/common_data"
    assert answer.headers["content-type"] == "application/zip"
    assert root.tag == name
    assert root.findtext(f"{common}/cad_number") == cad_num
    assert root.findtext(f"{common}/type/code") == code
    number = root.findtext("details_statement/group_top_requisites/registration_number") or ""
    assert re.fullmatch(r"КУВИ-001/\d{4}-\d{1,9}", number)
    assert [element.text for element in root.iter("readable_address")] == [
        user.search(cad_num).json()["elements"][0]["address"]
    ]


def test_the_figures_of_search_and_extract_agree(user: User) -> None:
    places = {
        LAND: "land_record/params/area/value",
        BUILD: "build_record/params/area",
        CONSTRUCTION: "construction_record/params/main_characteristics/main_characteristic/value",
    }

    for cad_num, path in places.items():
        [element] = user.search(cad_num).json()["elements"]
        root = xml_of(user.download(ordered(user, cad_num)).content)
        assert float(root.findtext(path) or "nan") == element["mainCharacters"][0]["value"]


def test_the_receiver_is_the_person_of_the_account(user: User) -> None:
    person = user.profile()["attributesOauth"]

    root = xml_of(user.download(ordered(user, ROOM)).content)

    names = [person["lastName"], person["firstName"], person["middleName"]]
    assert root.findtext("recipient_statement") == " ".join(names)


def test_the_archive_is_flat_with_an_xml_and_a_pdf_of_one_stem(user: User) -> None:
    files = members(user.download(ordered(user, ROOM)).content)

    assert all(NAME.fullmatch(name) for name in files), files.keys()
    assert len({name.rsplit(".", 1)[0] for name in files}) == 1
    assert sorted(name.rsplit(".", 1)[1] for name in files) == ["pdf", "xml"]


def test_the_pdf_is_whole(user: User) -> None:
    [pdf] = [content for name, content in members(user.download(ordered(user, ROOM)).content).items() if ".pdf" in name]

    assert pdf.startswith(b"%PDF-1.4")
    assert pdf.endswith(b"%%EOF\n")
    table_at = int(pdf.rsplit(b"startxref\n", 1)[1].split()[0])
    table = pdf[table_at:].split(b"\n")
    assert table[0] == b"xref"
    for number, line in enumerate(table[3 : 2 + int(table[1].split()[1])], start=1):
        assert pdf[int(line.split()[0]) :].startswith(b"%d 0 obj" % number)
    length = int(re.search(rb"/Length (\d+)", pdf)[1])  # type: ignore[index]
    assert len(pdf.split(b"stream\n", 1)[1].split(b"\nendstream", 1)[0]) == length
    assert ROOM.encode() in pdf


def test_the_same_order_gives_the_same_bytes_each_time(user: User) -> None:
    application_id = ordered(user, ROOM)

    assert user.download(application_id).content == user.download(application_id).content


def test_a_download_before_readiness_is_404_json(start_simulator: StartSimulator, bound: Callable[..., User]) -> None:
    user = bound(start_simulator("--ready-after", "3600"))

    answer = user.download(ordered(user, ROOM))

    assert (answer.status_code, answer.json()["status"]) == (404, 404)


@pytest.mark.parametrize("path", ["1", "99999999999999999999", "x", "-1"])
def test_a_download_of_nothing_is_404_json(user: User, path: str) -> None:
    answer = user.http.get(f"/account-back/applications/{path}/download")

    assert (answer.status_code, answer.json()["status"]) == (404, 404)


def test_nobody_downloads_somebody_elses_extract(new_user: Callable[[], User]) -> None:
    owner, other = new_user(), new_user()
    application_id = ordered(owner, ROOM)

    assert other.download(application_id).status_code == 404
    assert owner.download(application_id).status_code == 200


def test_a_rejected_order_has_no_file(start_simulator: StartSimulator, bound: Callable[..., User]) -> None:
    user = bound(start_simulator("--rejected", ROOM, "--ready-after", "0"))

    assert user.download(ordered(user, ROOM)).status_code == 404


def test_a_notice_of_absence_comes_for_the_objects_marked_so(
    start_simulator: StartSimulator, bound: Callable[..., User]
) -> None:
    user = bound(start_simulator("--notice", ROOM, "--ready-after", "0"))

    assert xml_of(user.download(ordered(user, ROOM)).content).tag == "exract_notice_absence_request_info_12"
    assert xml_of(user.download(ordered(user, LAND)).content).tag == "extract_about_property_land"


def broken(portal: SimulatorThread, user: User, kind: str) -> bytes:
    """What one download gives under a fault; the next one is good again."""
    application_id = ordered(user, ROOM)
    portal.fault("download", kind, account=user.username)
    content = user.download(application_id).content
    assert xml_of(user.download(application_id).content).tag == "extract_about_property_room"
    return content


def test_an_empty_download_has_no_byte(portal: SimulatorThread, user: User) -> None:
    assert broken(portal, user, "empty_download") == b""


def test_a_cut_download_ends_before_its_length(portal: SimulatorThread, user: User) -> None:
    application_id = ordered(user, ROOM)
    whole = user.download(application_id).content
    portal.fault("download", "cut_download", account=user.username)

    got = b""
    with (
        pytest.raises(httpx.RemoteProtocolError),
        user.http.stream("GET", f"/account-back/applications/{application_id}/download") as answer,
    ):
        assert int(answer.headers["content-length"]) == len(whole)
        for part in answer.iter_bytes():
            got += part

    assert got == whole[: len(whole) // 2]


def test_an_extract_of_another_object_is_whole_otherwise(portal: SimulatorThread, user: User) -> None:
    root = xml_of(broken(portal, user, "wrong_cad_num_zip"))

    assert root.findtext("room_record/object/common_data/cad_number") == "77:01:0001001:1002"


def test_an_extract_may_print_other_leading_zeros(portal: SimulatorThread, user: User) -> None:
    root = xml_of(broken(portal, user, "other_spelling_zip"))

    assert root.findtext("room_record/object/common_data/cad_number") == "77:01:001001:1001"


def test_a_nested_archive_holds_the_good_one(portal: SimulatorThread, user: User) -> None:
    files = members(broken(portal, user, "nested_zip"))

    [inner] = [content for name, content in files.items() if name.endswith(".zip")]
    assert xml_of(inner).tag == "extract_about_property_room"


def test_a_deep_archive_holds_two_more(portal: SimulatorThread, user: User) -> None:
    content = broken(portal, user, "deep_zip")

    for _ in range(2):
        [content] = [inner for name, inner in members(content).items() if name.endswith(".zip")]
    assert xml_of(content).tag == "extract_about_property_room"


def test_an_extract_may_come_in_windows_1251(portal: SimulatorThread, user: User) -> None:
    content = broken(portal, user, "windows_1251_zip")

    [raw] = [inner for name, inner in members(content).items() if name.endswith(".xml")]
    assert b'encoding="WINDOWS-1251"' in raw
    assert "ТЕСТОВЫЙ ФИЛИАЛ" in raw.decode("cp1251")
    assert xml_of(content).findtext("details_statement/group_top_requisites/organ_registr_rights") == "ТЕСТОВЫЙ ФИЛИАЛ"


def test_a_wrong_checksum_is_found_by_reading(portal: SimulatorThread, user: User) -> None:
    content = broken(portal, user, "bad_crc_zip")

    with pytest.raises((zipfile.BadZipFile, zipfile.zlib.error)):  # type: ignore[attr-defined]
        members(content)


def test_a_bomb_is_small_and_says_its_size(portal: SimulatorThread, user: User) -> None:
    content = broken(portal, user, "bomb_zip")

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert max(entry.file_size for entry in archive.infolist()) > 64 * 1024 * 1024
    assert len(content) < 1024 * 1024


def test_an_extract_with_entities_is_refused_by_a_defusing_parser(portal: SimulatorThread, user: User) -> None:
    content = broken(portal, user, "entities_zip")

    with pytest.raises(EntitiesForbidden):
        xml_of(content)


def test_an_xml_may_end_in_the_middle(portal: SimulatorThread, user: User) -> None:
    content = broken(portal, user, "bad_xml_zip")

    with pytest.raises(defusedxml.ElementTree.ParseError):
        xml_of(content)


@pytest.mark.parametrize(
    ("kind", "endings"),
    [
        ("notice_zip", ["pdf", "xml"]),
        ("signed_zip", ["pdf", "sig", "sig", "xml", "xsl"]),
        ("gzip_zip", ["gz", "pdf"]),
        ("no_xml_zip", ["pdf"]),
        ("signature_zip", ["sig"]),
        ("two_xml_zip", ["pdf", "xml", "xml"]),
    ],
)
def test_an_archive_may_hold_other_files(portal: SimulatorThread, user: User, kind: str, endings: list[str]) -> None:
    files = members(broken(portal, user, kind))

    assert sorted(name.rsplit(".", 1)[1] for name in files) == endings
    for name, content in files.items():
        if name.endswith(".gz"):
            assert gzip.decompress(content).startswith(b"<?xml")
