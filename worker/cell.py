"""``python cell.py PLAN``: give up every right that a program does not need, then become that program.

PLAN is a JSON object: ``command``, ``environment``, ``scratch`` (the only folder it may write to),
``readable`` (all that it may read), ``limits`` ({name of resource.RLIMIT_*: number}), ``walls``
("namespaces", "landlock" or null: somebody else has put them up) and ``root`` (an empty folder, for
namespaces).

Linux on x86-64 and the standard library alone; nothing of ours is imported, since bubblewrap runs it too.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)

_CLONE = {"NEWNS": 0x20000, "NEWUTS": 0x4000000, "NEWIPC": 0x8000000}
_CLONE |= {"NEWUSER": 0x10000000, "NEWPID": 0x20000000, "NEWNET": 0x40000000}
_MS_BIND_REC, _MS_REC_PRIVATE = 0x5000, 0x44000
_MS_NOSUID_NODEV = 0x6
_MNT_DETACH = 2
_SYS_PIVOT_ROOT, _SYS_MOUNT_SETATTR = 155, 442
_SYS_LANDLOCK_CREATE, _SYS_LANDLOCK_ADD, _SYS_LANDLOCK_RESTRICT = 444, 445, 446
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_NOBODY = 65534
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")

FORBIDDEN_CALLS = {
    "socket": 41,
    "socketpair": 53,
    "kill": 62,
    "ptrace": 101,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "bpf": 321,
    "userfaultfd": 323,
    "io_uring_setup": 425,
    "pidfd_open": 434,
}
"""No network, not even a Unix socket, and no hand on other processes."""


def main() -> None:
    plan: dict[str, Any] = json.loads(sys.argv[1])
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if plan["walls"] == "namespaces":
        _enter_namespaces(plan)
    for name, number in plan["limits"].items():
        resource.setrlimit(getattr(resource, name), (number, number))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if plan["walls"] == "landlock":
        _landlock(plan["scratch"], plan["readable"])
    os.chdir(plan["scratch"])
    _forbid_calls()
    os.execve(plan["command"][0], plan["command"], plan["environment"])


def _call(done: int, what: str) -> int:
    if done < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return done


def _prctl(option: int, value: int, pointer: Any = None) -> None:
    _call(_libc.prctl(option, ctypes.c_ulong(value), pointer, 0, 0), f"prctl {option}")


def _enter_namespaces(plan: dict[str, Any]) -> None:
    """A file system of the readable things and the scratch folder, no network, no other processes.

    With the program all other processes of its process namespace end.
    """
    user, group = os.geteuid(), os.getegid()
    flags = 0
    for flag in _CLONE.values():
        flags |= flag
    _call(_libc.unshare(flags), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{_NOBODY} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{_NOBODY} {group} 1")
    _go_on_in_child()
    _build_root(plan["root"], plan["scratch"], plan["readable"])
    root = plan["root"].encode()
    os.chdir(root)
    _call(_libc.syscall(_SYS_PIVOT_ROOT, b".", b"."), "pivot_root")
    _call(_libc.umount2(b".", _MNT_DETACH), "umount2")
    os.chdir("/")
    # The first process of a namespace cannot die of signals as others do.
    _go_on_in_child()


def _go_on_in_child() -> None:
    """Return in a new process; this one ends when and as that one does."""
    child = os.fork()
    if not child:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        return
    ended = status = 0
    while ended != child:
        ended, status = os.wait()
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def _build_root(root: str, scratch: str, readable: list[str]) -> None:
    _mount(None, "/", None, _MS_REC_PRIVATE)
    _mount("tmpfs", root, "tmpfs", _MS_NOSUID_NODEV, "size=1m,mode=755")
    for path in [*readable, *filter(os.path.exists, _DEVICES)]:
        _show(path, root, devices=path in _DEVICES)
    _show(scratch, root, writable=True)
    proc = root + "/proc"
    os.mkdir(proc)
    # Where parts of /proc are hidden from this process, the kernel refuses a new one.
    with contextlib.suppress(OSError):
        _mount("proc", proc, "proc", _MS_NOSUID_NODEV)
    _set_attributes(root, _ATTR_RDONLY, recursive=False)


def _show(path: str, root: str, *, writable: bool = False, devices: bool = False) -> None:
    """Make a path visible at its own place under the new root."""
    target = root + path
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
        return
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        Path(target).touch()
    _mount(path, target, None, _MS_BIND_REC)
    attributes = _ATTR_NOSUID | (0 if devices else _ATTR_NODEV) | (0 if writable else _ATTR_RDONLY)
    _set_attributes(target, attributes, recursive=True)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    encoded = [text.encode() if text is not None else None for text in (source, target, kind)]
    data = options.encode() if options else None
    _call(_libc.mount(*encoded, ctypes.c_ulong(flags), data), f"mount {target}")


def _set_attributes(path: str, attributes: int, *, recursive: bool) -> None:
    wanted = struct.pack("<QQQQ", attributes, 0, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    done = _libc.syscall(
        _SYS_MOUNT_SETATTR, _AT_FDCWD, path.encode(), flags, wanted, ctypes.c_size_t(len(wanted))
    )
    _call(done, f"mount_setattr {path}")


def landlock_version() -> int:
    """The kernel's version of Landlock; 0 where there is none."""
    return max(0, int(_libc.syscall(_SYS_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)))


def _landlock(scratch: str, readable: list[str]) -> None:
    """Reading below ``readable``, writing below ``scratch``, and nothing else of the file system."""
    version = landlock_version()
    rights = 0x1FFF | (0x2000 if version >= 2 else 0) | (0x4000 if version >= 3 else 0)
    reading = 0x1 | 0x4 | 0x8  # execute, read a file, list a folder
    of_files = 0x1 | 0x2 | 0x4 | 0x4000
    wanted = struct.pack("<Q", rights)
    rules = _call(
        _libc.syscall(_SYS_LANDLOCK_CREATE, wanted, ctypes.c_size_t(len(wanted)), 0), "landlock_create"
    )
    allowed = [(path, reading) for path in [*readable, "/proc"]]
    allowed += [(path, 0x2 | 0x4) for path in _DEVICES] + [(scratch, rights)]
    for path, right in allowed:
        if not os.path.exists(path):
            continue
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        granted = right & rights if os.path.isdir(path) else right & rights & of_files
        rule = struct.pack("<Qi", granted, descriptor)
        _call(_libc.syscall(_SYS_LANDLOCK_ADD, rules, 1, rule, 0), f"landlock_add {path}")
        os.close(descriptor)
    _call(_libc.syscall(_SYS_LANDLOCK_RESTRICT, rules, 0), "landlock_restrict")
    os.close(rules)


def _forbid_calls() -> None:
    """A filter in the kernel that answers EPERM to FORBIDDEN_CALLS, and to calls of other architectures."""
    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06
    calls = sorted(FORBIDDEN_CALLS.values())
    denied = 0x00050000 | errno.EPERM
    # Offsets of seccomp_data: number at 0, architecture at 4. Jumps count the instructions between.
    program = [
        (load, 0, 0, 4),
        (equal, 0, len(calls) + 3, 0xC000003E),
        (load, 0, 0, 0),
        (at_least, len(calls) + 1, 0, 0x40000000),
        *((equal, len(calls) - place, 0, call) for place, call in enumerate(calls)),
        (give, 0, 0, 0x7FFF0000),
        (give, 0, 0, denied),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in program))
    header = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(code)))
    _prctl(_PR_SET_SECCOMP, 2, header)


if __name__ == "__main__":
    main()
