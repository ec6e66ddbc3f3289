"""Tokens that prove nothing, and bodies that say two things, against the real gate.

A token is good when it is signed by a key of its issuer with an asymmetric algorithm, is for us and
is valid now; everything else is 401, whatever it looks like. The body of an OpenAI request names the
model: what the gate reads is what a server reads, or the request is refused.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import time
import zlib
from datetime import UTC, datetime

import pytest
import yaml

from gatereeve.decide.reference import decide
from gatereeve.decide.request import Request
from tests.envoy.protected import (
    API_KEY,
    INFER,
    ISSUER,
    MAX_BODY,
    Scene,
    bearer,
    claims,
    post,
    token,
)
from tests.support import keys

pytestmark = [pytest.mark.envoy, pytest.mark.asyncio(loop_scope="module")]

NOW = int(time.time())
PUBLIC_JWK = json.loads(keys.jwks("corp"))["keys"][0]
HEADER = {"alg": "ES256", "typ": "JWT", "kid": "corp"}


def encoded(part: object) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return keys.b64(raw)


def signed(header: object, payload: object, key: str = "corp") -> str:
    """Any header and payload, signed with ES256 by `key`."""
    text = f"{encoded(header)}.{encoded(payload)}"
    return f"{text}.{signature(text, key)}"


def signature(text: str, key: str = "corp") -> str:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: PLC0415

    der = keys.signing_key(key).sign(text.encode(), ec.ECDSA(hashes.SHA256()))
    r, s = utils.decode_dss_signature(der)
    return keys.b64(r.to_bytes(32) + s.to_bytes(32))


def hs256(secret: bytes, **header: object) -> str:
    """A token signed with something that everybody knows."""
    text = f"{encoded(HEADER | {'alg': 'HS256'} | header)}.{encoded(claims())}"
    return f"{text}.{keys.b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def public_pem() -> bytes:
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415

    public = keys.signing_key("corp").public_key()
    return public.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)


def with_header(**header: object) -> str:
    return signed({k: v for k, v in (HEADER | header).items() if v is not None}, claims())


def algorithms(*names: object) -> tuple[object, ...]:
    return names


def raw_header(text: str) -> str:
    """A JOSE header as it stands, after the good one's members."""
    return signed((json.dumps(HEADER)[:-1] + text).encode(), claims())


def raw_claims(text: str) -> str:
    """Claims as they stand, after the good ones."""
    return signed(HEADER, (json.dumps(claims())[:-1] + text).encode())


GOOD = token()
HEAD, BODY, SIGNATURE = GOOD.split(".")


def padded_signature(zeros: int) -> str:
    """The good signature with this many zero bytes before each of its two numbers."""
    raw = base64.urlsafe_b64decode(SIGNATURE + "==")
    return keys.b64(bytes(zeros) + raw[:32] + bytes(zeros) + raw[32:])


FOREIGN = keys.token("stranger", claims(), kid="corp")
STRANGER_JWK = json.loads(keys.jwks("stranger"))["keys"][0]

