"""Who is refused, and with which code. Every refusal is a problem+json body with a stable code."""

from __future__ import annotations

import time

from examples.lending.callers import Ask, Caller, bearer
from examples.lending.stage import Stage


def refuse_strangers(stage: Stage) -> None:
    stage.telling.chapter(
        "Who are you?",
        """Nobody is let in by default. Without a credential the answer is 401, and a credential that
        does not verify is 401 too, even when a valid one comes with it.""",
    )
    office, credentials = stage.office, stage.office.credentials
    stage.ask(
        "A stranger without a credential",
        Caller(name="nobody"),
        status=401,
        code="credential-required",
    )
    an_hour_ago = {"groups": ["underwriters"], "exp": int(time.time()) - 3600}
    stage.ask(
        "A token that has expired",
        bearer("ursula, an hour ago", office.token("ursula", an_hour_ago)),
        status=401,
        code="invalid-credential",
    )
    stage.ask(
        "A token that somebody else signed",
        bearer("a forger", office.token("ursula", {"groups": ["underwriters"]}, forged=True)),
        status=401,
        code="invalid-credential",
    )
    stage.ask(
        "A token that was issued for another service",
        bearer("ursula", office.token("ursula", {"groups": ["underwriters"], "aud": "payroll"})),
        status=401,
        code="invalid-credential",
    )
    ursula = office.person("ursula", "underwriters")
    stage.ask(
        "A valid token together with an API key that nobody has",
        ursula,
        Ask(headers={"x-api-key": "not-a-key-of-anybody-0123456789"}),
        status=401,
        code="invalid-credential",
    )
    impostor = Caller(name="an impostor", certificate=credentials.impostor)
    answer = office.send(impostor, Ask())
    stage.telling.check(
        "A certificate with the right name from the wrong authority",
        expected="no TLS connection, or 401",
        came=answer.error or f"{answer.status} {answer.code or ''}",
        holds=answer.status in (0, 401),
        detail=stage.request_line(impostor, Ask()),
    )


def refuse_the_forbidden(stage: Stage) -> None:
    stage.telling.chapter(
        "You may not",
        """To be known is not enough: a rule must allow this caller, from this region, for this purpose.
        Any deny rule that matches ends it. A version without its approvals is out of reach for everybody,
        although its server is up and healthy.""",
    )
    office = stage.office
    stage.ask(
        "A colleague who is no underwriter",
        office.person("carla", "canteen"),
        status=403,
        code="no-allow-rule",
    )
    stage.ask(
        "An underwriter who is in the USA today",
        office.person("ursula", "underwriters", country="us"),
        status=403,
        code="no-allow-rule",
    )
    stage.ask(
        "An underwriter who wants to send advertisements",
        office.person("ursula", "underwriters", purpose="marketing"),
        status=403,
        code="denied-by-rule",
    )
    stage.ask(
        "A partner says so by header, through the portal that is believed",
        office.partner("banco-sul", "127.0.9.20"),
        Ask(headers={"x-purpose": "marketing"}),
        status=403,
        code="denied-by-rule",
    )
    stage.ask(
        "A partner in a country for which no lawful place is named",
        office.partner("banco-sul", "127.0.3.20"),
        status=503,
        code="no-eligible-version",
    )
    stage.ask(
        "The version that nobody has approved in full",
        office.person("ursula", "underwriters"),
        Ask(path="/v2/models/credit/versions/v3/infer"),
        status=503,
        code="no-eligible-version",
    )
    log = stage.servers["credit-v3"].log.read_text("utf-8", "replace")
    reached = log.count("POST ")
    stage.telling.check(
        "… and the log of its server",
        expected="not one request",
        came=f"{reached} requests",
        holds=reached == 0,
    )


def refuse_wrong_doors(stage: Stage) -> None:
    stage.telling.chapter(
        "Wrong doors",
        """Governed hosts are served over TLS only, so plain HTTP is sent there and nothing else. What no
        document names is not there.""",
    )
    ursula = stage.office.person("ursula", "underwriters")
    stage.ask(
        "Plain HTTP",
        ursula,
        Ask(plain=True),
        status=308,
        header=("location", "https://credit.lending.example"),
    )
    stage.ask(
        "A host that no document names",
        ursula,
        Ask(host="nowhere.lending.example"),
        status=404,
        code="unknown-host",
    )
    stage.ask(
        "A path that no route has",
        ursula,
        Ask(method="GET", path="/admin"),
        status=404,
        code="unknown-path",
    )
    stage.ask(
        "A path that is no operation of the model",
        ursula,
        Ask(path="/v2/models/credit/delete"),
        status=404,
        code="unknown-operation",
    )
    stage.ask(
        "Somebody else's model on the same server",
        ursula,
        Ask(path="/v2/models/payroll/infer"),
        status=404,
        code="unknown-operation",
    )


CHAPTERS = (refuse_strangers, refuse_the_forbidden, refuse_wrong_doors)
