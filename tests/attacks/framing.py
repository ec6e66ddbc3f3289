"""Where a request ends, who it is for, and bodies that say two things.

The outer request goes to a model for everybody, which may see it once; what hides in it carries a
mark of its own, and a server that sees that mark has seen a request that was never decided.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

from tests.attacks import documents as docs
from tests.attacks import scene
from tests.attacks.battery import Attack
from tests.attacks.headers import ACME
from tests.attacks.making import both
from tests.attacks.servers import MARK
from tests.envoy import http2

PUBLIC = frozenset({scene.PUBLIC})
CHUNKED = "Transfer-Encoding: chunked"
_HOST = docs.host("paths")


def attacks() -> Iterator[Attack]:
    for number, (headers, body, end) in enumerate(_smuggled()):
        mark = f"framing/{number}"
        yield Attack(id=mark, sni=_HOST, may=PUBLIC, alone=True, data=_outer(mark, headers, body, end))  # fmt: skip
    for number, data in enumerate(_lines()):
        mark = f"framing/line-{number}"
        yield Attack(id=mark, sni=_HOST, may=PUBLIC, alone=True, data=_outer(mark, [data, "Content-Length: 0"], "~", "\r\n"))  # fmt: skip
    for number, fields in enumerate(_of_http2()):
        mark = f"framing/h2-{number}"
        yield Attack(
            id=mark, sni=_HOST, may=PUBLIC, fields=(*((_put(a, mark), _put(b, mark)) for a, b in fields), (MARK, mark)),
            data=b"",
        )  # fmt: skip
    yield from both("framing/legitimate", "paths", target="/public", may=PUBLIC, control=True)
    yield from _plain_http()


def _put(text: bytes | str, mark: str) -> bytes | str:
    return text.replace("~", f"{mark}~hidden") if isinstance(text, str) else text


def hidden(mark: str, path: str = "/admin") -> str:
    """A request that the gate must never take for one, nor a server."""
    return f"POST {path} HTTP/1.1\r\nHost: {_HOST}\r\n{MARK}: {mark}~hidden\r\nContent-Length: 0\r\n\r\n"


def _outer(mark: str, headers: list[str], body: str, end: str) -> bytes:
    """`~` in a body stands for the hidden request."""
    lines = [f"POST /public?{MARK}={mark} HTTP/1.1", f"Host: {_HOST}", *headers, "", ""]
    return (end.join(lines) + body.replace("~", hidden(mark))).encode("latin-1")


def _smuggled() -> Iterator[tuple[list[str], str, str]]:
    crlf = "\r\n"
    lengths = (
        "0",
        "4",
        "90",
        "-1",
        "+0",
        "0x0",
        "0.0",
        "1e1",
        "0 0",
        "",
        "zero",
        "18446744073709551616",
        "9" * 30,
        "0, 90",
        "0,0",
        "00",
        "0\t",
        "\x0b0",
        "0;",
        "0 ;x",
    )
    codings = (
        "chunked", "xchunked", "chunked, identity", "identity, chunked", "identity", "gzip, chunked", "chunked, chunked", "chunked;x=y", "chunkedx", '"chunked"', "\x0bchunked",
        "chunk\x00ed", "chunk ed", "CHUNKED", "chunked,", ",chunked", "chunked\t", "\xa0chunked", "deflate", "chunked, gzip", "",
    )  # fmt: skip
    for length in lengths:
        yield [f"Content-Length: {length}"], "~", crlf
        yield [f"Content-Length: {length}", CHUNKED], "0\r\n\r\n~", crlf
        yield [CHUNKED, f"Content-Length: {length}"], "0\r\n\r\n~", crlf
        yield [f"Content-Length: {length}", "Content-Length: 90"], "~", crlf
    for coding in codings:
        yield [f"Transfer-Encoding: {coding}"], "0\r\n\r\n~", crlf
        yield [f"Transfer-Encoding: {coding}", "Content-Length: 5"], "0\r\n\r\n~", crlf
        yield [CHUNKED, f"Transfer-Encoding: {coding}"], "0\r\n\r\n~", crlf
        yield [f"Transfer-Encoding: {coding}", CHUNKED], "0\r\n\r\n~", crlf
    names = ("Transfer-Encoding ", "Transfer-Encoding\t", "Transfer-Encoding\x0b", "Transfer_Encoding", " Transfer-Encoding", "Transfer-Encoding\x00", "Content-Length ", "Content-Length\t",
             "Content-Length\x00", "Content_Length", "transfer-encoding", "TRANSFER-ENCODING")  # fmt: skip
    for name, value in itertools.product(names, ("chunked", "4")):
        yield [f"{name}: {value}", "Content-Length: 4"], "0\r\n\r\n~", crlf
    for size in (
        "-1",
        "0x0",
        "+0",
        "",
        " ",
        "g",
        "f" * 17,
        "1" + "0" * 16,
        "0\x00",
        "0 0",
        ";",
        ";a",
        "0;\n",
        "00000",
        "0 ",
        "0\t",
        "0;a=b",
        "0;a\rb",
        "0\r",
        "7fffffffffffffff",
        "0" * 400,
    ):
        yield [CHUNKED], f"{size}\r\n~", crlf
        yield [CHUNKED], f"{size}\r\n\r\n~", crlf
        yield [CHUNKED], f"1\r\nx\r\n{size}\r\n\r\n~", crlf
    for body in ("1\nx\n0\n\n~", "1\rx\r0\r\r~", "1;a\nb\r\nx\r\n0\r\n\r\n~", "1\r\nab\r\n0\r\n\r\n~", "2\r\na\r\n0\r\n\r\n~", "0\r\nX: y\r\n\r\n~",
                 "0\r\nHost: infer\r\n\r\n~", "0\r\nContent-Length: 90\r\n\r\n~", "0\r\nTransfer-Encoding: chunked\r\n\r\n~", "0\r\n~"):  # fmt: skip
        yield [CHUNKED], body, crlf
        yield [CHUNKED, "Connection: keep-alive"], body, crlf
    for end in ("\n", "\r", "\n\r", "\r\r\n", "\r\n\x00"):
        yield ["Content-Length: 0"], "~", end
        yield [CHUNKED], "0\r\n\r\n~", end
    for more in ("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__", "Upgrade: websocket\r\nConnection: Upgrade", "Expect: 100-continue",
                 "Expect: 200-ok", "Connection: close", "Connection: Content-Length", "Connection: Transfer-Encoding", "Connection: Host", "Trailer: Host", "TE: trailers"):  # fmt: skip
        yield [*more.split("\r\n"), "Content-Length: 0"], "~", crlf
        yield [*more.split("\r\n"), CHUNKED], "0\r\n\r\n~", crlf


def _lines() -> tuple[str, ...]:
    return (
        " X: leading", "no colon here", ": no name", "X Y: z", "X(): z", "X\x7f: z", "X\xe9: z", "X: a\x00b", "X: a\x01b", "X: a\x7fb", "X_Y: z", "X: a\nY: b", "X: a\rY: b", "X: a\r\n folded",
        "X: a\r\n\tContent-Length: 90", "X: a\n folded", "X: a\rTransfer-Encoding: chunked", "X: a\nTransfer-Encoding: chunked", "Host: other", f"Host: {docs.host('infer')}", "Host:",
        f"Host : {docs.host('infer')}", f"host: {docs.host('infer')}", f"X: a\nHost: {docs.host('infer')}", "X: " + "y" * 70_000, "\r\nX: y", ":path: /admin", ":authority: infer",
        *(f"X-{n}: y" for n in range(3)), "Content-Length: 0\r\nContent-Length: 0", "X-Api-Key: x\nX-Api-Key: " + docs.API_KEYS["acme"],
    )  # fmt: skip


def _of_http2() -> Iterator[list[http2.Field]]:
    name = _HOST
    line, whole = (
        "\r\nx-api-key: acme-0123456789abcdef\r\n",
        f"\r\n\r\nPOST /admin HTTP/1.1\r\nhost: {name}\r\n{MARK}: ~\r\ncontent-length: 0\r\n\r\n",
    )
    for text in (line, whole, "\n", "\r", "\0", "\n x: y", "\x0b", "\x7f"):
        yield http2.request("/public", ("x", f"a{text}b"), host=name)
        yield http2.request(f"/public{text}", host=name)
        yield http2.request("/public", host=f"{name}{text}")
        yield http2.request("/public", host=name, method=f"GET{text}")
        yield http2.request("/public", (f"x{text}y", "z"), host=name)
    for fields in (
        [("transfer-encoding", "chunked")], [("transfer-encoding", "identity")], [("connection", "close")], [("keep-alive", "1")], [("upgrade", "h2c")], [("te", "chunked")],
        [("content-length", "0"), ("content-length", "90")], [("content-length", "-1")], [("content-length", "90")], [("Content-Length", "0")], [("X-Upper", "a")], [("", "a")], [("x_y", "a")],
        [(":path", "/admin")], [(":method", "GET")], [(":authority", docs.host("infer"))], [(":scheme", "http")], [(":status", "200")], [(":unknown", "x")], [(":protocol", "websocket")],
        [("a", "b"), (":path", "/admin")], [("host", docs.host("infer"))], [("host", name), ("host", docs.host("infer"))], [("x", "y" * 70_000)], [(f"x-{n}", "y") for n in range(150)],
    ):  # fmt: skip
        yield http2.request("/public", *fields, host=name)
    for drop in (":path", ":method", ":scheme", ":authority"):
        yield http2.request("/public", host=name, drop=(drop,))


def hosts() -> Iterator[Attack]:
    """Who a request is for, said twice or strangely; nobody of them has a credential."""
    infer, name = scene.INFER_PATH, docs.host("infer")
    spelt = (
        name, name.upper(), name + ".", name + ":443", name + ":1", name + ":", f"user@{name}", f"{name}/x", f"{name}#", f"{name}?", f" {name}", f"{name} ", f"{name},{_HOST}", f"{_HOST},{name}",
        f"{name}\x00", f"{name}\xe9", "", "*", "127.0.0.1", "[::1]", "localhost", f"http://{name}", f"x.{name}", name.replace("i", "\u0131").encode().decode("latin-1"), name.replace(".", "\u3002").encode().decode("latin-1"),
    )  # fmt: skip
    for number, (host, sni) in enumerate(itertools.product(spelt, (name, _HOST, docs.host("web")))):
        mark = f"hosts/{number}"
        head = f"POST {infer} HTTP/1.1\r\nHost: {host}\r\n{MARK}: {mark}\r\nContent-Length: 0\r\n"
        yield Attack(id=mark, sni=sni, alone=True, data=f"{head}Connection: close\r\n\r\n".encode("latin-1"))  # fmt: skip
        fields = [*http2.request(infer, host=host), (MARK, f"{mark}/h2")]
        yield Attack(id=f"{mark}/h2", sni=sni, fields=tuple(fields))
    forms = (f"http://{name}{infer}", f"https://{name}{infer}", f"HTTPS://{name}{infer}", f"//{name}{infer}", f"{name}{infer}", f"ftp://{name}{infer}", f"https://{name}:443{infer}",
             f"https://u@{name}{infer}", f"https://{_HOST}@{name}{infer}", f"https://{name}#@{_HOST}{infer}", f"https://{name}\\@{_HOST}{infer}", f"https:/{name}{infer}", f"https:{infer}")  # fmt: skip
    for number, (target, host) in enumerate(itertools.product(forms, (name, _HOST, "other"))):
        mark = f"hosts/absolute-{number}"
        yield Attack(
            id=mark, sni=name, alone=True,
            data=f"POST {target} HTTP/1.1\r\nHost: {host}\r\n{MARK}: {mark}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode("latin-1"),
        )  # fmt: skip
    for number, method in enumerate(("CONNECT", "TRACE", "TRACK", "PRI", "get", "G\u00cbT", "GET\t", "", "X" * 300, "M-SEARCH", "PROPFIND", "BREW")):  # fmt: skip
        mark = f"hosts/method-{number}"
        for at, target in enumerate((infer, f"{name}:443", "*")):
            one = f"{mark}/{at}"
            head = f"{method} {target} HTTP/1.1\r\nHost: {name}\r\n{MARK}: {one}\r\nConnection: close\r\n\r\n"
            yield Attack(id=one, sni=name, alone=True, data=head.encode("latin-1"))
    for number, version in enumerate(("HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.2", "HTTP/1.1x", "http/1.1", "HTTP/11", "", "HTTP/1.1 x", "FOO/1.1")):  # fmt: skip
        mark = f"hosts/version-{number}"
        head = (
            f"POST {infer} {version}\r\nHost: {name}\r\n{MARK}: {mark}\r\nContent-Length: 0\r\n\r\n"
        )
        yield Attack(id=mark, sni=name, alone=True, data=head.encode())
    yield from both("hosts/legitimate", "infer", [ACME], target=infer, may=frozenset({scene.INFER}), control=True)  # fmt: skip


def _plain_http() -> Iterator[Attack]:
    """Governed hosts over plain HTTP, with every credential that is good over TLS."""
    for number, (name, path) in enumerate((scene_host, "/") for scene_host in scene.HOSTS):
        for who in (ACME, ("X-Forwarded-Proto", "https"), ("X-Forwarded-Scheme", "https"), ("Front-End-Https", "on"), ("Upgrade-Insecure-Requests", "1")):  # fmt: skip
            mark = f"framing/plain-{number}/{who[0]}"
            target = scene.INFER_PATH if name == "infer" else "/public" if name == "paths" else path
            text = f"POST {target} HTTP/1.1\r\nHost: {docs.host(name)}\r\n{MARK}: {mark}\r\n{ACME[0]}: {ACME[1]}\r\n{who[0]}: {who[1]}\r\nContent-Length: 0\r\n\r\n"
            yield Attack(id=mark, sni=None, data=text.encode())


def bodies() -> Iterator[Attack]:
    """A body that two parsers read differently, before one server with two models' policies."""
    may = frozenset({scene.CHAT})
    json_type = ("Content-Type", "application/json")
    target = "/v1/chat/completions"
    body = json.dumps({"model": "chat", "messages": []}).encode()
    yield from both("bodies/legitimate", "chat", [ACME, json_type], target=target, body=body, may=may, control=True)  # fmt: skip
    for where, low, high in (("shared", "low", "high"), ("chat", "chat", "secret")):
        for number, text in enumerate(_bodies(low, high)):
            raw = text if isinstance(text, bytes) else text.encode()
            for kind in ("application/json", "application/json; charset=utf-16", "text/plain"):
                mark = f"bodies/{where}-{number}/{kind.replace('; ', '+')}"
                # on servers that are apart, the server of the model that was decided sees its own
                yield from both(
                    mark, where, [ACME, ("Content-Type", kind)], target=target, body=raw,
                    may=may if where == "chat" else frozenset(),
                )  # fmt: skip


