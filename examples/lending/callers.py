"""Callers: people with tokens, partners with keys, services with certificates, and strangers.

Each sends real HTTP(S) requests from a loopback address of its own, so that the gate sees different
clients. Host names of the example resolve to 127.0.0.1 here, without touching the system's resolver.
What came back is an `Answer`; whether it is the right one is for the story to say.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from examples.lending import pki, prepare
from gatereeve.core import refusals

ISSUER = "https://id.lending.example"
AUDIENCE = "lending-models"
CREDIT = "credit.lending.example"
RECORD_HEADER = "x-request-id"

APPLICANT: Mapping[str, float | str] = {
    "age": 45,
    "education_years": 14,
    "hours_per_week": 45,
    "capital_gain": 0,
    "capital_loss": 0,
    "workclass": "Private",
    "occupation": "Exec-managerial",
}
"""One applicant, by the names of the features of v1 and v2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """name: for people. address: source address, which decides the region by the Gate's table.

    headers: credentials and attributes. certificate: (certificate file, key file).
    """

    name: str
    address: str = "127.0.1.10"
    headers: Mapping[str, str] = field(default_factory=dict)
    certificate: tuple[Path, Path] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request. subject: the person the data is about, for the header the Model names."""

    method: str = "POST"
    host: str = CREDIT
    path: str = "/v2/models/credit/infer"
    body: object = None
    subject: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    plain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came. status 0 and `error` when no HTTP answer came at all.

    code: the refusal code, None when there is none. version: as the model says. seconds: in all.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    code: str | None = None
    version: str | None = None
    record: str | None = None
    seconds: float = 0.0
    error: str = ""


def score_request() -> dict[str, object]:
    """A KServe V2 inference request about APPLICANT."""
    return {
        "inputs": [
            {
                "name": name,
                "shape": [1],
                "datatype": "BYTES" if isinstance(value, str) else "FP64",
                "data": [value],
            }
            for name, value in APPLICANT.items()
        ]
    }


def bearer(name: str, token: str) -> Caller:
    """Somebody who presents this token, from an address in Germany."""
    return Caller(name=name, headers={"authorization": f"Bearer {token}"})


class GateTransport(httpx2.HTTPTransport):
    """Connects to 127.0.0.1 whatever the host is called; server name and Host stay as asked."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        host = request.url.host
        request.url = request.url.copy_with(host="127.0.0.1")
        request.extensions = {**request.extensions, "sni_hostname": host}
        return super().handle_request(request)


@dataclass(frozen=True, slots=True)
class Office:
    """Issues credentials and carries requests to the gate."""

    ports: prepare.Ports
    credentials: prepare.Credentials

    def person(
        self,
        name: str,
        *groups: str,
        country: str = "de",
        purpose: str = "underwriting",
    ) -> Caller:
        """Somebody with a valid token of the company's identity provider."""
        claims = {"groups": list(groups), "country": country, "purpose": purpose}
        return bearer(name, self.token(name, claims))

    def token(self, subject: str, claims: Mapping[str, object], *, forged: bool = False) -> str:
        """A token valid for an hour, unless `claims` say otherwise.

        forged: signed with a key that is not the identity provider's, under its key id.
        """
        key = self.credentials.foreign_key if forged else self.credentials.signing_key
        now = int(time.time())
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "iat": now,
            "exp": now + 3600,
            **claims,
        }
        return pki.sign_token(key, prepare.SIGNING_KEY_ID, payload)

    def partner(self, name: str, address: str, **headers: str) -> Caller:
        """Another company, with its API key."""
        key = self.credentials.api_keys[name]
        return Caller(name=name, address=address, headers={"x-api-key": key, **headers})

    def trust(self, caller: Caller) -> ssl.SSLContext:
        """What the caller checks the gate against, and the certificate it shows."""
        context = ssl.create_default_context(cafile=str(self.credentials.ca_file))
        if caller.certificate is not None:
            certificate, key = caller.certificate
            context.load_cert_chain(certificate, key)
        return context

    def send(self, caller: Caller, ask: Ask) -> Answer:
        """One request on a connection of its own. Never raises for what the gate or network does."""
        scheme, port = ("http", self.ports.http) if ask.plain else ("https", self.ports.https)
        headers = {**caller.headers, **ask.headers}
        if ask.subject is not None:
            headers["x-subject-id"] = ask.subject
        body = ask.body if ask.body is not None else score_request()
        transport = GateTransport(verify=self.trust(caller), local_address=caller.address)
        began = time.monotonic()
        try:
            with httpx2.Client(transport=transport, timeout=10, trust_env=False) as client:
                response = client.request(
                    ask.method,
                    f"{scheme}://{ask.host}:{port}{ask.path}",
                    headers=headers,
                    json=body if ask.method == "POST" else None,
                )
        except httpx2.TransportError as error:
            return Answer(status=0, error=f"{type(error).__name__}: {error}")
        return _read(response, time.monotonic() - began)


def _read(response: httpx2.Response, seconds: float) -> Answer:
    body: object = None
    try:
        body = response.json()
    except ValueError:
        body = response.text
    version = body.get("model_version") if isinstance(body, dict) else None
    return Answer(
        status=response.status_code,
        headers=dict(response.headers),
        body=body,
        code=_code(body),
        version=version,
        record=response.headers.get(RECORD_HEADER),
        seconds=seconds,
    )


def _code(body: object) -> str | None:
    """The stable code of a refusal: the end of `type` (RFC 9457), or OpenAI's `error.code`."""
    if not isinstance(body, dict):
        return None
    kind, error = body.get("type"), body.get("error")
    if isinstance(kind, str) and kind.startswith(refusals.TYPE_BASE):
        return kind.removeprefix(refusals.TYPE_BASE)
    if isinstance(error, dict) and isinstance(error.get("code"), str):
        return str(error["code"])
    return None


def decision(answer: Answer) -> str:
    """`approve, score 0.83` from an inference answer; empty for anything else."""
    try:
        score, said = answer.body["outputs"]  # type: ignore[index]  # any JSON; whatever is not an answer gives ""
        return f"{said['data'][0]}, score {score['data'][0]:.2f}"
    except (KeyError, TypeError, ValueError, IndexError):
        return ""


def shown(body: object) -> str:
    """A body on one line."""
    return body if isinstance(body, str) else json.dumps(body)
