"""The garbage collector of a process that holds a large, living heap: the one place that tunes it.

Documents, plans and resources of 10 000 models are four million objects that live for as long as
the process. The collector's defaults walk all of them again and again while they grow (half of the
time of a first compile) and stop the loop for seconds. They hold no cycles: reference counting frees
what a change replaces. So nothing is collected until the first World is in force; then that heap is
set aside for good, and what comes later is looked at seldom.
"""

from __future__ import annotations

import gc
from typing import Final

_THRESHOLDS: Final = (500_000, 20, 50)
"""Allocations before a young collection, and young collections before an older one (CPython).

One change at 10 000 models makes some 100 000 objects, most of them long tuples, of which a
collection in its midst would cost 30 ms; so there is one in several changes."""


def begin() -> None:
    """Before the first World: no collection."""
    gc.disable()


def settle() -> None:
    """A World is in force. After the first, set the heap aside and collect from now on."""
    if gc.isenabled():
        return
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    gc.enable()
