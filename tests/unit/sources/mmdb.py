"""Writes small MaxMind DB files (format 2.0), for tests of reading them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping


def database(networks: Mapping[str, object]) -> bytes:
    """An IPv6 database: each network with its record; IPv4 stands in ::/96."""
    tree: list[list[object]] = [[None, None]]
    for text, record in networks.items():
        network = ipaddress.ip_network(text)
        value, length = int(network.network_address), network.prefixlen
        length += 96 if network.version == 4 else 0
        node = 0
        for depth in range(length):
            bit = (value >> (127 - depth)) & 1
            if depth == length - 1:
                tree[node][bit] = (record,)
            else:
                child = tree[node][bit]
                if not isinstance(child, int):
                    tree.append([None, None])
                    child = tree[node][bit] = len(tree) - 1
                node = child
    return _file(tree)


def _file(tree: list[list[object]]) -> bytes:
    data, count, search = bytearray(), len(tree), bytearray()
    for node in tree:
        for side in node:
            if isinstance(side, tuple):
                pointer = count + 16 + len(data)
                data += _encoded(side[0])
            else:
                pointer = side if isinstance(side, int) else count
            search += pointer.to_bytes(4, "big")
    metadata = {
        "node_count": count, "record_size": 32, "ip_version": 6, "database_type": "Test",
        "languages": [], "binary_format_major_version": 2, "binary_format_minor_version": 0,
        "build_epoch": 1, "description": {},
    }  # fmt: skip
    return bytes(search + bytes(16) + data) + b"\xab\xcd\xefMaxMind.com" + _encoded(metadata)


def _encoded(value: object) -> bytes:
    if isinstance(value, str):
        return _control(2, len(value.encode())) + value.encode()
    if isinstance(value, int):
        body = value.to_bytes((value.bit_length() + 7) // 8, "big")
        return _control(6, len(body)) + body
    if isinstance(value, dict):
        inner = b"".join(_encoded(k) + _encoded(v) for k, v in value.items())
        return _control(7, len(value)) + inner
    if isinstance(value, list):
        return _control(11, len(value)) + b"".join(map(_encoded, value))
    raise TypeError(type(value))


def _control(kind: int, size: int) -> bytes:
    assert size < 29
    return bytes([kind << 5 | size]) if kind < 8 else bytes([size, kind - 7])