def _bodies(low: str, high: str) -> tuple[str | bytes, ...]:
    return (
        f'{{"model":"{high}","model":"{low}"}}', f'{{"model":"{low}","model":"{high}"}}', f'{{"model":"{low}","Model":"{high}"}}', f'{{"Model":"{high}","model":"{low}"}}',
        f'{{"MODEL":"{high}","model":"{low}"}}', f'{{"model":"{low}","mod\\u0065l":"{high}"}}', f'{{"mod\\u0065l":"{high}","model":"{low}"}}', f'{{"model":"{low}","m\\u006fdel":"{high}"}}',
        f'{{"model":"{low}"}} {{"model":"{high}"}}', f'{{"model":"{low}"}}\x00{{"model":"{high}"}}', f'[{{"model":"{low}"}}]', f'\ufeff{{"model":"{high}","model":"{low}"}}',
        f'{{"model":"{low}"/*,*/,"model":"{high}"}}', f'{{"model":["{low}","{high}"]}}', f'{{"model":{{"a":"{low}"}}}}', f'{{"model":"{low}\\u0000{high}"}}', f'{{"model":"{high}"}}',
        f'{{"model":"{low}","\\u004dodel":"{high}"}}', f'{{"model":"{low}","\u212aodel":1,"modeL":"{high}"}}', f'{{"model":"{low}","messages":[],"model":"{high}","x":{{"model":"{low}"}}}}',
        b'{"model":"' + low.encode() + b'","mod\xffel":"' + high.encode() + b'","Model":"' + high.encode() + b'"}', f"{{'model':'{high}','model':'{low}'}}",
        f'{{"x":"\\"model\\":\\"{low}\\"","model":"{high}"}}', f'{{"model":"{low}","model ":"{high}"," model":"{high}","MODEL":"{high}"}}', f'{{"model":"{high}"}}'.encode("utf-16"),
        f'{{"model":"{high}"}}'.encode("utf-16-le"), f'{{"model":"{high}","model":"{low}"}}'.encode("utf-32"), f'{{"model":"{low}", "model":"{high}"', f'{{"model":"{low}",}}{{"model":"{high}"}}',
    )  # fmt: skip
