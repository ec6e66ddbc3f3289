"""Writes into metadata what the record needs and the access log would see too late or not at all.

The value of a sticky header, so that the record can replay the split; the path as it was asked for,
on rows that rewrite it; on governed rows the headers that rules read, all values of each as one.
Disabled except on such routes. The router reads the request, not what is noted here.
After `selection`, so that the final row says what is noted.
"""

from __future__ import annotations

from collections.abc import Sequence

from envoy.extensions.filters.http.header_to_metadata.v3 import header_to_metadata_pb2 as h2m_pb2
from envoy.type.matcher.v3 import regex_pb2
from google.protobuf import any_pb2

from gatereeve.core.plain_values import VALUE_OR_NOTHING
from gatereeve.ir import record_fields
from gatereeve.proxy.envoy import names, packing
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter, enabled

_PLAIN = regex_pb2.RegexMatchAndSubstitute(
    pattern=regex_pb2.RegexMatcher(regex=VALUE_OR_NOTHING), substitution=r"\1"
)
_WITHOUT_QUERY = regex_pb2.RegexMatchAndSubstitute(
    pattern=regex_pb2.RegexMatcher(regex=r"^([^?]*)\C*$"), substitution=r"\1"
)


def build(_context: FilterContext) -> tuple[HttpFilter, ...]:
    return (HttpFilter(name=names.NOTES, config=packing.pack(h2m_pb2.Config())),)


def noting(header: str | None, path: bool, read: Sequence[str] = ()) -> any_pb2.Any:  # noqa: FBT001 - inputs of `routes.entry`
    """For a row: the sticky header that it hashes, if any; path: whether it rewrites the path.

    read: headers that rules read, for the stages, which ask whether each has one meaning.
    """
    rules = [rule_of_plain(name, names.HEADERS_NAMESPACE, name) for name in read]
    if header is not None:
        rules.append(rule_of_plain(header, record_fields.GATE_NAMESPACE, record_fields.STICKY_KEY))
    if path:
        rules.append(
            _rule(":path", record_fields.GATE_NAMESPACE, record_fields.PATH_KEY, _WITHOUT_QUERY)
        )
    if not rules:  # a row that notes nothing, beside one that does: Envoy asks for a rule
        rules.append(
            rule_of_plain(f"{names.OWN_HEADERS}nothing", record_fields.GATE_NAMESPACE, "nothing")
        )
    return enabled(packing.pack(h2m_pb2.Config(request_rules=rules)))


def rule_of_plain(header: str, namespace: str, key: str) -> h2m_pb2.Config.Rule:
    """Copies a header that is one plain value (`core.plain_values`), and nothing else.

    Metadata goes into the access log, whose messages hold UTF-8 only: other bytes would break off
    its stream.
    """
    return _rule(header, namespace, key, _PLAIN)


def _rule(
    header: str, namespace: str, key: str, rewrite: regex_pb2.RegexMatchAndSubstitute
) -> h2m_pb2.Config.Rule:
    return h2m_pb2.Config.Rule(
        header=header,
        on_header_present=h2m_pb2.Config.KeyValuePair(
            metadata_namespace=namespace, key=key, type="STRING", regex_value_rewrite=rewrite
        ),
    )
