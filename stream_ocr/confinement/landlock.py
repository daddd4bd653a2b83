"""Landlock: the calling thread, and all that it starts, gives up access to files and TCP ports.

The three system calls by ``ctypes``: the bindings on PyPI are pre-releases. See landlock(7) and linux/landlock.h.
"""

import ctypes
import os
import stat
from collections.abc import Iterable

TCP = 4
"""First version that restricts TCP."""

_DEVICE_IOCTLS, _SIGNALS = 5, 6  # first versions that restrict these
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on all architectures
_CREATE_RULESET_VERSION = 1  # linux/landlock.h
_RULE_PATH_BENEATH, _RULE_NET_PORT = 1, 2  # linux/landlock.h
_WRITE_FILE, _READ_FILE, _READ_DIR, _IOCTL_DEV = 1 << 1, 1 << 2, 1 << 3, 1 << 15  # linux/landlock.h
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, _DEVICE_IOCTLS: (1 << 16) - 1}
"""All rights on files by the version that introduced the last of them."""

_BIND_TCP, _CONNECT_TCP = 1, 2  # linux/landlock.h
_SCOPE_SIGNAL = 2  # linux/landlock.h
_PR_SET_NO_NEW_PRIVS = 38  # linux/prctl.h

_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("fd", ctypes.c_int32)]


class _NetPort(ctypes.Structure):
    _fields_ = [("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64)]


def version() -> int:
    """Return the version that the kernel offers to this process; 0 for none."""
    return max(_libc.syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION), 0)


def restrict(readable: Iterable[str], ports: Iterable[int] | None) -> None:
    """Let this thread open only what is readable, and connect only to the TCP ports, if the kernel offers Landlock.

    readable: files and folders; devices may be written, too. What does not exist is left out. ports: None for all.
    Raise OSError if the kernel refuses.
    """
    offered = version()
    if not offered:
        return
    give_up_privileges()
    handled = _Ruleset(
        files=next(rights for first, rights in sorted(_FILE_RIGHTS.items(), reverse=True) if offered >= first),
        net=(_BIND_TCP | (0 if ports is None else _CONNECT_TCP)) if offered >= TCP else 0,
        scoped=_SCOPE_SIGNAL if offered >= _SIGNALS else 0,
    )
    ruleset = check(_libc.syscall(_CREATE_RULESET, ctypes.byref(handled), ctypes.sizeof(handled), 0))
    try:
        for path in readable:
            _allow(ruleset, path, handled.files)
        for port in (ports or ()) if offered >= TCP else ():
            rule = _NetPort(allowed=_CONNECT_TCP, port=port)
            check(_libc.syscall(_ADD_RULE, ruleset, _RULE_NET_PORT, ctypes.byref(rule), 0))
        check(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def give_up_privileges() -> None:
    """Give up set-user-ID programs, as Landlock and seccomp demand. Raise OSError if the kernel refuses."""
    check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def check(result: int) -> int:
    """Return the result of a system call that ``ctypes`` made. Raise OSError if it is negative."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _allow(ruleset: int, path: str, handled: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (OSError, ValueError):
        return
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISDIR(mode):
            allowed = _READ_FILE | _READ_DIR
        elif stat.S_ISCHR(mode):
            allowed = (_READ_FILE | _WRITE_FILE | _IOCTL_DEV) & handled
        else:
            allowed = _READ_FILE
        rule = _PathBeneath(allowed=allowed, fd=fd)
        check(_libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0))
    finally:
        os.close(fd)