BAD = (
    # no signature, or none that counts
    *(f"{encoded(HEADER | {'alg': alg})}.{encoded(claims())}." for alg in ("none", "None", "NONE", "nOnE", "", "null")),
    f"{encoded({'alg': 'none'})}.{encoded(claims())}.{SIGNATURE}", f"{encoded({'typ': 'JWT'})}.{encoded(claims())}.",
    f"{HEAD}.{BODY}.", f"{HEAD}.{BODY}", f"{HEAD}.{encoded(claims('ceo'))}.{SIGNATURE}", f"{HEAD}..{SIGNATURE}", f".{BODY}.{SIGNATURE}",
    f"{HEAD}.{BODY}.{keys.b64(bytes(64))}", f"{HEAD}.{BODY}.{keys.b64(bytes(63) + b'1')}", f"{HEAD}.{BODY}.{SIGNATURE[:-4]}",
    f"{HEAD}.{BODY}.{keys.b64(b'0' * 200)}", f"{HEAD}.{BODY}.{SIGNATURE[::-1]}", f"{GOOD}{'A' * 42}",
    # a secret that everybody knows
    *(hs256(secret) for secret in (public_pem(), public_pem().strip(), base64.urlsafe_b64decode(PUBLIC_JWK["x"] + "=="),
                                   PUBLIC_JWK["x"].encode(), json.dumps(PUBLIC_JWK).encode(), keys.jwks("corp").encode(), b"", b"secret")),
    hs256(b"", kid=None), hs256(public_pem(), kid=None), hs256(b"", kid="../../dev/null"),
    *(with_header(alg=alg) for alg in algorithms("HS256", "RS256", "PS256", "ES384", "ES512", "ES256K", "EdDSA", "es256", "A128KW", "dir", 256, None, ["ES256"], {})),
    # keys that the token brings or points at
    FOREIGN, signed(HEADER | {"jwk": STRANGER_JWK}, claims(), "stranger"), signed(HEADER | {"kid": "stranger"}, claims(), "stranger"),
    signed(HEADER | {"jku": "https://attacker.test/jwks"}, claims(), "stranger"), signed(HEADER | {"x5u": "https://attacker.test/x"}, claims(), "stranger"),
    signed(HEADER | {"x5c": ["MIIB"]}, claims(), "stranger"),
    *(signed(HEADER | {"kid": kid}, claims(), "stranger") for kid in ("", "../../../dev/null", "corp\x00", "' OR 1=1 --", "*", "a" * 4000)),
    *(signed(HEADER | {"kid": kid}, claims(), "stranger") for kid in (None, 1, ["corp"], {"corp": 1})),
    # somebody else's, or nobody's
    *(token(iss=iss) for iss in ("https://other.test", ISSUER + "/", ISSUER.upper(), "", [ISSUER], None, 1, "corp")),
    *(token(aud=aud) for aud in ("other", "", [], ["other"], None, 1, "gate,other", "Gate", {"gate": 1}, "https://other", "ga te")),
    *(token(sub=sub) for sub in ("", None, 1, ["alice"], {"alice": 1}, True)),
    # not now
    *(token(exp=exp) for exp in (NOW - 3600, NOW - 61, 0, -1, None, str(NOW + 3600), "never", [NOW + 3600], True)),
    token(nbf=NOW + 3600), token(nbf=str(NOW)), token(iat=NOW + 7200, nbf=NOW + 7200),
    # extensions that change what a token means
    *(with_header(crit=crit) for crit in algorithms(["exp"], ["http://example.com/UNDEFINED"], [], "exp", 1, False, {"exp": 1})), raw_header(', "crit": null}'),
    with_header(b64=False), with_header(b64=True), with_header(b64=False, crit=["b64"]), with_header(crit=["alg"], kid=None),
    # forms
    f".{GOOD}", f"{GOOD}.", GOOD.replace(".", ".."), f"{GOOD}..", f"{HEAD}..{BODY}.{SIGNATURE}", f" {GOOD}", f'"{GOOD}"', f"{GOOD},", f"{GOOD} x", f"{GOOD}\t{GOOD}",
    f"{GOOD},{GOOD}", f"{GOOD}, Bearer {GOOD}", f"{GOOD}\r\nAuthorization: Bearer {GOOD}", f"{GOOD}\r\nAuthorization: Basic eDp5", f"<{GOOD}>", f"=={GOOD}", f"{GOOD}\xe9",
    "", "x", "..", "...", "a.b.c", f"{GOOD}.{GOOD}", f"{GOOD}=", GOOD.replace(".", ","),
    GOOD.upper(), f"{HEAD}.{BODY}=.{SIGNATURE}", f"{HEAD}.{BODY}.{SIGNATURE}\u00e9".encode().decode("latin-1"), f"{HEAD}.{BODY}.{SIGNATURE}%3D",
    f"{HEAD}.{BODY}.{SIGNATURE}.a.b", signed([], claims()), signed("ES256", claims()), signed(HEADER, []), signed(HEADER, "alice"), signed(HEADER, b"{"),
    signed(b"{", claims()), signed(HEADER, b""), signed(HEADER, b"\xff\xfe"), signed(HEADER, b"null"), signed(b"\xef\xbb\xbf{}", claims()),
    signed(HEADER, token()), signed(HEADER | {"cty": "JWT"}, token().encode()), signed(HEADER | {"zip": "DEF"}, zlib.compress(json.dumps(claims()).encode())),
    signed(HEADER, b"[" * 5000), signed(HEADER, b'{"a":' * 2000 + b"1" + b"}" * 2000),
    # large
    "A" * 30_000, f"{encoded({'a': 'b' * 20_000})}.{BODY}.{SIGNATURE}", signed(HEADER, claims(exp=NOW - 3600, x="y" * 30_000)),
    # claims that say two things
    raw_claims(', "sub": "mallory"}'), raw_claims(', "s\\u0075b": "mallory"}'), raw_claims(', "sub": "alice"}'), raw_claims(', "groups": ["staff"]}'),
    raw_claims(f', "exp": {NOW - 3600}}}'), raw_claims(', "aud": "other"}'), raw_claims(', "iss": "https://other.test"}'), raw_claims(', "sub": ""}'),
)  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
async def test_a_token_that_proves_nothing(scene: Scene, bad: str) -> None:
    answer = await scene.ask(post(INFER, f"Authorization: Bearer {bad}"))
    assert answer.status in {400, 401}, (answer, bad)
    both = await scene.ask(post(INFER, f"Authorization: Bearer {bad}", f"X-Api-Key: {API_KEY}"))
    assert both.status in {400, 401}, (both, bad)
    body = b'{"model": "chat"}'
    answer = await scene.ask(chat_request(body, f"Authorization: Bearer {bad}"), sni="chat.test")
    assert answer.status in {400, 401}
    assert not scene.reached()


