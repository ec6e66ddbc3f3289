"""A network of our own: a namespace of the kernel in which all of 10.0.0.0/8 is this process.

So every server has an address that is no loopback address, no port is taken by others, and nothing
that an attack opens can be reached from outside. Needs Linux, and either root or user namespaces.
"""

from __future__ import annotations

import ctypes
import fcntl
import ipaddress
import os
import socket
import struct
from pathlib import Path

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_SET_FLAGS, _SET_ADDRESS, _SET_MASK = 0x8914, 0x8916, 0x891C
_UP = 0x1 | 0x40


def enter() -> None:
    """Moves this process, which must have one thread, to a new network. OSError when it may not."""
    uid, gid = os.getuid(), os.getgid()
    try:
        _unshare(_NEW_NET)
    except PermissionError:
        _unshare(_NEW_USER | _NEW_NET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sH14x", b"lo", _UP))
        fcntl.ioctl(control, _SET_ADDRESS, _address("10.0.0.1"))
        fcntl.ioctl(control, _SET_MASK, _address("255.0.0.0"))
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sH14x", b"lo:1", _UP))


def _unshare(what: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(what) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"no network of our own: {os.strerror(number)}")


def _address(text: str) -> bytes:
    packed = ipaddress.IPv4Address(text).packed
    return struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, packed)
