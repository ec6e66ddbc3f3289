"""One request as a client sends it: the input of the reference decision.

`canonical_request` normalizes it. `parse_request` reads the documents of `gatereeve explain`. No I/O.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gatereeve.core.errors import RequestError
from gatereeve.decide.principals import AssumedIdentity

Scheme: TypeAlias = Literal["http", "https"]

_KEYS = frozenset({
    "url", "scheme", "host", "method", "path", "headers", "body", "peer", "sni", "certificate",
    "listener", "as",
})  # fmt: skip
_URL = re.compile(r"(https?)://([^/?#]+)(.*)", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_EXAMPLE = "a request looks like {url: https://host/path, method: POST, headers: {…}, body: …}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """The names in a client certificate that the gate has verified."""

    uris: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """scheme: of the connection. host: the Host header (or `:authority`) as sent; "" without one.

    path: the request target with its query, as sent. headers: as sent, in order, without Host. peer: the
    address of the connection. sni: the TLS server name. listener: its name; None for the gate's listener
    of this scheme. assume: an identity that is used instead of credentials.
    """

    host: str
    scheme: Scheme = "https"
    method: str = "GET"
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    peer: str = "127.0.0.1"
    sni: str | None = None
    certificate: ClientCertificate | None = None
    listener: str | None = None
    assume: AssumedIdentity | None = None


def parse_request(data: object) -> Request:
    """Read a request from YAML or JSON values.

    Keys: url, or scheme, host and path; method (default POST with a body, else GET); headers (name to
    string or list of strings); body (string, or a value that is sent as JSON); peer; sni (default the
    host, for https); certificate {uris, dns}; listener; as {principal: provider/id, groups, claims}.
    Raises RequestError.
    """
    _refuse_surrogates(data)
    fields = _read_mapping(data, "the request")
    unknown = sorted(set(fields) - _KEYS)
    if unknown:
        raise RequestError(
            f"unknown keys in the request: {', '.join(unknown)}",
            hint=f"the keys are: {', '.join(sorted(_KEYS))}",
        )
    scheme, host, path = _read_target(fields)
    headers = _read_headers(fields.get("headers"))
    body, is_json = _read_body(fields.get("body"))
    if is_json and not any(name.lower() == "content-type" for name, _ in headers):
        headers = (*headers, ("content-type", "application/json"))
    sni = _read_string(fields, "sni")
    if "sni" not in fields and scheme == "https":
        sni = re.sub(r":[0-9]*$", "", host).rstrip(".").lower()
    return Request(
        scheme=scheme,
        host=host,
        method=_read_string(fields, "method") or ("POST" if body else "GET"),
        path=path,
        headers=headers,
        body=body,
        peer=_read_string(fields, "peer") or "127.0.0.1",
        sni=sni,
        certificate=_read_certificate(fields.get("certificate")),
        listener=_read_string(fields, "listener"),
        assume=_read_identity(fields.get("as")),
    )


def _read_target(data: Mapping[str, object]) -> tuple[Scheme, str, str]:
    url = _read_string(data, "url")
    if url is None:
        host = _read_string(data, "host")
        scheme = _read_string(data, "scheme") or "https"
        if host is None:
            raise RequestError("a request needs a url or a host", hint=_EXAMPLE)
        if scheme not in ("http", "https"):
            raise RequestError(f"scheme {scheme} is not supported", hint="write http or https")
        return "http" if scheme == "http" else "https", host, _read_string(data, "path") or "/"
    if {"scheme", "host", "path"} & set(data):
        raise RequestError(
            "url already contains scheme, host and path", hint="write either url or the other three"
        )
    match = _URL.fullmatch(url)
    if match is None:
        raise RequestError(f"{url} is not an http or https URL", hint=_EXAMPLE)
    path = match[3] if match[3].startswith("/") else "/" + match[3]
    return "http" if match[1] == "http" else "https", match[2], path


def _read_headers(data: object) -> tuple[tuple[str, str], ...]:
    if data is None:
        return ()
    headers: list[tuple[str, str]] = []
    for name, value in _read_mapping(data, "headers").items():
        values = value if isinstance(value, list | tuple) else [value]
        for item in values:
            if isinstance(item, bool) or not isinstance(item, str | int | float):
                raise RequestError(
                    f"header {name} is neither a string nor a list of strings",
                    hint="write headers as {name: value}, a repeated one as {name: [value, value]}",
                )
            headers.append((name, str(item)))
    return tuple(headers)


def _read_body(data: object) -> tuple[bytes, bool]:
    """Return the bytes, and whether they are a value written as JSON."""
    if data is None:
        return b"", False
    if isinstance(data, bytes):
        return data, False
    if isinstance(data, str):
        return data.encode(), False
    try:
        return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(), True
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestError(
            f"the body cannot be written as JSON: {error}",
            hint="write a string, or objects, lists, strings, numbers and booleans",
        ) from error


def _read_certificate(data: object) -> ClientCertificate | None:
    if data is None:
        return None
    fields = _read_mapping(data, "certificate")
    return ClientCertificate(
        uris=_read_strings(fields.get("uris"), "certificate.uris"),
        dns=_read_strings(fields.get("dns"), "certificate.dns"),
    )


def _read_identity(data: object) -> AssumedIdentity | None:
    if data is None:
        return None
    fields = _read_mapping(data, "as")
    principal = _read_string(fields, "principal") or ""
    provider, slash, name = principal.partition("/")
    if not slash or not provider or not name:
        raise RequestError(
            "`as` needs a principal", hint="write principal: provider/id, as in access rules"
        )
    return AssumedIdentity(
        provider=provider,
        id=name,
        groups=_read_strings(fields.get("groups"), "as.groups"),
        claims=_read_mapping(fields.get("claims") or {}, "as.claims"),
    )


def _refuse_surrogates(data: object) -> None:
    """Raise RequestError for a lone UTF-16 surrogate: it has no encoding in UTF-8 (RFC 3629 section 3)."""
    pending, visited = [data], set[int]()
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            if _SURROGATE.search(value) is not None:
                raise RequestError(
                    f"{ascii(value)[:80]} has a lone surrogate",
                    hint="write the surrogate pair or the character; write bytes as YAML !!binary",
                )
        elif isinstance(value, Mapping | list | tuple | set) and id(value) not in visited:
            visited.add(id(value))
            pending += value
            if isinstance(value, Mapping):
                pending += value.values()


def _read_mapping(data: object, what: str) -> Mapping[str, object]:
    if not isinstance(data, Mapping) or not all(isinstance(key, str) for key in data):
        raise RequestError(f"{what} is not an object with string keys", hint=_EXAMPLE)
    return {str(key): value for key, value in data.items()}


def _read_string(data: Mapping[str, object], key: str) -> str | None:
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        raise RequestError(f"{key} is not a string", hint=_EXAMPLE)
    return value


def _read_strings(data: object, what: str) -> tuple[str, ...]:
    if data is None:
        return ()
    values = [data] if isinstance(data, str) else data
    if not isinstance(values, list | tuple) or not all(isinstance(v, str) for v in values):
        raise RequestError(f"{what} is not a list of strings", hint=_EXAMPLE)
    return tuple(str(v) for v in values)
