"""One request, as a client sends it: the input of the reference decision.

`Request` is what goes over the wire, not yet cleaned: `entry` gives it its canonical form.
`parse_request` reads the small documents that `gatereeve explain` is asked about. No I/O.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gatereeve.core.errors import RequestError
from gatereeve.decide.principals import Assumed

Scheme: TypeAlias = Literal["http", "https"]

_KNOWN = frozenset(
    {
        "url",
        "scheme",
        "host",
        "method",
        "path",
        "headers",
        "body",
        "peer",
        "sni",
        "certificate",
        "listener",
        "as",
    }
)
_URL = re.compile(r"(https?)://([^/?#]+)(.*)", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_EXAMPLE = "a request looks like {url: https://host/path, method: POST, headers: {…}, body: …}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """The names in a client certificate that TLS has verified against the gate's CA."""

    uris: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """scheme: of the connection. host: the Host header (or `:authority`), as sent; "" for none.

    path: the request target with its query, as sent. headers: as sent, in order, names in any case,
    without Host. peer: the direct address of the connection. sni: the TLS server name.
    listener: its name; None is the gate's listener for the scheme. assume: an identity taken for
    granted; credentials in the headers are then not looked at.
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
    assume: Assumed | None = None


def parse_request(data: object) -> Request:
    """A request from YAML or JSON values.

    Keys: url, or scheme, host and path; method (POST when there is a body); headers (name to text
    or list of texts); body (text, or a value that is sent as JSON); peer; sni (the host, for
    https); certificate {uris, dns}; listener; as {principal: provider/id, groups, claims}.
    Raises RequestError, which says what was expected.
    """
    _refuse_surrogates(data)
    given = _mapping(data, "the request")
    unknown = sorted(set(given) - _KNOWN)
    if unknown:
        raise RequestError(
            f"a request has no {', '.join(unknown)}", hint=f"it has: {', '.join(sorted(_KNOWN))}"
        )
    scheme, host, path = _target(given)
    headers = _headers(given.get("headers"))
    body, is_json = _body(given.get("body"))
    if is_json and not any(name.lower() == "content-type" for name, _ in headers):
        headers = (*headers, ("content-type", "application/json"))
    sni = _text(given, "sni")
    if "sni" not in given and scheme == "https":
        sni = re.sub(r":[0-9]*$", "", host).rstrip(".").lower()
    return Request(
        scheme=scheme,
        host=host,
        method=_text(given, "method") or ("POST" if body else "GET"),
        path=path,
        headers=headers,
        body=body,
        peer=_text(given, "peer") or "127.0.0.1",
        sni=sni,
        certificate=_certificate(given.get("certificate")),
        listener=_text(given, "listener"),
        assume=_assumed(given.get("as")),
    )


def _target(given: Mapping[str, object]) -> tuple[Scheme, str, str]:
    url = _text(given, "url")
    if url is None:
        host = _text(given, "host")
        scheme = _text(given, "scheme") or "https"
        if host is None:
            raise RequestError("a request needs a url or a host", hint=_EXAMPLE)
        if scheme not in ("http", "https"):
            raise RequestError(f"scheme {scheme} is not served", hint="write http or https")
        return "http" if scheme == "http" else "https", host, _text(given, "path") or "/"
    if {"scheme", "host", "path"} & set(given):
        raise RequestError(
            "url already says scheme, host and path", hint="write url, or the three, not both"
        )
    match = _URL.fullmatch(url)
    if match is None:
        raise RequestError(f"{url} is no http or https address", hint=_EXAMPLE)
    path = match[3] if match[3].startswith("/") else "/" + match[3]
    return "http" if match[1] == "http" else "https", match[2], path


def _headers(data: object) -> tuple[tuple[str, str], ...]:
    if data is None:
        return ()
    found: list[tuple[str, str]] = []
    for name, value in _mapping(data, "headers").items():
        values = value if isinstance(value, list | tuple) else [value]
        for one in values:
            if isinstance(one, bool) or not isinstance(one, str | int | float):
                raise RequestError(
                    f"header {name} is neither text nor a list of texts",
                    hint="write headers as {name: value}, a repeated one as {name: [value, value]}",
                )
            found.append((name, str(one)))
    return tuple(found)


def _body(data: object) -> tuple[bytes, bool]:
    """The bytes, and whether they were given as a value to be sent as JSON."""
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
            hint="write it as text, or as objects, lists, texts, numbers and booleans",
        ) from error


def _certificate(data: object) -> ClientCertificate | None:
    if data is None:
        return None
    given = _mapping(data, "certificate")
    return ClientCertificate(
        uris=_texts(given.get("uris"), "certificate.uris"),
        dns=_texts(given.get("dns"), "certificate.dns"),
    )


def _assumed(data: object) -> Assumed | None:
    if data is None:
        return None
    given = _mapping(data, "as")
    principal = _text(given, "principal") or ""
    provider, slash, name = principal.partition("/")
    if not slash or not provider or not name:
        raise RequestError(
            "`as` needs a principal", hint="write principal: provider/id, as access rules do"
        )
    return Assumed(
        provider=provider,
        id=name,
        groups=_texts(given.get("groups"), "as.groups"),
        claims=_mapping(given.get("claims") or {}, "as.claims"),
    )


def _refuse_surrogates(data: object) -> None:
    """Half a pair of UTF-16 is no character: no text with one can be sent as bytes (RFC 3629, 3)."""
    left, seen = [data], set[int]()
    while left:
        value = left.pop()
        if isinstance(value, str):
            if _SURROGATE.search(value) is not None:
                raise RequestError(
                    f"{ascii(value)[:80]} holds a lone surrogate, which is no character",
                    hint="write the whole pair, or the character itself; bytes as YAML's !!binary",
                )
        elif isinstance(value, Mapping | list | tuple | set) and id(value) not in seen:
            seen.add(id(value))
            left += value
            if isinstance(value, Mapping):
                left += value.values()


def _mapping(data: object, what: str) -> Mapping[str, object]:
    if not isinstance(data, Mapping) or not all(isinstance(key, str) for key in data):
        raise RequestError(f"{what} is not an object with text keys", hint=_EXAMPLE)
    return {str(key): value for key, value in data.items()}


def _text(given: Mapping[str, object], key: str) -> str | None:
    value = given.get(key)
    if value is not None and not isinstance(value, str):
        raise RequestError(f"{key} is not text", hint=_EXAMPLE)
    return value


def _texts(data: object, what: str) -> tuple[str, ...]:
    if data is None:
        return ()
    values = [data] if isinstance(data, str) else data
    if not isinstance(values, list | tuple) or not all(isinstance(v, str) for v in values):
        raise RequestError(f"{what} is not a list of texts", hint=_EXAMPLE)
    return tuple(str(v) for v in values)
