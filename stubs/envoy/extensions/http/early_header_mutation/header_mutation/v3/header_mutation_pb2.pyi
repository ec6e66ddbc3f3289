# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.common.mutation_rules.v3.mutation_rules_pb2

class HeaderMutation(Message):
    mutations: RepeatedCompositeFieldContainer[envoy.config.common.mutation_rules.v3.mutation_rules_pb2.HeaderMutation]
    def __init__(self, *, mutations: Iterable[envoy.config.common.mutation_rules.v3.mutation_rules_pb2.HeaderMutation | Mapping[str, Any]] | None = ...) -> None: ...
