"""Start a program so that it can't outlive its starter, then become it. Run as a script, with nothing but the stdlib.

    python -I -S launcher.py '{"parent": 4711, "pid_file": "…", "death_signal": 9, …}' PROGRAM ARGUMENT…

It is a program of its own, and not code between fork and exec in the starter: the starter has threads (gRPC), and
Python code in the forked child of a threaded process may hang.

Before exec it writes the pid file, so no program ever runs without one: what a killed run left is found by it.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAP_DAC_OVERRIDE = 1
LINUX_CAPABILITY_VERSION_3 = 0x20080522

IS_LINUX = sys.platform == "linux"


class CapHeader(ctypes.Structure):
    """`struct __user_cap_header_struct` of linux/capability.h."""

    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class CapData(ctypes.Structure):
    """`struct __user_cap_data_struct` of linux/capability.h; a call takes two, for 64 capabilities."""

    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def main() -> None:
    """Do what the first argument says, then become the program."""
    plan = json.loads(sys.argv[1])
    program = sys.argv[2:]
    write_pid_file(plan["pid_file"])
    if plan["uid"] is not None:
        become(plan["uid"], plan["gid"], keeps_path_access=plan["keeps_path_access"])
    if IS_LINUX:
        # After the change of user, which clears it. Cleared by no exec here: no program of ours is set-uid.
        prctl(PR_SET_PDEATHSIG, plan["death_signal"])
        if os.getppid() != plan["parent"]:
            sys.exit("The process that started this one is gone.")
    os.execv(program[0], program)


def write_pid_file(path: str) -> None:
    """Write pid and start time, which together never name another process; both stay the same over exec."""
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib is slow to import
        file.write(f"{os.getpid()} {start_ticks()}\n")
    os.rename(temporary, path)  # noqa: PTH104


def start_ticks() -> int:
    """When this process started, in clock ticks since boot; 0 where the system doesn't say."""
    if not IS_LINUX:
        return 0
    with open("/proc/self/stat", encoding="ascii", errors="replace") as file:  # noqa: PTH123
        return int(file.read().rpartition(")")[2].split()[19])


def become(uid: int, gid: int, *, keeps_path_access: bool) -> None:
    """Give up root for good: PostgreSQL refuses to run as root.

    With `keeps_path_access`, one right is kept, CAP_DAC_OVERRIDE: it lets the program reach a folder that lies below
    one which only root may enter. Without it such a parent would have to be opened to everybody.
    """
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    if keeps_path_access:
        # Else the kernel drops all rights with the user id, and access(2) asks as if there were none.
        prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    os.setresuid(uid, uid, uid)
    if keeps_path_access:
        header = CapHeader(LINUX_CAPABILITY_VERSION_3, 0)
        data = (CapData * 2)()
        data[0].effective = data[0].permitted = data[0].inheritable = 1 << CAP_DAC_OVERRIDE
        check(libc().capset(ctypes.byref(header), data), "capset")
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def prctl(*arguments: int) -> None:
    """Call prctl(2)."""
    check(libc().prctl(*(ctypes.c_ulong(argument) for argument in arguments)), "prctl")


def check(result: int, name: str) -> None:
    """Raise what errno says when a system call failed."""
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def libc() -> ctypes.CDLL:
    """The C library that this process has loaded already."""
    return ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    main()
