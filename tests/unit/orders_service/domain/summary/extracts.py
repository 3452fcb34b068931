"""Extracts for tests: the parts of the forms, and their ZIP."""
# ruff: noqa: E501

from __future__ import annotations

import io
import zipfile

COMPANY = """<right_holder><legal_entity><entity><resident><name>ООО "ТЕСТ"</name><inn>7700000000</inn>
  <ogrn>1027700000000</ogrn></resident></entity></legal_entity></right_holder>"""
PERSON = """<right_holder><individual><surname>Тестов</surname><name>Тест</name><patronymic>Тестович</patronymic>
  <birth_date>1970-01-01</birth_date><snils>000-000-000 00</snils><identity_doc><series_number>4500 123456</series_number>
  </identity_doc></individual></right_holder>"""
RUSSIA = """<right_holder><public_formation><public_formation_type><russia><name><code>1</code><value>Российская Федерация
  </value></name></russia></public_formation_type></public_formation></right_holder>"""
TOWN = """<right_holder><public_formation><public_formation_type><municipality><name>Город Тестовск</name></municipality>
  </public_formation_type></public_formation></right_holder>"""
HIDDEN_PERSON = "<right_holder><individual/></right_holder>"
UNDEFINED = "<right_holder><undefined/></right_holder>"
EMPTY_HOLDER = "<right_holder/>"

PARAMS = {
    "land": """<params><category><type><code>003002000000</code><value>Земли населенных пунктов</value></type></category>
      <permitted_use><permitted_use_established><by_document>для примера</by_document></permitted_use_established>
      </permitted_use><area><value>1 200,50</value><inaccuracy>12</inaccuracy></area></params>""",
    "build": """<params><area>42,4</area><floors>9</floors><underground_floors>1</underground_floors>
      <year_built>1987</year_built><name>Дом</name><purpose><code>1</code><value>Жилое</value></purpose>
      <permitted_uses><permitted_use><name>жилое</name></permitted_use><permitted_use><name>торговля</name></permitted_use>
      </permitted_uses></params>""",
    "construction": """<params><base_parameters><base_parameter><extension>1500</extension></base_parameter>
      <base_parameter><built_up_area>20.0</built_up_area></base_parameter></base_parameters><name>Газопровод</name></params>""",
    "room": """<params><area>42.4</area><name>Квартира</name><purpose><value>Жилое</value></purpose></params>""",
    "under_construction": """<params><main_characteristics><type>объем</type><value>5</value><unit>куб. м</unit>
      </main_characteristics></params>""",
    "car_parking_space": """<params><area>13.2</area></params>""",
    "property_complex": "<params/>",
    "unified_real_estate_complex": "<params/>",
}
RECORDS = {
    "under_construction": "object_under_construction_record",
    "property_complex": "property_complex_record",
    "unified_real_estate_complex": "unified_real_estate_complex_record",
}
ADDRESSES = {
    "room": "<address_room><address><address><readable_address>{}</readable_address></address></address></address_room>",
}
ADDRESS = "<address_location><address><readable_address>{}</readable_address></address></address_location>"


def right(*holders: str, share: str = "", number: str = "77:01:0001001:1001-77/000/2020-1") -> str:
    return f"""<right_record><record_info><registration_date>2020-02-03T23:30:00+03:00</registration_date></record_info>
      <right_data><right_type><code>001001000000</code><value>Собственность</value></right_type>
      <right_number>{number}</right_number>{share}</right_data>
      {"<right_holders>" + "".join(holders) + "</right_holders>" if holders else ""}</right_record>"""


MORTGAGE = """<restrict_record><record_info><registration_date>2021-03-04T00:00:00+03:00</registration_date></record_info>
  <restrictions_encumbrances_data><restriction_encumbrance_number>77:01:0001001:1001-77/000/2021-2</restriction_encumbrance_number>
  <restriction_encumbrance_type><code>022007000000</code><value>Ипотека</value></restriction_encumbrance_type>
  <period><period_info><start_date>2021-03-04</start_date><end_date>2031-03-04</end_date></period_info></period>
  <restricting_rights><restricting_right><number>1</number><right_number>77:01:0001001:1001-77/000/2020-1</right_number>
  </restricting_right></restricting_rights></restrictions_encumbrances_data>
  <restrict_parties><restricted_rights_parties><restricted_rights_party><type><code>1</code></type><subject><legal_entity>
  <entity><resident><name>ПАО "БАНК"</name><inn>7700000001</inn></resident></entity></legal_entity></subject>
  </restricted_rights_party></restricted_rights_parties></restrict_parties></restrict_record>"""


def extract(
    kind: str = "room",
    *,
    family: str = "extract_about_property",
    rights: str | None = "",
    burdens: str = "",
    encoding: str = "UTF-8",
    extra: str = "",
) -> bytes:
    record = RECORDS.get(kind, f"{kind}_record")
    address = ADDRESSES.get(kind, ADDRESS).format("г. Тестовск, ул. Примерная, д. 1")
    root = f"{family}_{kind}"
    return f"""<?xml version="1.0" encoding="{encoding}"?>
<{root}>
  <details_statement><group_top_requisites><organ_registr_rights>ТЕСТОВЫЙ ФИЛИАЛ</organ_registr_rights>
    <date_formation>2026-01-15</date_formation><registration_number>КУВИ-001/2026-000000001</registration_number>
  </group_top_requisites></details_statement>
  <details_request><date_received_request>2026-01-14</date_received_request></details_request>
  <{record}>
    <record_info><registration_date>2012-06-30T00:00:00+04:00</registration_date></record_info>
    <object><common_data><type><code>002001003000</code><value>Помещение</value></type>
      <cad_number>77:01:0001001:1001</cad_number><quarter_cad_number>77:01:0001001</quarter_cad_number></common_data>
      <subtype><value>Землепользование</value></subtype></object>
    <cad_links><parent_cad_number><cad_number>77:01:0001001:10</cad_number></parent_cad_number>
      <land_cad_numbers><land_cad_number><cad_number>77:01:0001001:2</cad_number></land_cad_number>
      <land_cad_number><cad_number>77:01:0001001:3</cad_number></land_cad_number></land_cad_numbers>
      <old_numbers><old_number><number_type><value>Условный номер</value></number_type><number>77-77-05/001/2007-695</number>
      </old_number></old_numbers></cad_links>
    {PARAMS[kind]}{address}<cost><value>9876543.21</value></cost>
    <special_notes>Сведения отсутствуют</special_notes>{extra}
  </{record}>
  {"" if rights is None else f"<right_records>{rights}</right_records>"}
  <restrict_records>{burdens}</restrict_records>
  <recipient_statement>ТЕСТОВ ПОЛУЧАТЕЛЬ 4500 654321</recipient_statement>
  <status>Сведения об объекте недвижимости имеют статус "актуальные, ранее учтенные"</status>
</{root}>
""".encode(encoding)


def packed(*entries: tuple[str, bytes]) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return file


def extract_zip(xml: bytes) -> io.BytesIO:
    return packed(("report.xml", xml), ("report.xml.sig", b"signature"), ("report.pdf", b"%PDF-1.4"))
