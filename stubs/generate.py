"""Write `stubs/envoy` and `stubs/xds`: types for the protobuf messages that this repository uses.

    python -m stubs.generate

xds-protos has no types. The stubs are made from its descriptors: the messages that our Python files
name, with the fields whose names occur in those files and the types of these fields. Run it again
when mypy says that a module or a message has no such attribute.
"""

from __future__ import annotations

import ast
import importlib
import keyword
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor

STUBS: Final = Path(__file__).parent
ROOT: Final = STUBS.parent
SOURCES: Final = ("src", "tests", "bench", "examples")
PACKAGES: Final = ("envoy", "xds")

_HEADER: Final = """\
# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
"""
_ANY_NAME: Final = "from typing import Any\n\ndef __getattr__(name: str) -> Any: ...\n"
_FLOATS: Final = (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)


def main() -> None:
    texts = [path.read_text() for folder in SOURCES for path in (ROOT / folder).rglob("*.py")]
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    words -= {"self", *keyword.kwlist}  # names that no parameter can have
    stubs = _Stubs(words)
    for package in PACKAGES:
        shutil.rmtree(STUBS / package, ignore_errors=True)
    for module in sorted({name for text in texts for name in _imports(text)}):
        if module.endswith("_grpc"):
            _write(module, _ANY_NAME)
        else:
            stubs.add_file(importlib.import_module(module).DESCRIPTOR)
    for module, text in stubs.texts():
        _write(module, text)


def _imports(text: str) -> Iterator[str]:
    """Full names of the generated modules that a file imports."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _write(module: str, text: str) -> None:
    path = STUBS / (module.replace(".", "/") + ".pyi")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


class _Stubs:
    """The messages that are kept, by module. words: every name in our files."""

    def __init__(self, words: set[str]) -> None:
        self._words = words
        self._kept: set[str] = set()
        self._files: dict[str, FileDescriptor] = {}

    def add_file(self, file: FileDescriptor) -> None:
        self._files[_module(file)] = file
        for message in file.message_types_by_name.values():
            if message.name in self._words:
                self._add(message)

    def texts(self) -> Iterator[tuple[str, str]]:
        """Modules and their stubs."""
        for module, file in self._files.items():
            lines = [line for enum in file.enum_types_by_name.values() for line in _enum(enum)]
            for message in file.message_types_by_name.values():
                lines += self._message(message)
            body = "\n".join(lines)
            others = set(re.findall(r"\b((?:envoy|xds|google)\.[\w.]+?_pb2)\.", body)) - {module}
            imports = "".join(f"import {other}\n" for other in sorted(others))
            yield module, f"{_HEADER}{imports}\n{body}\n"

    def _add(self, message: Descriptor) -> None:
        if message.full_name in self._kept or _module(message.file).startswith("google."):
            return
        self._kept.add(message.full_name)
        self._files[_module(message.file)] = message.file
        if message.containing_type is not None:
            self._add(message.containing_type)
        for nested in message.nested_types:
            if nested.name in self._words:
                self._add(nested)
        for field in self._fields(message):
            value = _value(field)
            if value.message_type is not None:
                self._add(value.message_type)

    def _fields(self, message: Descriptor) -> list[FieldDescriptor]:
        return [field for field in message.fields if field.name in self._words]

    def _message(self, message: Descriptor) -> Iterator[str]:
        if message.full_name not in self._kept:
            return
        yield f"class {message.name}(Message):"
        for enum in message.enum_types:
            yield from _indented(_enum(enum))
        for nested in message.nested_types:
            yield from _indented(self._message(nested))
        fields = self._fields(message)
        for field in fields:
            yield f"    {field.name}: {_attribute(field)}"
        parameters = "".join(
            f", {field.name}: {_parameter(field)} | None = ..." for field in fields
        )
        yield f"    def __init__(self{', *' if fields else ''}{parameters}) -> None: ..."


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)


def _enum(enum: EnumDescriptor) -> Iterator[str]:
    yield f"{enum.name}: EnumTypeWrapper"
    yield from (f"{value.name}: int" for value in enum.values)


def _value(field: FieldDescriptor) -> FieldDescriptor:
    """The field itself, or the value of a map."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return field.message_type.fields_by_name["value"]
    return field


def _attribute(field: FieldDescriptor) -> str:
    value = _value(field)
    if value is not field:
        container = "ScalarMap" if value.message_type is None else "MessageMap"
        return f"{container}[str, {_type(value)}]"
    if field.is_repeated:
        container = "Scalar" if field.message_type is None else "Composite"
        return f"Repeated{container}FieldContainer[{_type(field)}]"
    return _type(field)


def _parameter(field: FieldDescriptor) -> str:
    value = _value(field)
    if value is not field:
        return f"Mapping[str, {_type(value)}]"
    kind = "int | str" if field.enum_type is not None else _type(field)
    if field.message_type is not None:
        kind += " | Mapping[str, Any]"
    return f"Iterable[{kind}]" if field.is_repeated else kind


def _type(field: FieldDescriptor) -> str:
    message = field.message_type
    if message is None:
        if field.type in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}:
            return "str" if field.type == FieldDescriptor.TYPE_STRING else "bytes"
        if field.cpp_type in _FLOATS:
            return "float"
        return "bool" if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else "int"
    if _module(message.file).startswith(("google.api.", "google.rpc.")):  # without stubs
        return "Any"
    name = message.full_name.removeprefix(f"{message.file.package}.")
    user = field.containing_type
    return name if message.file.name == user.file.name else f"{_module(message.file)}.{name}"


def _module(file: FileDescriptor) -> str:
    return file.name.removesuffix(".proto").replace("/", ".") + "_pb2"


if __name__ == "__main__":
    main()
