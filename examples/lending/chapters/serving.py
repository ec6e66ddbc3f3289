"""Who is served, by which version, and how often."""

from __future__ import annotations

from collections import Counter

from examples.lending.callers import Answer, Ask, Caller
from examples.lending.stage import Stage, describe

APPLICANTS = tuple(f"applicant-{number:03}" for number in range(60))
PARTNER_LIMIT, SERVICE_LIMIT = 5, 8
"""As in documents/credit-access.yaml."""


def tell_documents(stage: Stage) -> None:
    stage.telling.chapter(
        "What the documents say",
        """Everything is decided by documents that people can read: `check` tells what is wrong with
        them, `who-can` who may do what. The warning below is meant: v3 has only one of the two
        approvals that a high-risk model needs, and so gets no traffic.""",
    )
    done = stage.show_command("check", str(stage.folder))
    stage.telling.check(
        "The folder is checked",
        expected="no errors, and v3 reported as unapproved",
        came=done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "nothing",
        holds=done.returncode == 0 and "version-unapproved" in done.stdout,
    )
    done = stage.show_command("who-can", str(stage.folder), "lending/credit")
    stage.telling.check(
        "Who can use the credit model?",
        expected="underwriters, partners, services",
        came="as above" if done.returncode == 0 else f"exit code {done.returncode}",
        holds=done.returncode == 0
        and all(word in done.stdout for word in ("corp/", "partners", "mesh/pricing")),
    )


def serve_underwriters(stage: Stage) -> None:
    stage.telling.chapter(
        "An underwriter in the EU",
        """Ursula signed in at the company; her token says that she is an underwriter, in Germany, and
        what she is doing. The gate checks the token, finds the rule that allows this, picks an approved
        version in a lawful region, and only then does the model see the request.""",
    )
    ursula = stage.office.person("ursula", "underwriters")
    stage.ask("A score for one applicant", ursula, Ask(subject="applicant-001"), status=200)
    stage.ask(
        "The version she asks for by name",
        ursula,
        Ask(path="/v2/models/credit/versions/v1/infer"),
        status=200,
        version="v1",
    )
    stage.ask(
        "What the model takes and gives",
        ursula,
        Ask(method="GET", path="/v2/models/credit/versions/v1"),
        status=200,
    )


def meet_the_canary(stage: Stage) -> None:
    stage.telling.chapter(
        "The canary",
        """v2 is approved as a canary. The Rollout sends the beta group to it, and of everybody else
        one applicant in ten. Which one is decided by a hash of the applicant, so the same person always
        meets the same version, on every gate, without anything being stored.""",
    )
    bruno = stage.office.person("bruno", "underwriters", "beta")
    stage.ask("Bruno is in the beta group", bruno, status=200, version="v2")

    ursula = stage.office.person("ursula", "underwriters")
    rounds = [[_send(stage, ursula, name) for name in APPLICANTS] for _ in range(2)]
    versions = [[answer.version for answer in answers] for answers in rounds]
    shares = Counter(version or "refused" for version in versions[0])
    stage.telling.check(
        f"Ursula asks about {len(APPLICANTS)} applicants",
        expected="about 90% v1, 10% v2, nobody refused",
        came=", ".join(f"{version}: {count}" for version, count in sorted(shares.items())),
        holds=shares.keys() == {"v1", "v2"} and shares["v1"] > 3 * shares["v2"],
    )
    changed = sum(one != other for one, other in zip(*versions, strict=True))
    stage.telling.check(
        "… and about the same people again",
        expected="everybody meets the same version as before",
        came=f"{changed} met another",
        holds=changed == 0,
    )


def keep_limits(stage: Stage) -> None:
    stage.telling.chapter(
        "Partners and services, within limits",
        """Three ways to prove who one is work side by side on one port: a token, an API key, a client
        certificate. A partner may ask five times a minute, our own pricing service eight times; whoever
        asks more often gets 429, and is told when to come back. Each has a bucket of its own.""",
    )
    acme = stage.office.partner("acme-bank", "127.0.1.20")
    _use_up(stage, acme, "A partner with an API key", PARTNER_LIMIT)
    pricing = Caller(
        name="pricing", address="127.0.1.30", certificate=stage.office.credentials.pricing
    )
    _use_up(stage, pricing, "A service with a client certificate", SERVICE_LIMIT)
    banco = stage.office.partner("banco-sul", "127.0.2.20")
    stage.ask("Another partner has not used up anything", banco, status=200)


def _use_up(stage: Stage, caller: Caller, who: str, limit: int) -> None:
    answers = [stage.office.send(caller, Ask()) for _ in range(limit)]
    served = sum(answer.status == 200 for answer in answers)
    stage.telling.check(
        f"{who} asks {limit} times",
        expected=f"{limit} × 200",
        came=f"{served} × 200"
        if served == limit
        else " / ".join(describe(answer) for answer in answers),
        holds=served == limit,
        detail=stage.request_line(caller, Ask()),
    )
    refused = stage.ask("… and once more", caller, status=429, code="rate-limited")
    wait = refused.headers.get("retry-after", "")
    stage.telling.check(
        "… and is told when to come back",
        expected="Retry-After: 1 to 60 seconds",
        came=f"Retry-After: {wait or 'absent'}",
        holds=wait.isdigit() and 1 <= int(wait) <= 60,
    )


def _send(stage: Stage, caller: Caller, applicant: str) -> Answer:
    return stage.office.send(caller, Ask(subject=applicant))


CHAPTERS = (tell_documents, serve_underwriters, meet_the_canary, keep_limits)
