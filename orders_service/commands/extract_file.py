"""An extract on the user's disk: whole and checked, or not there at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from orders_service.commands.client import TIMEOUT_S
from orders_service.commands.context import Failure
from orders_service.v1 import operator_pb2
from orders_service.v1 import orders_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orders_service.commands.client import Client

#: An extract is a few megabytes; the largest that is stored is 256 MiB.
_TIMEOUT_S: Final = TIMEOUT_S * 10
_UNSAFE: Final = re.compile(r"[^\w.()\-]+")


def save(
    client: Client, order_id: int, to: Path, *, is_forced: bool, sha256: str = "", is_set_aside: bool = False
) -> tuple[v1.OrderPaper, Path]:
    """Fetch a paper into a file; return what it is and where it lies.

    Interrupted, it leaves nothing under the file's name.

    Args:
        sha256: Which paper; empty: the extract or the notice, or where `is_set_aside` what was put aside last.

    Raises:
        Failure: The file is there already or can't be written, or what came isn't what was announced.
    """
    parts: Any
    if is_set_aside:
        aside = operator_pb2.DownloadAnyPaperRequest(order_id=order_id, sha256=sha256)
        parts = client.operator.DownloadAnyPaper(aside, timeout=_TIMEOUT_S)
    else:
        request = v1.DownloadPaperRequest(order_id=order_id, sha256=sha256)
        parts = client.orders.DownloadPaper(request, timeout=_TIMEOUT_S)
    header: v1.OrderPaper = next(iter(parts)).header
    path = _target(to, header, order_id)
    _check_free(path, parts, is_forced=is_forced)
    digest = hashlib.sha256()
    try:
        with _replaced(path) as file:
            for part in parts:
                digest.update(part.chunk)
                file.write(part.chunk)
            if digest.hexdigest() != header.sha256:
                raise Failure(f"The extract of order {order_id} arrived damaged: download it again.")
    except OSError as exc:
        raise Failure(f"{path} can't be written: {exc.strerror}.") from exc
    return header, path


def save_stream(parts: Any, path: Path, *, is_forced: bool) -> int:
    """Write the chunks of a stream into a file; return how many bytes there were. Interrupted, it leaves nothing.

    Raises:
        Failure: The file is there already or can't be written.
    """
    _check_free(path, parts, is_forced=is_forced)
    size_bytes = 0
    try:
        with _replaced(path) as file:
            for part in parts:
                size_bytes += file.write(part.chunk)
    except OSError as exc:
        raise Failure(f"{path} can't be written: {exc.strerror}.") from exc
    return size_bytes


def _check_free(path: Path, parts: Any, *, is_forced: bool) -> None:
    if path.exists() and not is_forced:
        parts.cancel()
        raise Failure(f"{path} is there already: choose another place with --to, or replace it with --force.")


def _target(to: Path, paper: v1.OrderPaper, order_id: int) -> Path:
    if not to.is_dir():
        return to
    # The name came from outside: no folder, and nothing that a file system minds.
    name = _UNSAFE.sub("_", Path(paper.file_name.replace("\\", "/")).name).lstrip(".")
    return to / (name or f"order-{order_id}.zip")


@contextlib.contextmanager
def _replaced(path: Path) -> Iterator[IO[bytes]]:
    """Give the block a file beside `path` that takes its place at the end, or vanishes with an exception."""
    handle, name = tempfile.mkstemp(prefix=".download-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