SPELLINGS = (
    GOOD, token(aud="https://gate/"), token(aud=["other", "gate"]), token(exp=NOW - 5), with_header(typ=None), with_header(kid=None), with_header(extra=1),
    f"{HEAD}.{BODY}.{padded_signature(16)}", f"{HEAD}.{BODY}.{padded_signature(34)}",
)  # fmt: skip
"""Envoy overlooks the scheme of an audience and leading zeros of both numbers of an ECDSA signature; nothing
of it changes who it is."""


@pytest.mark.parametrize("given", SPELLINGS, ids=range(len(SPELLINGS)))
async def test_a_token_proves_the_same_however_it_is_spelled(scene: Scene, given: str) -> None:
    """And the reference decision says so too."""
    headers = (("authorization", f"Bearer {given}"),)
    request = Request(
        scheme="https", host="models.test", sni="models.test", path=INFER, method="POST",
        headers=headers, body=b"{}", peer="127.0.0.1",
    )  # fmt: skip
    (gate,) = scene.gate.compile(scene.documents()).ir.gates
    decided = decide(gate, request, now=datetime.now(UTC))
    answer = await scene.ask(post(INFER, f"Authorization: Bearer {given}"))
    assert answer.status == decided.status
    assert answer.status in {200, 401}
    assert bool(scene.reached()) == (answer.status == 200)


GROUPS: tuple[object, ...] = (
    [], None, "", "staf", "staff2", "Staff", "staff,admin", "admin staff", " staff", ["staff "], [["staff"]], {"staff": True},
    [{"name": "staff"}], ["corp/staff"], 1, True, ["a"] * 500, [None], ["*"], "*", ["staff\x00"], {"0": "staff"},
)  # fmt: skip


@pytest.mark.parametrize("groups", GROUPS, ids=range(len(GROUPS)))
async def test_groups_that_are_not_the_group(scene: Scene, groups: object) -> None:
    answer = await scene.ask(post(INFER, f"Authorization: {bearer(groups=groups)}"))
    assert answer.status in {401, 403}
    assert not scene.reached()


