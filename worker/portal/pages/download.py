"""Downloading a finished application's paper."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from worker.portal.errors import DocumentNotReady, UnreadableAnswer
from worker.portal.wire.answers import StepRefused
from worker.portal.wire.transport import CLAIMS_PAGE, Call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.portal.login.session import Session
    from worker.portal.wire.answers import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """A paper on disk, complete as far as HTTP can tell; what it is, the extract check says."""

    path: Path
    size_bytes: int
    #: Hexadecimal.
    sha256: str


def download(session: Session, application_id: int, into: Path) -> Downloaded:
    """Bring the paper and put it at `into`, whole and on stable storage, or not at all.

    A crash midway leaves a `.part` file beside it, which nobody takes for the paper.

    Raises:
        DocumentNotReady: The portal has no paper for this application yet.
        UnreadableAnswer: Something else than a ZIP came, or nothing.
        PortalUnavailable: It was cut short, or took too long.
        What `Session.call` raises.
    """
    call = Call(
        step="download",
        method="GET",
        path=f"/account-back/applications/{application_id}/download",
        referer=CLAIMS_PAGE,
        accept="application/zip,*/*",
    )
    into.parent.mkdir(parents=True, exist_ok=True)
    with _part_file(into) as (part_path, part):

        def send() -> Answer:
            # A renewed session sends again: from the start of the file.
            part.seek(0)
            part.truncate()
            return session.transport.fetch(call, part)

        try:
            session.run(send, _require_paper)
        except StepRefused as exc:
            if exc.status != 404:
                raise
            session.transport.pacer.note_success(exc.step)
            raise DocumentNotReady(
                f"The portal has no paper for application {application_id} yet.",
                retry_after_s=session.transport.pacer.remaining_s(),
            ) from exc
        part.flush()
        os.fsync(part.fileno())
        digest, size_bytes = _hash(part_path)
        part_path.replace(into)
    _sync_directory(into.parent)
    return Downloaded(path=into, size_bytes=size_bytes, sha256=digest)


def _require_paper(answer: Answer) -> None:
    if not answer.is_paper:
        what = "nothing" if not answer.content else answer.content_type or "something"
        raise UnreadableAnswer(
            f"The download brought {what} where a ZIP is due (HTTP {answer.status}).", excerpt=answer.message
        )


@contextmanager
def _part_file(into: Path) -> Iterator[tuple[Path, BinaryIO]]:
    # A name of its own each time: a worker that was overtaken may still be writing.
    descriptor, name = tempfile.mkstemp(dir=into.parent, prefix=f".{into.name}.", suffix=".part")
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as part:
            yield path, part
    finally:
        # Gone already where it became the paper.
        path.unlink(missing_ok=True)


def _hash(path: Path) -> tuple[str, int]:
    with path.open("rb") as written:
        return hashlib.file_digest(written, "sha256").hexdigest(), written.tell()


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
