"""Header blocks: decoded (HPACK), checked, and read as the head of one gRPC call.

The decoder has no dynamic table once the peer has acknowledged our SETTINGS, so the meaning of a
block depends on its bytes only. Envoy sends the same block for every call to one service, so blocks
that were understood are kept: the next call with the same bytes costs one look-up.

Sources: RFC 7541; RFC 9113 sections 8.2 and 8.3; gRPC PROTOCOL-HTTP2.md, "Requests".
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Final

import hpack

from gatereeve.intake.callout import limits, service
from gatereeve.intake.callout.frames import ErrorCode, ProtocolFault

_MAX_KNOWN: Final = 64
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_BAD_VALUE: Final = re.compile(rb"[\x00\r\n]|\A[ \t]|[ \t]\Z")
_PSEUDO: Final = frozenset((b":method", b":scheme", b":authority", b":path"))
_FORBIDDEN: Final = frozenset(
    (b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade",
     b"content-length", b"host")
)  # fmt: skip
"""Fields of HTTP/1.1 connections (RFC 9113 section 8.2.2), and two that no gRPC client sends."""


@dataclasses.dataclass(frozen=True, slots=True)
class Head:
    """What the header block of a call says.

    method: None when the service does not have it. is_grpc: whether the content type is gRPC.
    has_encoding: whether messages may be compressed, which we do not support.
    """

    method: service.Method | None
    is_grpc: bool = True
    has_encoding: bool = False


class HeadDecoder:
    """Decodes the header blocks of one connection, in the order in which they came."""

    def __init__(self, paths: Mapping[bytes, service.Method], limit: limits.Limits) -> None:
        self._paths = paths
        self._limit = limit
        self._decoder = hpack.Decoder(max_header_list_size=limit.header_list_bytes)
        self._known: dict[bytes, Head] = {}
        self._is_stateless = False

    def forbid_table(self) -> None:
        """From now on the peer must not use a dynamic table: it has acknowledged our SETTINGS.

        Its next block must begin with the reduction to 0 (RFC 7541 section 4.2).
        """
        self._decoder.max_allowed_table_size = 0

    def decode(self, block: bytes) -> Head:
        """Return what `block` says. Raises ProtocolFault."""
        was_stateless = self._is_stateless
        if was_stateless and (known := self._known.get(block)) is not None:
            return known
        try:
            fields = self._decoder.decode(block, raw=True)
        except hpack.OversizedHeaderListError as error:
            raise ProtocolFault(ErrorCode.ENHANCE_YOUR_CALM, "header list too large") from error
        except hpack.HPACKError as error:
            raise ProtocolFault(ErrorCode.COMPRESSION_ERROR, "header block not decoded") from error
        head = self._read([(bytes(name), bytes(value)) for name, value in fields])
        self._is_stateless = self._decoder.header_table_size == 0
        if was_stateless and self._is_stateless:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[block] = head
        return head

    def _read(self, fields: Sequence[tuple[bytes, bytes]]) -> Head:
        if len(fields) > self._limit.header_fields:
            raise ProtocolFault(ErrorCode.ENHANCE_YOUR_CALM, "too many header fields")
        pseudo: dict[bytes, bytes] = {}
        regular: dict[bytes, bytes] = {}
        for name, value in fields:
            if _BAD_VALUE.search(value):
                raise _malformed("a field value with forbidden characters")
            if name[:1] == b":":
                if regular or name in pseudo or name not in _PSEUDO:
                    raise _malformed("an unexpected pseudo-header field")
                pseudo[name] = value
            elif not _NAME.fullmatch(name) or name in _FORBIDDEN:
                raise _malformed("a forbidden field name")
            else:
                regular[name] = value
        if pseudo.get(b":method") != b"POST":
            raise _malformed("a method that is not POST")
        has_target = pseudo.get(b":path") and pseudo.get(b":authority")
        if pseudo.get(b":scheme") not in {b"http", b"https"} or not has_target:
            raise _malformed("no scheme, no path or no authority")
        if regular.get(b"te", b"trailers") != b"trailers":
            raise _malformed("a TE field that is not trailers")
        return Head(
            method=self._paths.get(pseudo[b":path"]),
            is_grpc=_is_grpc(regular.get(b"content-type", b"")),
            has_encoding=regular.get(b"grpc-encoding", b"identity") != b"identity",
        )


def _is_grpc(content_type: bytes) -> bool:
    """Whether it is `application/grpc`, alone or followed by `+` or `;`."""
    return content_type[:16] == b"application/grpc" and content_type[16:17] in {b"", b"+", b";"}


def _malformed(text: str) -> ProtocolFault:
    """A malformed request (RFC 9113 section 8.1.1)."""
    return ProtocolFault(ErrorCode.PROTOCOL_ERROR, f"malformed request: {text}")