ELSEWHERE = (
    (f"{INFER}?access_token={GOOD}",),
    (f"{INFER}?token={GOOD}&jwt={GOOD}",),
    (f"{INFER}?api_key={API_KEY}&x-api-key={API_KEY}",),
    (INFER, f"Cookie: access_token={GOOD}; Authorization=Bearer {GOOD}"),
    (INFER, f"X-Authorization: Bearer {GOOD}"),
    (INFER, f"Proxy-Authorization: Bearer {GOOD}"),
    (INFER, f"Authorization: {GOOD}"),
    (INFER, f"Authorization: Basic {base64.b64encode(f'alice:{GOOD}'.encode()).decode()}"),
    (INFER, f"Authorization: Token {GOOD}"),
    (INFER, f"Authorization: JWT {GOOD}"),
    (INFER, f"Authorization: Basic eDp5, Bearer {GOOD}"),
    (INFER, f"Authorization: Bearer {GOOD}, Basic eDp5"),
    (INFER, "Authorization: Basic eDp5", f"Authorization: Bearer {GOOD}"),
    (INFER, f"Authorization: xBearer {GOOD}"),
    (INFER, f"Authorization: x Bearer {GOOD}"),
    (INFER, f"Authorization: Bearer Bearer {GOOD}"),
    (INFER, f"Authorization: Bearer  {GOOD}"),
    (INFER, f"Authorization: \xa0Bearer {GOOD}"),
    (INFER, f"Authorization: Bearer\xa0{GOOD}"),
    (INFER, f"Authorization: Digest token={GOOD}"),
    (INFER, f"Authorization: Bearer: {GOOD}"),
    (INFER, f"Authorization: Bearer\t{GOOD}"),
    (INFER, f"Authorization: Bearer{GOOD}"),
    (INFER, f'Authorization: Bearer "{GOOD}"'),
    (INFER, "Authorization: Bearer"),
    (INFER, "Authorization: Bearer "),
    (INFER, f"Sec-WebSocket-Protocol: bearer, {GOOD}"),
    (INFER, f"Authorization: Bearer {API_KEY}"),
    (INFER, f"X-Api-Key: {GOOD}"),
    (INFER, f"X-Api-Key: Bearer {API_KEY}"),
    (INFER, f"X-Api-Key: {API_KEY.upper()}"),
    (INFER, f"X-Api-Key: {API_KEY}x"),
    (INFER, "X-Api-Key: "),
    (INFER, "X-Api-Key: acme"),
    (INFER, f"Api-Key: {API_KEY}"),
    (INFER, f"Authorization: ApiKey {API_KEY}"),
)


@pytest.mark.parametrize("said", ELSEWHERE, ids=range(len(ELSEWHERE)))
async def test_a_credential_in_the_wrong_place_is_none(scene: Scene, said: tuple[str, ...]) -> None:
    answer = await scene.ask(post(*said))
    assert answer.status == 401
    assert not scene.reached()


async def test_the_scheme_may_have_any_case(scene: Scene) -> None:
    for scheme in ("Bearer", "bearer", "BEARER", "bEARER"):
        assert (await scene.ask(post(INFER, f"Authorization: {scheme} {GOOD}"))).status == 200
    assert len(scene.reached()["credit"]) == 4


async def test_a_token_from_the_cache_is_judged_like_the_first(scene: Scene) -> None:
    """jwt_authn keeps tokens that it has verified; extensions are looked at each time."""
    critical = with_header(crit=["exp"])
    for _ in range(3):
        answer = await scene.ask(post(INFER, f"Authorization: Bearer {critical}"))
        assert (answer.status, answer.code) == (401, "invalid-credential")
    assert not scene.reached()


@pytest.mark.parametrize(
    "value", ["Basic eDp5", "", "x", f"Basic x, Bearer {GOOD}", GOOD, "Bearer"]
)
async def test_another_authorization_spoils_a_valid_credential(scene: Scene, value: str) -> None:
    """What was presented and proves nothing counts against the request; ordinary routes never ask."""
    key = f"X-Api-Key: {API_KEY}"
    answer = await scene.ask(post(INFER, key, f"Authorization: {value}"))
    assert (answer.status, answer.code) == (401, "invalid-credential")
    assert answer.header("www-authenticate") == 'Bearer realm="gatereeve"'
    assert not scene.reached()
    assert (await scene.ask(post("/public", f"Authorization: {value}"))).server == "web"
    (seen,) = scene.reached()["web"]
    assert seen.values("authorization") == [value]


async def test_what_a_caller_proved_does_not_reach_the_model(scene: Scene) -> None:
    for credential in (f"Authorization: Bearer {GOOD}", f"X-Api-Key: {API_KEY}"):
        assert (await scene.ask(post(INFER, credential))).status == 200
        (seen,) = scene.reached()["credit"]
        assert API_KEY.encode() not in seen.head
        assert GOOD.encode() not in seen.head


