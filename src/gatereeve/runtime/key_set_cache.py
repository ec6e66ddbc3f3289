"""The key sets that were retrieved last, in one private file: a restart while an issuer is away keeps
its callers. Public keys, but who writes the file decides who may sign, so it lies in the state directory.

Which of them still count is decided by `sources.jwks`. A file that is lost or damaged is an empty one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from gatereeve.core.logs import EventLog
from gatereeve.pki import private_file
from gatereeve.sources.jwks import CachedKeySet

_LOG = EventLog(__name__)


class KeySetCache:
    """See the module. One call at a time, from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[str, CachedKeySet]:
        """What was saved last, by URI."""
        try:
            stored = json.loads(self._path.read_bytes())
            return {uri: _decode(entry) for uri, entry in stored.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            _LOG.warning("file_counts_as_empty", file=self._path, error=error)
            return {}

    def save(self, key_sets: Mapping[str, CachedKeySet]) -> None:
        """Replaces what was saved. A file that cannot be written is logged; the old one stays."""
        stored = {
            uri: {"text": key_set.text, "at": key_set.at.isoformat(), "trust": key_set.trust}
            for uri, key_set in sorted(key_sets.items())
        }
        try:
            private_file.replace(self._path, [json.dumps(stored).encode()])
        except OSError as error:
            _LOG.warning("file_not_written", file=self._path, error=error.strerror)


def _decode(stored: Mapping[str, str]) -> CachedKeySet:
    """Return the key set of one entry of the file. Raises ValueError, TypeError or KeyError if it has
    none."""
    text, at, trust = stored["text"], datetime.fromisoformat(stored["at"]), stored["trust"]
    if not (isinstance(text, str) and isinstance(trust, str)) or at.tzinfo is None:
        msg = "a key set lacks its text, its trust or a time zone"
        raise ValueError(msg)
    return CachedKeySet(text=text, at=at, trust=trust)
