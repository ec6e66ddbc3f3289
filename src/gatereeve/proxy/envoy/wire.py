"""Protobuf's wire format, as little of it as joining finished parts takes.

A gate of ten thousand models has some two hundred thousand routes, and most of the time it took to
build them went into copying messages into messages. So the small parts are typed messages, made once
and kept as bytes, and the frames around them are written here. Numbers of fields come from the
descriptors; tests parse what is written and compare it with typed messages.

Source: protobuf.dev, "Encoding": a record is a varint tag (number << 3 | 2) and a length.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from google.protobuf import struct_pb2
from google.protobuf.message import Message

_LENGTH_DELIMITED: Final = 2


def field(number: int, payload: bytes) -> bytes:
    """One length-delimited field: a message, a text or bytes."""
    size = len(payload)
    if number < 16:
        if size < 0x80:
            return _HEADS[number][size] + payload
        if size < 0x4000:
            return _TAGS[number] + _LENGTHS[size] + payload
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(size) + payload


def text(number: int, value: str) -> bytes:
    return field(number, value.encode())


def number(kind: type[Message], name: str) -> int:
    """The number of a field of a message type. Raises KeyError when there is none."""
    field_number: int = kind.DESCRIPTOR.fields_by_name[name].number
    return field_number


def serialize(message: Message) -> bytes:
    """The same bytes for the same message."""
    return message.SerializeToString(deterministic=True)


def entry(key: str, message: bytes) -> bytes:
    """The payload of one entry of a map from text to messages."""
    return _key(key) + field(2, message)


@lru_cache(maxsize=4096)
def _key(key: str) -> bytes:
    return text(1, key)


def struct_text(key: str, value: bytes) -> bytes:
    """One text of a `Struct`. value: UTF-8."""
    return field(_FIELDS, entry(key, field(_STRING, value)))


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


_HEADS: Final = tuple(
    tuple(bytes([number << 3 | _LENGTH_DELIMITED, size]) for size in range(0x80))
    for number in range(16)
)
"""Tag and length of what is short, which is most."""

_TAGS: Final = tuple(bytes([number << 3 | _LENGTH_DELIMITED]) for number in range(16))
_LENGTHS: Final = tuple(bytes([size & 0x7F | 0x80, size >> 7]) for size in range(0x4000))
"""Lengths in two bytes; those below 0x80 are there for their index only."""

_FIELDS: Final = number(struct_pb2.Struct, "fields")
_STRING: Final = number(struct_pb2.Value, "string_value")
