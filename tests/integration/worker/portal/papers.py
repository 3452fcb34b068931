"""Extracts and archives as the portal makes them, and as it shouldn't."""

from __future__ import annotations

import io
import zipfile

EXTRACT = """<?xml version="1.0" encoding="{encoding}"?>
<{root}>
  <details_statement><group_top_requisites>
    <organ_registr_rights>ТЕСТОВЫЙ ФИЛИАЛ</organ_registr_rights>
    <date_formation>2026-01-15</date_formation>
    <registration_number>КУВИ-001/2026-00000001</registration_number>
  </group_top_requisites></details_statement>
  <room_record>
    <object><common_data>
      <type><code>002001003000</code><value>Помещение</value></type>
      <cad_number>{cad_num}</cad_number>
      <quarter_cad_number>77:01:0001001</quarter_cad_number>
    </common_data></object>
    <cad_links><parent_cad_number><cad_number>77:01:0001001:10</cad_number></parent_cad_number></cad_links>
  </room_record>
  <right_records><right_record>
    <right_data><right_number>77:01:0001001:1001-77/000/2020-1</right_number></right_data>
  </right_record></right_records>
</{root}>
"""

NOTICE = """<?xml version="1.0" encoding="UTF-8"?>
<{root}>
  <details_statement><group_top_requisites>
    <date_formation>2026-01-15</date_formation>
    <registration_number>КУВИ-001/2026-00000002</registration_number>
  </group_top_requisites></details_statement>
  <request>{request}</request>
</{root}>
"""

STEM = "report-7f1c0c1e-0000-4000-8000-000000000001-OfSite-2026-01-15-123456-77-01[0]"


def extract_xml(cad_num: str, *, root: str = "extract_about_property_room", encoding: str = "UTF-8") -> bytes:
    return EXTRACT.format(root=root, cad_num=cad_num, encoding=encoding).encode(encoding)


def notice_xml(request: str = "", *, root: str = "exract_notice_absence_request_info_12") -> bytes:
    return NOTICE.format(root=root, request=request).encode()


def zip_of(*entries: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return packed.getvalue()


def good_zip(cad_num: str) -> bytes:
    return zip_of(
        (f"{STEM}.xml", extract_xml(cad_num)),
        (f"{STEM}.xml.sig", b"signature"),
        (f"{STEM}.pdf", b"%PDF-1.4 " + b"x" * 5000),
    )
