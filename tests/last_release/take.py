"""`python -m tests.last_release.take REVISION`: put the orders service of a revision here, as the last release.

Only what `serve` runs, and the schema's files; taken from git, so that nothing of the working tree gets in.
"""

from __future__ import annotations

import io
import lzma
import subprocess
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).parent
ARCHIVE = HERE / "service.tar.xz"
#: What stands in the archive beside the code: which revision it is.
REVISION = "REVISION"
_LEFT_OUT = ("orders_service/dev/", "orders_service/commands/")
_COMMANDS = ("__init__", "context", "serve", "migrate")


def take(revision: str) -> int:
    """Write the archive; returns its size."""
    commit = _git("rev-parse", "--verify", f"{revision}^{{commit}}").decode().strip()
    tree = _git("archive", "--format=tar", commit, "orders_service", "sql")
    packed = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(tree)) as source, tarfile.open(fileobj=packed, mode="w") as target:
        for member in source.getmembers():
            if member.isfile() and _is_wanted(member.name):
                target.addfile(member, source.extractfile(member))
        note = tarfile.TarInfo(REVISION)
        note.size = len(commit)
        target.addfile(note, io.BytesIO(commit.encode()))
    ARCHIVE.write_bytes(lzma.compress(packed.getvalue(), preset=9))
    return ARCHIVE.stat().st_size


def _is_wanted(name: str) -> bool:
    if name.endswith(".pyi"):
        return False
    if name.startswith(_LEFT_OUT):
        return name in {f"orders_service/commands/{command}.py" for command in _COMMANDS}
    return True


def _git(*args: str) -> bytes:
    return subprocess.run(["git", *args], cwd=HERE.parents[1], capture_output=True, check=True, timeout=60).stdout


if __name__ == "__main__":
    print(f"{ARCHIVE.name}: {take(sys.argv[1])} bytes")  # noqa: T201 - what a person asked for
