"""The model and `stream` of an OpenAI body, into metadata that routes match on.

Types are kept, so only a text can be a model. A body that cannot be read says nothing, and then the
refusing row of its path decides. Of equal keys the last counts, as in most JSON readers.
"""

from __future__ import annotations

from typing import Any

from envoy.extensions.filters.http.json_to_metadata.v3 import json_to_metadata_pb2 as j2m_pb2
from envoy.type.matcher.v3 import regex_pb2
from google.protobuf import any_pb2, struct_pb2

from gatereeve.proxy.envoy import names, packing
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter, enabled

CONTENT_TYPE = r"application/json(;\s*charset=[uU][tT][fF]-8)?"
_NO_CONTENT_TYPE = "\n"
"""No header's value. Without any name in its list Envoy would read `application/json`."""


def build(_context: FilterContext) -> tuple[HttpFilter, ...]:
    return (HttpFilter(name=names.BODY, config=inert()),)


def reading() -> any_pb2.Any:
    """For rows that read bodies."""
    wanted = regex_pb2.RegexMatcher(regex=CONTENT_TYPE)
    return enabled(_config(_rules(allow_content_types_regex=wanted)))


def inert() -> any_pb2.Any:
    """For routes of wildcard hosts that read no bodies; those of exact hosts disable the filter."""
    return _config(_rules(allow_content_types=[_NO_CONTENT_TYPE]))


def _rules(**content_types: Any) -> j2m_pb2.JsonToMetadata.MatchRules:
    return j2m_pb2.JsonToMetadata.MatchRules(
        rules=[_rule("model"), _rule("stream")], **content_types
    )


def _config(rules: Any) -> any_pb2.Any:
    return packing.pack(j2m_pb2.JsonToMetadata(request_rules=rules))


def _rule(key: str) -> j2m_pb2.JsonToMetadata.Rule:
    return j2m_pb2.JsonToMetadata.Rule(
        selectors=[j2m_pb2.JsonToMetadata.Selector(key=key)],
        on_present=j2m_pb2.JsonToMetadata.KeyValuePair(
            metadata_namespace=names.BODY_NAMESPACE, key=key, type="PROTOBUF_VALUE"
        ),
        on_missing=_false(key),
        on_error=_false(key),
    )


def _false(key: str) -> j2m_pb2.JsonToMetadata.KeyValuePair:
    """For a body without the key: a model is a text, so `false` is none, and `stream` is false."""
    return j2m_pb2.JsonToMetadata.KeyValuePair(
        metadata_namespace=names.BODY_NAMESPACE,
        key=key,
        value=struct_pb2.Value(bool_value=False),
    )
