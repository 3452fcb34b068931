"""Whether a downloaded paper is the extract that was ordered: nothing is stored as a result before this says so."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, TypeAlias
from xml.etree.ElementTree import ParseError

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException

from orders_service import cadastral
from orders_service.archive import ArchiveDamaged, ArchiveLimits, ArchiveStrange, open_only_xml

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

# The registry itself spells it both ways.
_NOTICE_ROOT: Final = re.compile(r"ext?ract_notice_absence_request_info\w*")
_EXTRACT_ROOT: Final = re.compile(r"(?:extract_about_property|extract_base_params)_\w+")
_RECORD: Final = re.compile(r"\w+_record")

_NUMBER_PATH: Final = ("details_statement", "group_top_requisites", "registration_number")
_DATE_PATH: Final = ("details_statement", "group_top_requisites", "date_formation")
_CAD_NUM_PATH: Final = ("object", "common_data", "cad_number")

_MAX_DEPTH: Final = 100
_MAX_FACT: Final = 200
_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodExtract:
    """The ordered extract, whole."""

    #: Of the ZIP.
    sha256: str
    size_bytes: int
    #: As the XML spells it.
    cad_num: str
    #: КУВИ-…, empty where the XML has none.
    registration_number: str
    #: As printed, usually YYYY-MM-DD; empty where the XML has none.
    formed_on: str
    #: The XML's root: which kind of extract, of which kind of object.
    root: str
    xml_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notice that there is nothing to extract, in place of the extract. The paper itself is kept for the client."""

    sha256: str
    size_bytes: int
    registration_number: str
    formed_on: str
    root: str
    xml_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """Cut or damaged on its way: download it again."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """Whole, but not what was ordered: put it aside for a person, never store it as a result."""

    reason: str
    #: Of the ZIP.
    sha256: str
    size_bytes: int
    #: The object the XML names; empty where it names none.
    cad_num: str = ""


ExtractCheck: TypeAlias = GoodExtract | Notice | Broken | Wrong


def check_extract(path: Path, ordered_cad_num: str, limits: ArchiveLimits | None = None) -> ExtractCheck:
    """Say what the paper at `path` is: unpacks and reads all of it, changes nothing.

    Args:
        ordered_cad_num: In any spelling; numbers are compared by key.

    Raises:
        OSError: The file can't be read: our disk, not the portal.
    """
    sha256, size_bytes = _hash(path)
    try:
        with open_only_xml(path, limits or ArchiveLimits()) as xml:
            facts = _read_facts(xml.content)
            name = xml.name
    except ArchiveDamaged as exc:
        return Broken(reason=str(exc))
    except (ArchiveStrange, _XmlStrange) as exc:
        return Wrong(reason=str(exc), sha256=sha256, size_bytes=size_bytes)
    return _judge(facts, name, ordered_cad_num, sha256, size_bytes)


def _judge(facts: _Facts, xml_name: str, ordered: str, sha256: str, size_bytes: int) -> GoodExtract | Notice | Wrong:
    def wrong(reason: str) -> Wrong:
        return Wrong(reason=reason, sha256=sha256, size_bytes=size_bytes, cad_num="".join(facts.cad_nums[:1]))

    if _NOTICE_ROOT.fullmatch(facts.root):
        others = [number for number in facts.all_cad_nums if not cadastral.same_object(number, ordered)]
        if others and len(others) == len(facts.all_cad_nums):
            return wrong(f"The notice is about {others[0]}, not about {ordered}.")
        return Notice(
            sha256=sha256,
            size_bytes=size_bytes,
            registration_number=facts.registration_number,
            formed_on=facts.formed_on,
            root=facts.root,
            xml_name=xml_name,
        )
    if not _EXTRACT_ROOT.fullmatch(facts.root):
        return wrong(f"The XML is no extract about an object: its root is {facts.root}.")
    keys = {cadastral.find_key(number) for number in facts.cad_nums}
    if not facts.cad_nums:
        return wrong("The extract names no cadastral number.")
    if len(keys) > 1:
        return wrong("The extract names more than one cadastral number.")
    if not cadastral.same_object(facts.cad_nums[0], ordered):
        return wrong(f"The extract is about {facts.cad_nums[0]}, not about {ordered}.")
    return GoodExtract(
        sha256=sha256,
        size_bytes=size_bytes,
        cad_num=facts.cad_nums[0],
        registration_number=facts.registration_number,
        formed_on=facts.formed_on,
        root=facts.root,
        xml_name=xml_name,
    )


class _XmlStrange(Exception):
    """The XML can't be read, or not safely."""


class _Facts:
    """The few values that are read; whatever else an extract holds is passed by."""

    def __init__(self) -> None:
        self.root = ""
        self.registration_number = ""
        self.formed_on = ""
        #: Of the object's record: what the extract is about.
        self.cad_nums: list[str] = []
        #: Named anywhere, for a notice, whose paths aren't known.
        self.all_cad_nums: list[str] = []

    def take(self, path: tuple[str, ...], text: str) -> None:
        if path == _NUMBER_PATH:
            self.registration_number = self.registration_number or text
        elif path == _DATE_PATH:
            self.formed_on = self.formed_on or text
        elif path and path[-1] == "cad_number" and text:
            if len(self.all_cad_nums) < _MAX_FACT:
                self.all_cad_nums.append(text)
            if len(path) == 4 and _RECORD.fullmatch(path[0]) and path[1:] == _CAD_NUM_PATH:
                self.cad_nums.append(text)


def _read_facts(source: IO[bytes]) -> _Facts:
    """Walk through the XML without keeping it; its declared encoding holds, and no DTD is allowed."""
    facts = _Facts()
    parents: list[Element] = []
    names: list[str] = []
    try:
        for event, element in defusedxml.ElementTree.iterparse(source, events=("start", "end"), forbid_dtd=True):
            if event == "start":
                parents.append(element)
                names.append(_local_name(element))
                if len(names) > _MAX_DEPTH:
                    raise _XmlStrange(f"The XML is nested deeper than {_MAX_DEPTH} levels.")
                continue
            # Below the root: paths are told without it.
            facts.take(tuple(names[1:]), (element.text or "").strip()[:_MAX_FACT])
            parents.pop()
            names.pop()
            if parents:
                parents[-1].remove(element)
            else:
                facts.root = _local_name(element)
    except ParseError as exc:
        raise _XmlStrange(f"The XML is broken: {exc}.") from exc
    except DefusedXmlException as exc:
        raise _XmlStrange(f"The XML holds what no extract needs: {type(exc).__name__}.") from exc
    except (ValueError, LookupError) as exc:  # an encoding that doesn't exist, or isn't read
        raise _XmlStrange(f"The XML can't be decoded: {exc}.") from exc
    return facts


def _local_name(element: Element) -> str:
    return element.tag.rpartition("}")[2][:_MAX_FACT]


def _hash(path: Path) -> tuple[str, int]:
    with path.open("rb") as paper:
        digest = hashlib.file_digest(paper, "sha256")
        return digest.hexdigest(), paper.tell()