def chat_request(body: bytes, *headers: str, path: str = "/v1/chat/completions") -> bytes:
    typed = [h for h in headers if h.lower().startswith("content-type")]
    given = headers if typed else ("Content-Type: application/json", *headers)
    return post(path, *given, host="chat.test", body=body)


def ours(**more: object) -> bytes:
    return json.dumps({"model": "chat"} | more).encode()


BODIES = (
    # two models
    b'{"model": "chat", "model": "secret"}', b'{"model": "secret", "model": "chat"}', b'{"model": "chat", "mod\\u0065l": "secret"}',
    b'{"mod\\u0065l": "secret", "model": "chat"}', b'{"Model": "secret", "model": "chat"}', b'{"model": "chat", "MODEL": "secret"}',
    b'{"model": "chat", "model\\u0000": "secret"}', b'{"x": {"model": "secret"}, "model": "chat"}', b'{"messages": [{"model": "secret"}], "model": "chat"}',
    b'{"model": "secret"}{"model": "chat"}', b'{"model": "chat"}{"model": "secret"}', b'{"model": "chat"}\n{"model": "secret"}',
    b'[{"model": "chat"}]', b'{"model": ["chat", "secret"]}', b'{"model": {"name": "chat"}}',
    # not quite the name
    *(json.dumps({"model": name}).encode() for name in ("secret", "Chat", "CHAT", " chat", "chat ", "chat\x00", "chat\n", "ch\u0430t", "", "chat/secret", "team/secret",
                                                        "../secret", "chat,secret", "secret#chat", 1, True, None, 1e999, "c" * 5000)),
    b"{'model': 'chat'}", b'{model: "chat"}', b'{"model": "chat"', b'{"model": "chat",}', b'{"model": "chat"} trailing', b'{"model": "chat"}\x00',
    b'/* x */ {"model": "chat"}', b'{"model": "chat" // x\n}', b'{"x": NaN, "model": "chat"}', b'{"x": Infinity, "model": "chat"}', b'\xef\xbb\xbf{"model": "chat"}',
    b'{"model": "chat", "x": "\xff"}', b'{"model": "chat\xff"}', b'{"model": "\\ud800"}', b'{"model": "chat", "x": "\\ud800"}', b'{"model": "chat", "x": "a\nb"}',
    '{"model": "chat"}'.encode("utf-16"), '{"model": "chat"}'.encode("utf-16-le"), '{"model": "chat"}'.encode("utf-32"), b'+ADw-{"model": "chat"}',
    b'{"model": "chat", "x": ' + b"[" * 3000 + b"]" * 3000 + b"}", b"[" * 20_000, b'{"model": "chat", "x": ' + b"9" * 5000 + b"}", b"", b" ", b"null", b"chat", b"model=chat",
    ours(stream=True), ours(stream="true"), ours(stream=1), ours(stream=None), b'{"model": "chat", "stream": true, "stream": false}',
)  # fmt: skip


