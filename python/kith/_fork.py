"""Objects that have threads, in a fork of their process.

A fork has none of these threads, and freeing the object would wait for them for ever: there it is never freed.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from typing import Any

_with_threads: weakref.WeakSet[Any] = weakref.WeakSet()


def keep_in_forks(handle: Any) -> None:
    """Of an object that the engine gave."""
    _with_threads.add(handle)


def _never_free() -> None:
    for handle in _with_threads:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(handle))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_never_free)
