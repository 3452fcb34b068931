"""The contract's comments, by the full name of what they stand above."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from google.protobuf.descriptor_pb2 import FileDescriptorProto

# Numbers of the fields of FileDescriptorProto and its parts, of which the path of a location is made.
_MESSAGES, _ENUMS, _SERVICES = 4, 5, 6
_FIELDS, _NESTED_MESSAGES, _NESTED_ENUMS = 2, 3, 4
_VALUES, _METHODS = 2, 2

#: Where a comment stands: numbers of fields and places in them, by turns.
Place = tuple[int, ...]
_NO_COMMENT: Final = ""


class Comments:
    """Made of files that protoc wrote with `--include_source_info`."""

    def __init__(self, files: Iterable[FileDescriptorProto]) -> None:
        self._by_name: dict[str, str] = {}
        for file in files:
            names = dict(_names(file))
            for location in file.source_code_info.location:
                name = names.get(tuple(location.path))
                if name is not None and location.leading_comments:
                    self._by_name[name] = _flow(location.leading_comments)

    def of(self, full_name: str) -> str:
        """Return the comment, one paragraph a line; empty where there is none."""
        return self._by_name.get(full_name, _NO_COMMENT)


def _flow(comment: str) -> str:
    """Join the lines of a paragraph; an empty line parts two."""
    paragraphs = "\n".join(line.strip() for line in comment.strip().splitlines()).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split("\n")) for paragraph in paragraphs)


def _names(file: FileDescriptorProto) -> Iterator[tuple[Place, str]]:
    for index, message in enumerate(file.message_type):
        yield from _names_in_message(message, (_MESSAGES, index), f"{file.package}.{message.name}")
    for index, enum in enumerate(file.enum_type):
        yield from _names_in(enum.value, enum.name, (_ENUMS, index), _VALUES, file.package)
    for index, service in enumerate(file.service):
        yield from _names_in(service.method, service.name, (_SERVICES, index), _METHODS, file.package)


def _names_in_message(message: Any, place: Place, full_name: str) -> Iterator[tuple[Place, str]]:
    yield place, full_name
    for index, field in enumerate(message.field):
        yield (*place, _FIELDS, index), f"{full_name}.{field.name}"
    for index, nested in enumerate(message.nested_type):
        yield from _names_in_message(nested, (*place, _NESTED_MESSAGES, index), f"{full_name}.{nested.name}")
    for index, enum in enumerate(message.enum_type):
        yield from _names_in(enum.value, enum.name, (*place, _NESTED_ENUMS, index), _VALUES, full_name)


def _names_in(members: Any, name: str, place: Place, kind: int, scope: str) -> Iterator[tuple[Place, str]]:
    full_name = f"{scope}.{name}"
    yield place, full_name
    for index, member in enumerate(members):
        yield (*place, kind, index), f"{full_name}.{member.name}"


def first_sentence(comment: str) -> str:
    """Return what fits into a heading."""
    paragraph = comment.split("\n\n")[0]
    end = paragraph.find(". ")
    return (paragraph if end < 0 else paragraph[:end]).rstrip(".")
