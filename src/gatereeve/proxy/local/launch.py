"""Become another program that dies with its parent. Run as a script, by `local`, never imported.

    python -I -S launch.py PARENT_PID PROGRAM ARGUMENT...

On Linux the kernel kills this process when the parent's thread that started it ends, then
the process becomes PROGRAM; both survive `exec`. This stands between fork and exec in a process of
its own because code run there inside a threaded parent (gRPC has threads) may deadlock. Elsewhere it
only becomes PROGRAM.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main(arguments: list[str]) -> None:
    parent, program = int(arguments[0]), arguments[1]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
        if os.getppid() != parent:  # it ended before we asked
            sys.exit("the parent is gone")
    os.execv(program, arguments[1:])  # noqa: S606  # no shell wanted


if __name__ == "__main__":
    main(sys.argv[1:])