def read_as_a_server_would(body: bytes) -> object:
    """The model by Python's own reading, which most servers of models share; None when it fails."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value.get("model") if isinstance(value, dict) else None


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
async def test_the_model_is_the_one_that_a_server_reads(scene: Scene, body: bytes) -> None:
    answer = await scene.ask(chat_request(body, f"Authorization: Bearer {GOOD}"), sni="chat.test")
    reached = scene.reached()
    assert set(reached) <= {"chat"}
    assert answer.status in {200, 400, 403, 404}
    if answer.status == 200:
        assert read_as_a_server_would(body.partition(b"\0")[0]) == "chat"
    for who in ((), (f"Authorization: {bearer('mallory', groups=['x'])}",), ("X-Api-Key: wrong",)):
        answer = await scene.ask(chat_request(body, *who), sni="chat.test")
        assert 400 <= answer.status < 500
        assert not scene.reached()


ENCODINGS = (
    ("Content-Encoding: gzip",), ("Content-Encoding: identity, gzip",), ("Content-Encoding: deflate",), ("Content-Encoding: br",),
    ("Content-Encoding: x",), ("Content-Encoding: gzip", "Content-Encoding: identity"), ("Content-Encoding: identity", "Content-Encoding: gzip"),
    ("Content-Type: text/plain",), ("Content-Type: application/x-www-form-urlencoded",), ("Content-Type: multipart/form-data; boundary=x",),
    ("Content-Type: application/json; charset=utf-16",), ("Content-Type: application/json, text/plain",), ("Content-Type: application/json;",),
    ("Content-Type: application/json", "Content-Type: text/plain"), ("Content-Type: text/plain; application/json",), ("Content-Type: application/jsonx",),
    ("Content-Type: ",), ("Content-Type: application/json\x0b",), ("Content-Type: application/x-ndjson",),
)  # fmt: skip


@pytest.mark.parametrize("headers", ENCODINGS, ids=range(len(ENCODINGS)))
async def test_bodies_in_disguise_are_not_read(scene: Scene, headers: tuple[str, ...]) -> None:
    mine = f"Authorization: Bearer {GOOD}"
    for body in (ours(), gzip.compress(ours()), gzip.compress(b'{"model": "secret"}')):
        answer = await scene.ask(chat_request(body, mine, *headers), sni="chat.test")
        assert answer.status in {400, 404}, answer
        assert not scene.reached()


async def test_bodies_beyond_the_bound(scene: Scene) -> None:
    mine = f"Authorization: Bearer {GOOD}"
    fits = ours(x="y" * (MAX_BODY - 40))
    assert len(fits) <= MAX_BODY
    assert (await scene.ask(chat_request(fits, mine), sni="chat.test")).server == "chat"
    assert [len(seen.body) for seen in scene.reached()["chat"]] == [len(fits)]
    for body in (ours(x="y" * MAX_BODY), b'{"x": "' + b"y" * MAX_BODY + b'", "model": "chat"}'):
        answer = await scene.ask(chat_request(body, mine), sni="chat.test")
        assert answer.status in {0, 413}
    assert not scene.reached()


async def test_a_chunked_body_is_read_like_any_other(scene: Scene) -> None:
    head = chat_request(b"", f"Authorization: Bearer {GOOD}", "Transfer-Encoding: chunked")
    head = head.replace(b"Content-Length: 0\r\n", b"")
    for body, server in ((ours(), "chat"), (b'{"model": "chat", "model": "secret"}', None)):
        pieces = [body[i : i + 5] for i in range(0, len(body), 5)]
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces)
        answer = await scene.ask(head + chunks + b"0\r\n\r\n", sni="chat.test")
        assert answer.server == server
        assert set(scene.reached()) == ({server} if server else set())


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/v1/models",
        "/v1/models/secret",
        "/v1/embeddings",
        "/v1/completions",
        "/v1/files",
        "/",
    ],
)
async def test_other_methods_and_paths_name_no_other_model(
    scene: Scene, method: str, path: str
) -> None:
    for who in ((), (f"Authorization: Bearer {GOOD}",)):
        for body in (b"", ours(), b'{"model": "secret"}'):
            data = chat_request(body, *who, path=path).replace(b"POST", method.encode(), 1)
            answer = await scene.ask(data, sni="chat.test")
            reached = scene.reached()
            assert set(reached) <= {"chat"}
            assert not reached or who
            assert answer.status in {200, 400, 401, 403, 404, 405}


async def test_every_key_that_the_compiler_takes_can_be_sent(scene: Scene) -> None:
    """All of visible ASCII but the comma, in every place: the first and the last among them."""
    visible = "".join(map(chr, range(0x21, 0x7F))).replace(",", "")
    for turn in range(0, len(visible), 7):
        key = visible[turn:] + visible[:turn]
        docs = list(yaml.safe_load_all(scene.documents()))
        (secret,) = (d for d in docs if d["kind"] == "Secret" and d["metadata"]["name"] == "acme")
        secret["stringData"]["key"] = key
        made = await scene.gate.publish(yaml.safe_dump_all(docs))
        assert "api-key-invalid" not in {str(f.code) for f in made.findings}
        assert (await scene.ask(post(INFER, f"X-Api-Key: {key}"))).status == 200
        assert (await scene.ask(post(INFER, f"X-Api-Key: {key[1:]}"))).status == 401
    scene.reached()
