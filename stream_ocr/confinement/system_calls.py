"""seccomp: all threads of this process give up system calls that decoding never needs.

A list of what is refused, not of what is allowed: FFmpeg, glibc and Python use others with every release. The filter is
written out here because libseccomp, which writes such filters, is not on every machine. See seccomp(2).
"""

import ctypes
import errno
import os
import socket

from stream_ocr.confinement.landlock import check, give_up_privileges

_SET_MODE_FILTER, _GET_ACTION_AVAIL = 1, 2  # linux/seccomp.h
_ALL_THREADS, _NO_SPECULATION_PENALTY = 1, 4  # TSYNC, SPEC_ALLOW
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000  # linux/seccomp.h
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # instructions of classic BPF
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_X32 = 0x40000000  # from here on, numbers of a second table of x86_64

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_NUMBERS = {  # of system calls, in the same order
    "seccomp": (317, 277),
    "socket": (41, 198),
}
_REFUSED = {
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "io_uring_setup": (425, 425),  # opens sockets behind the back of this filter
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "open_by_handle_at": (304, 265),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
}
"""System calls that no decoder needs: other programs, other processes, the kernel itself."""

_SOCKETS = (socket.AF_UNIX,)
_NETWORK_SOCKETS = (*_SOCKETS, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)  # the last: getaddrinfo

_libc = ctypes.CDLL(None, use_errno=True)


class _Instruction(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_uint16),
        ("jump_true", ctypes.c_uint8),
        ("jump_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    ]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction))]


def is_available() -> bool:
    """Return whether the kernel offers it and the numbers of this machine's system calls are known."""
    if os.uname().machine not in _ARCHITECTURES:
        return False
    action = ctypes.c_uint32(_ERRNO)
    return bool(_libc.syscall(_number(_NUMBERS["seccomp"]), _GET_ACTION_AVAIL, 0, ctypes.byref(action)) == 0)


def restrict(*, network: bool) -> None:
    """Refuse the system calls from now on, if the kernel offers seccomp.

    network: sockets to other machines are allowed. Raise OSError if the kernel refuses.
    """
    if not is_available():
        return
    give_up_privileges()
    instructions = _filter(_NETWORK_SOCKETS if network else _SOCKETS)
    program = _Program(len(instructions), (_Instruction * len(instructions))(*instructions))
    flags = _ALL_THREADS | _NO_SPECULATION_PENALTY
    check(_libc.syscall(_number(_NUMBERS["seccomp"]), _SET_MODE_FILTER, flags, ctypes.byref(program)))


def _number(numbers: tuple[int, int]) -> int:
    """Return the number of a system call on this machine."""
    return numbers[list(_ARCHITECTURES).index(os.uname().machine)]


def _filter(families: tuple[int, ...]) -> list[_Instruction]:
    """Return the program: refuse what is listed, sockets of other families, and calls of another architecture."""
    checks = [  # (instruction, value, whether to refuse if it holds, whether to refuse if not)
        (_EQUAL, _ARCHITECTURES[os.uname().machine], False, True),
        (_LOAD, _NUMBER, False, False),
        (_AT_LEAST, _X32, True, False),
        *((_EQUAL, _number(numbers), True, False) for numbers in _REFUSED.values()),
    ]
    tail = [  # anything but socket() jumps to the end
        _Instruction(_EQUAL, 0, len(families) + 2, _number(_NUMBERS["socket"])),
        _Instruction(_LOAD, 0, 0, _FIRST_ARGUMENT),
        *(_Instruction(_EQUAL, len(families) - i, 0, family) for i, family in enumerate(families)),
        _Instruction(_RETURN, 0, 0, _ERRNO | errno.EPERM),
        _Instruction(_RETURN, 0, 0, _ALLOW),
    ]
    refusal = len(checks) + len(tail) - 2  # index of the return that refuses, counted from the first check
    head = [
        _Instruction(code, (refusal - i - 1) * if_true, (refusal - i - 1) * if_false, value)
        for i, (code, value, if_true, if_false) in enumerate(checks)
    ]
    return [_Instruction(_LOAD, 0, 0, _ARCHITECTURE), *head, *tail]
