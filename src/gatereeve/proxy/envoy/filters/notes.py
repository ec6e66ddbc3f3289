"""What the record must be told and the access log would see too late or not at all, into metadata.

The value of a sticky header, so that the record can replay the split; the path as it was asked for,
on rows that rewrite it. Asleep but on such rows. Information only: the router reads the request.
After `selection`, so that the final row says what is noted.
"""

from __future__ import annotations

from typing import Any

from envoy.extensions.filters.http.header_to_metadata.v3 import header_to_metadata_pb2 as h2m_pb2
from envoy.type.matcher.v3 import regex_pb2

from gatereeve.ir import recording
from gatereeve.proxy.envoy import names, packing
from gatereeve.proxy.envoy.filters.placed import Ground, Placed, awake

_WITHOUT_QUERY = regex_pb2.RegexMatchAndSubstitute(
    pattern=regex_pb2.RegexMatcher(regex=r"^([^?]*).*$"), substitution=r"\1"
)


def build(_ground: Ground) -> tuple[Placed, ...]:
    return (Placed(name=names.NOTES, config=packing.pack(h2m_pb2.Config())),)


def noting(header: str | None, *, path: bool) -> Any:
    """For a row: the sticky header that it hashes, if any; path: whether it rewrites the path."""
    rules = []
    if header is not None:
        rules.append(_rule(header, recording.STICKY_KEY))
    if path:
        rules.append(_rule(":path", recording.PATH_KEY))
        rules[-1].on_header_present.regex_value_rewrite.CopyFrom(_WITHOUT_QUERY)
    if not rules:  # a row that notes nothing, beside one that does: Envoy asks for a rule
        rules.append(_rule(f"{names.OWN_HEADERS}nothing", "nothing"))
    return awake(packing.pack(h2m_pb2.Config(request_rules=rules)))


def _rule(header: str, key: str) -> Any:
    return h2m_pb2.Config.Rule(
        header=header,
        on_header_present=h2m_pb2.Config.KeyValuePair(
            metadata_namespace=recording.GATE_NAMESPACE, key=key, type="STRING"
        ),
    )
