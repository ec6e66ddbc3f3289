"""The model and `stream` of an OpenAI body, into metadata that routes match on.

Types are kept, so only a text can be a model. A body that cannot be read says nothing, and then the
refusing row of its path decides. Of equal keys the last counts, as in most JSON readers.
"""

from __future__ import annotations

from typing import Any

from envoy.extensions.filters.http.json_to_metadata.v3 import json_to_metadata_pb2 as j2m_pb2
from envoy.type.matcher.v3 import regex_pb2
from google.protobuf import struct_pb2

from gatereeve.proxy.envoy import names, packing
from gatereeve.proxy.envoy.filters.placed import Ground, Placed, awake

CONTENT_TYPE = r"application/json(;\s*charset=[uU][tT][fF]-8)?"


def build(_ground: Ground) -> tuple[Placed, ...]:
    return (Placed(name=names.BODY, config=_config(), disabled=True),)


def reading() -> Any:
    """For rows that read bodies."""
    return awake(_config())


def _config() -> Any:
    return packing.pack(
        j2m_pb2.JsonToMetadata(
            request_rules=j2m_pb2.JsonToMetadata.MatchRules(
                rules=[_rule("model"), _rule("stream")],
                allow_content_types_regex=regex_pb2.RegexMatcher(regex=CONTENT_TYPE),
            )
        )
    )


def _rule(key: str) -> Any:
    """on_missing and on_error must be said; what they write is never matched."""
    return j2m_pb2.JsonToMetadata.Rule(
        selectors=[j2m_pb2.JsonToMetadata.Selector(key=key)],
        on_present=j2m_pb2.JsonToMetadata.KeyValuePair(
            metadata_namespace=names.BODY_NAMESPACE, key=key, type="PROTOBUF_VALUE"
        ),
        on_missing=_note(f"{key}_missing"),
        on_error=_note(f"{key}_error"),
    )


def _note(key: str) -> Any:
    return j2m_pb2.JsonToMetadata.KeyValuePair(
        metadata_namespace=names.BODY_NAMESPACE,
        key=key,
        value=struct_pb2.Value(bool_value=True),
    )
