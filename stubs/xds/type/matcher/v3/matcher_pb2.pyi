# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import xds.core.v3.extension_pb2
import xds.type.matcher.v3.string_pb2

class Matcher(Message):
    class OnMatch(Message):
        matcher: Matcher
        action: xds.core.v3.extension_pb2.TypedExtensionConfig
        def __init__(self, *, matcher: Matcher | Mapping[str, Any] | None = ..., action: xds.core.v3.extension_pb2.TypedExtensionConfig | Mapping[str, Any] | None = ...) -> None: ...
    class MatcherList(Message):
        class Predicate(Message):
            class SinglePredicate(Message):
                input: xds.core.v3.extension_pb2.TypedExtensionConfig
                value_match: xds.type.matcher.v3.string_pb2.StringMatcher
                custom_match: xds.core.v3.extension_pb2.TypedExtensionConfig
                def __init__(self, *, input: xds.core.v3.extension_pb2.TypedExtensionConfig | Mapping[str, Any] | None = ..., value_match: xds.type.matcher.v3.string_pb2.StringMatcher | Mapping[str, Any] | None = ..., custom_match: xds.core.v3.extension_pb2.TypedExtensionConfig | Mapping[str, Any] | None = ...) -> None: ...
            single_predicate: Matcher.MatcherList.Predicate.SinglePredicate
            def __init__(self, *, single_predicate: Matcher.MatcherList.Predicate.SinglePredicate | Mapping[str, Any] | None = ...) -> None: ...
        class FieldMatcher(Message):
            predicate: Matcher.MatcherList.Predicate
            on_match: Matcher.OnMatch
            def __init__(self, *, predicate: Matcher.MatcherList.Predicate | Mapping[str, Any] | None = ..., on_match: Matcher.OnMatch | Mapping[str, Any] | None = ...) -> None: ...
        matchers: RepeatedCompositeFieldContainer[Matcher.MatcherList.FieldMatcher]
        def __init__(self, *, matchers: Iterable[Matcher.MatcherList.FieldMatcher | Mapping[str, Any]] | None = ...) -> None: ...
    class MatcherTree(Message):
        class MatchMap(Message):
            map: MessageMap[str, Matcher.OnMatch]
            def __init__(self, *, map: Mapping[str, Matcher.OnMatch] | None = ...) -> None: ...
        input: xds.core.v3.extension_pb2.TypedExtensionConfig
        exact_match_map: Matcher.MatcherTree.MatchMap
        custom_match: xds.core.v3.extension_pb2.TypedExtensionConfig
        def __init__(self, *, input: xds.core.v3.extension_pb2.TypedExtensionConfig | Mapping[str, Any] | None = ..., exact_match_map: Matcher.MatcherTree.MatchMap | Mapping[str, Any] | None = ..., custom_match: xds.core.v3.extension_pb2.TypedExtensionConfig | Mapping[str, Any] | None = ...) -> None: ...
    matcher_list: Matcher.MatcherList
    matcher_tree: Matcher.MatcherTree
    def __init__(self, *, matcher_list: Matcher.MatcherList | Mapping[str, Any] | None = ..., matcher_tree: Matcher.MatcherTree | Mapping[str, Any] | None = ...) -> None: ...
