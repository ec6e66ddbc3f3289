"""Moved to `gatereeve.core.memo`."""

from gatereeve.core.memo import Memo

__all__ = ["Memo"]
