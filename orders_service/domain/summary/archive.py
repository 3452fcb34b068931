"""From the extract's ZIP to its summary: bounded in every way, since nobody vouches for the file."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Final
from xml.etree.ElementTree import ParseError

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException

from orders_service.archive import ArchiveDamaged, ArchiveLimits, ArchiveStrange, open_only_xml
from orders_service.domain.summary.reading import read_tree

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from orders_service.domain.summary.model import ExtractSummary

#: An extract has some hundred kilobytes; a large parcel's geometry makes a few megabytes of it.
_LIMITS: Final = ArchiveLimits(max_xml_bytes=64 << 20)
_MAX_DEPTH: Final = 100
#: Kept at once, without geometry. A house with a thousand rights has some 60,000.
_MAX_ELEMENTS: Final = 300_000
#: Large, and nothing of them is in a summary.
_PASSED_BY: Final = frozenset(
    {
        "contours_location",
        "contours",
        "entity_spatial",
        "object_parts",
        "plans",
        "survey_boundaries",
        "recipient_statement",
        "identity_doc",
        "identity_docs",
        "underlying_documents",
    }
)


class SummaryUnreadable(Exception):
    """The file has no summary: it is damaged, strange or no extract of the present forms. One sentence."""


def read_summary(file: IO[bytes]) -> ExtractSummary:
    """Read the summary of an extract's ZIP, which stays open.

    Takes time and memory as the file is large, but never more than the limits: call it beside the event loop.

    Raises:
        SummaryUnreadable: There is none.
    """
    try:
        with open_only_xml(file, _LIMITS) as xml:
            root = _read_tree(xml.content)
    except (ArchiveDamaged, ArchiveStrange) as exc:
        raise SummaryUnreadable(str(exc)) from exc
    except ParseError as exc:
        raise SummaryUnreadable(f"The XML is broken: {exc}.") from exc
    except DefusedXmlException as exc:
        raise SummaryUnreadable(f"The XML holds what no extract needs: {type(exc).__name__}.") from exc
    except (ValueError, LookupError) as exc:  # an encoding that doesn't exist, or isn't read
        raise SummaryUnreadable(f"The XML can't be decoded: {exc}.") from exc
    summary = read_tree(root)
    if summary is None:
        raise SummaryUnreadable(f"The XML is no extract of the present forms: its root is {root.tag[:100]}.")
    return summary


def _read_tree(source: IO[bytes]) -> Element:
    """Read the tree without namespaces and without what no summary needs."""
    kept = 0
    path: list[Element] = []
    #: Who has something that is passed by, taken out at the end.
    left: set[Element] = set()
    #: How deep the outermost element is that is passed by; 0: none is.
    passed_from = 0
    for event, element in defusedxml.ElementTree.iterparse(source, events=("start", "end"), forbid_dtd=True):
        if event == "start":
            element.tag = element.tag.rpartition("}")[2]
            path.append(element)
            kept += 1
            if len(path) > _MAX_DEPTH:
                raise SummaryUnreadable(f"The XML is nested deeper than {_MAX_DEPTH} levels.")
            if kept > _MAX_ELEMENTS:
                raise SummaryUnreadable(f"The XML has more than {_MAX_ELEMENTS} elements beside its geometry.")
            if not passed_from and element.tag in _PASSED_BY:
                passed_from = len(path)
            continue
        path.pop()
        if not passed_from:
            continue
        # What is passed by is emptied, never looked for among its siblings: they may be as many as it likes.
        if len(path) < passed_from:
            passed_from = 0
            element.clear()
            left.update(path[-1:])
        else:
            kept -= 1
            path[-1].clear()
    root: Element = element
    for parent in left:
        parent[:] = [child for child in parent if child.tag not in _PASSED_BY]
    return root
