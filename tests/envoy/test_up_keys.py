"""Key sets by URI, against the real gate: they arrive after the start, and rotate."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.envoy import upping
from tests.envoy.upping import Answer, KeyServer, Up
from tests.features import documents as docs
from tests.support import keys

pytestmark = pytest.mark.envoy

REFRESH_S = 10
"""The shortest that a Gate may ask for."""


@pytest.fixture
def up() -> Iterator[Up]:
    with upping.backend() as server, upping.a_folder() as found:
        found.documents(server, policy=docs.POLICY)
        found.edit("policy", "{anonymous: true}", "{provider: corp}, {provider: partners}")
        yield found


@pytest.fixture
def issuer(up: Up) -> Iterator[KeyServer]:
    with upping.key_server(up.folder.parent) as found:
        (up.folder / "issuer-ca.pem").write_text(found.ca)
        up.edit(
            "gate",
            "{source: {secret: {namespace: shop, name: corp}, key: jwks}}",
            f"{{remote: {{uri: '{found.uri}', allowPrivate: true, refreshSeconds: {REFRESH_S},"
            " ca: {file: issuer-ca.pem}}}",
        )
        yield found


def bearer(signer: str) -> dict[str, str]:
    now = int(time.time())
    claims = {
        "iss": "https://corp.example",
        "aud": "gate",
        "sub": "alice",
        "iat": now,
        "exp": now + 86_400,
    }
    return {"authorization": "Bearer " + keys.token(signer, claims)}


def test_they_arrive_after_the_start_and_rotate(up: Up, issuer: KeyServer) -> None:
    up.begin()
    upping.until(lambda: issuer.served, "the first question")
    assert up.ask(bearer("one")) == Answer(status=401, code="invalid-credential")
    assert "jwks-unavailable" in up.problems()
    # An issuer whose keys are not there closes its own door only.
    assert up.ask({"x-api-key": "acme-0123456789abcdef0"}).status == 200

    issuer.body = keys.jwks("one").encode()
    up.until_answer(200, bearer("one"))
    assert "jwks-unavailable" not in up.problems()
    assert up.ask(bearer("two")).status == 401

    issuer.body = keys.jwks("two").encode()
    up.until_answer(200, bearer("two"))
    assert up.ask(bearer("one")) == Answer(status=401, code="invalid-credential")


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"gone"), (200, b"<html>sign in</html>"), (200, b" " * 300_000)]
)
def test_an_answer_that_is_no_key_set_changes_nothing(
    up: Up, issuer: KeyServer, status: int, body: bytes
) -> None:
    issuer.body = keys.jwks("one").encode()
    up.begin()
    up.until_answer(200, bearer("one"))
    asked = issuer.served
    issuer.status, issuer.body = status, body
    upping.until(lambda: "jwks-stale" in up.problems(), "the finding")
    assert issuer.served > asked
    assert up.ask(bearer("one")).status == 200

    issuer.status, issuer.body = 200, b'{"keys": []}'  # in so many words: nobody
    up.until_answer(401, bearer("one"))
    assert "jwks-stale" not in up.problems()


def test_a_restart_while_the_issuer_is_away_keeps_its_callers(up: Up, issuer: KeyServer) -> None:
    issuer.body = keys.jwks("one").encode()
    up.begin()
    up.until_answer(200, bearer("one"))
    memory = up.state / "key-sets.json"
    upping.until(memory.exists, "the memory")
    assert up.end() == 0
    issuer.status = 503
    up.begin()
    assert up.ask(bearer("one")).status == 200
    upping.until(lambda: "jwks-stale" in up.problems(), "the finding")
    assert up.ask(bearer("one")).status == 200
