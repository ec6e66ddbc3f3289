"""The reference decision, step by step: design section 5."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from gatereeve.core.errors import RequestError
from gatereeve.decide.reference import AssumedIdentity, Decision, Principal, decide
from gatereeve.decide.request import ClientCertificate, Request
from gatereeve.ir.access import (
    FromProvider,
    InGroup,
    IsAnonymous,
    IsPrincipal,
    RequestLimit,
)
from gatereeve.ir.gates import Gate
from gatereeve.ir.identity import (
    Attributes,
    CertificateIdentity,
    CidrSource,
    ClaimSource,
    HeaderSource,
    Identity,
    MtlsProvider,
)
from gatereeve.ir.routes import (
    Forward,
    Match,
    Mirror,
    PathMatch,
    PathRewrite,
    Redirect,
    Refuse,
    Share,
    StickyHeader,
    StickyPrincipal,
)
from tests.support import ir_builders as ir

CORP = ir.Issuer()
OTHER = ir.Issuer(name="other")
STAFF = InGroup(provider="corp", group="staff")
IDENTITY = Identity(
    jwt=(CORP.provider(), OTHER.provider()),
    api_keys=ir.api_keys(bank=("partners",)),
    mtls=ir.mtls(scorer=("services",)),
)
ATTRIBUTES = Attributes(
    region=(
        ClaimSource(provider="corp", claim=("region",)),
        HeaderSource(name="x-region", trusted=("10.0.0.0/8",)),
        CidrSource(entries=(("192.0.2.0/24", "de"), ("192.0.2.128/25", "fr"))),
    ),
    purpose=(HeaderSource(name="x-purpose", trusted=("0.0.0.0/0",)),),
)
ALLOW_ALL_KNOWN = ir.rule(
    subjects=(
        FromProvider(provider="corp"),
        FromProvider(provider="partners"),
        FromProvider(provider="mesh"),
    )
)


def gate(*routes: object, **changes: object) -> Gate:
    values: dict[str, object] = {
        "access": (ir.access(allow=(ALLOW_ALL_KNOWN,)),),
        "identity": IDENTITY,
        "attributes": ATTRIBUTES,
    }
    return ir.gate(*(routes or (ir.route(),)), **(values | changes))  # type: ignore[arg-type]


def ask(gate: Gate, *headers: tuple[str, str], **changes: object) -> Decision:
    values: dict[str, object] = {
        "host": ir.HOST,
        "method": "POST",
        "path": ir.INFER,
        "headers": headers,
        "sni": ir.HOST,
        "peer": "198.51.100.7",
    }
    return decide(gate, Request(**(values | changes)), now=ir.NOW)  # type: ignore[arg-type]


def outcome(decision: Decision) -> tuple[int, str | None]:
    return decision.status, decision.code


class TestHostAndPath:
    @pytest.mark.parametrize(
        ("changes", "status", "code"),
        [
            ({"host": "nobody.test", "sni": None}, 404, "unknown-host"),
            ({"path": "/v2/models/credit/infer/x"}, 404, "unknown-path"),
            ({"host": ""}, 400, "malformed-request"),
            ({"path": "/v2%2fmodels"}, 400, "malformed-request"),
            ({"sni": "web.test"}, 421, "misdirected-request"),
            ({"method": "CONNECT", "path": "models.test:443"}, 403, "upgrade-refused"),
            ({"method": "TRACE"}, 400, "malformed-request"),
            ({"host": ir.HOST.upper()}, 400, "malformed-request"),
        ],
    )
    def test_refused_before_identity(
        self, changes: dict[str, object], status: int, code: str
    ) -> None:
        decision = ask(gate(), ("x-api-key", "wrong"), **changes)
        assert outcome(decision) == (status, code)
        assert decision.principal is None

    @pytest.mark.parametrize("sni", [None, "MODELS.test"])
    def test_sni_may_be_absent_or_in_any_case(self, sni: str | None) -> None:
        assert ask(gate(), CORP.header(), sni=sni).forwarded

    def test_a_connection_for_another_virtual_host_is_misdirected(self) -> None:
        hosts = (
            ir.host(ir.route(), name="*.w.test"),
            ir.host(ir.route(), name="own.w.test"),
        )
        here = gate(listeners=(ir.listener(*hosts),))
        assert ask(here, CORP.header(), host="a.w.test", sni="b.w.test").forwarded
        refused = ask(here, CORP.header(), host="a.w.test", sni="own.w.test")
        assert outcome(refused) == (421, "misdirected-request")

    def test_plain_http_is_redirected_to_the_tls_port(self) -> None:
        decision = ask(gate(), scheme="http", sni=None, path="/x?y=1")
        assert (decision.status, decision.code) == (308, None)
        assert decision.location == f"https://{ir.HOST}:8443/x?y=1"

    def test_plain_http_is_refused_without_redirect(self) -> None:
        here = gate(
            listeners=(
                ir.listener(ir.host(ir.route(), tls="refuse"), name="http", protocol="http"),
            )
        )
        assert outcome(ask(here, scheme="http", sni=None)) == (403, "tls-required")

    def test_semicolon_on_a_governed_path_only(self) -> None:
        here = gate(
            ir.route(path="/model", kind="prefix"),
            ir.ordinary(),
        )
        assert outcome(ask(here, path="/model/a;b")) == (400, "ambiguous-path")
        bad = ("Authorization", "Bearer x")
        assert outcome(ask(here, bad, path="/model/a;b")) == (400, "ambiguous-path")
        assert ask(here, path="/web/a;b").forwarded

    def test_an_odd_header_on_a_governed_route_that_reads_it(self) -> None:
        sources = Attributes(purpose=(HeaderSource(name="x-purpose", trusted=("127.0.0.0/8",)),))
        here = gate(ir.route(), ir.ordinary(), attributes=sources)
        for value in ("support,marketing", "", "m\xe9"):
            assert outcome(ask(here, ("X-Purpose", value))) == (400, "ambiguous-header")
            assert ask(here, ("X-Purpose", value), path="/web").forwarded
        twice = (("x-purpose", "support"), ("X-Purpose", "support"))
        assert outcome(ask(here, *twice)) == (400, "ambiguous-header")
        assert ask(here, ("x-other", "a,b"), CORP.header()).forwarded

    def test_an_unknown_listener_is_the_callers_mistake(self) -> None:
        with pytest.raises(RequestError, match="no listener metrics"):
            ask(gate(), listener="metrics")

    def test_an_ordinary_route_asks_for_nothing(self) -> None:
        decision = ask(gate(ir.ordinary()), ("x-api-key", "wrong"), path="/index")
        assert (decision.forwarded, decision.cluster, decision.version) == (True, "web", "")
        assert [step.name for step in decision.steps] == ["entry", "host", "route", "answer"]


class TestIdentity:
    def test_nobody(self) -> None:
        assert outcome(ask(gate())) == (401, "credential-required")

    def test_each_method_identifies(self) -> None:
        token = ask(gate(), CORP.header(groups=["staff", "staff", 5]))
        assert token.principal == Principal(
            provider="corp",
            id="alice",
            method="jwt",
            issuer="https://corp.test/",
            groups=("staff",),
        )
        key = ask(gate(), ("X-Api-Key", "key-bank"))
        assert key.principal == Principal(
            provider="partners", id="bank", method="apikey", groups=("partners",)
        )
        certificate = ask(gate(), certificate=ClientCertificate(uris=("spiffe://corp/scorer",)))
        assert certificate.principal == Principal(
            provider="mesh", id="scorer", method="mtls", groups=("services",)
        )
        assert token.forwarded
        assert key.forwarded
        assert certificate.forwarded

    def test_precedence(self) -> None:
        certificate = ClientCertificate(uris=("spiffe://corp/scorer",))
        every = ask(gate(), CORP.header(), ("x-api-key", "key-bank"), certificate=certificate)
        assert str(every.principal) == "corp/alice"
        two = ask(gate(), ("x-api-key", "key-bank"), certificate=certificate)
        assert str(two.principal) == "partners/bank"

    @pytest.mark.parametrize(
        "bad",
        [
            [("Authorization", "Bearer x.y.z")],
            [("Authorization", "Basic eDp5")],
            [("Authorization", "")],
            [("Authorization", CORP.token())],
            [("Authorization", "Bearer " + CORP.token(header={"crit": ["exp"]}))],
            [("Authorization", "Bearer " + CORP.token(header={"b64": False}))],
            [("Authorization", "Bearer")],
            [CORP.header(), CORP.header()],
            [CORP.header(drop="sub")],
            [CORP.header(sub="")],
            [("x-api-key", "wrong")],
            [("x-api-key", "")],
            [("x-api-key", "key-bank"), ("x-api-key", "key-bank")],
        ],
    )
    def test_an_invalid_credential_is_401_whatever_else_is_valid(
        self, bad: list[tuple[str, str]]
    ) -> None:
        open_to_all = ir.rule(subjects=(IsAnonymous(), FromProvider(provider="mesh")))
        here = gate(access=(ir.access(allow=(open_to_all,)),))
        certificate = ClientCertificate(uris=("spiffe://corp/scorer",))
        assert outcome(ask(here, *bad)) == (401, "invalid-credential")
        assert outcome(ask(here, *bad, certificate=certificate)) == (401, "invalid-credential")

    @pytest.mark.parametrize(
        "certificate",
        [
            ClientCertificate(uris=("spiffe://corp/other",)),
            ClientCertificate(uris=("spiffe://corp/scorer", "spiffe://corp/x")),
            ClientCertificate(dns=("scorer",)),
            ClientCertificate(),
        ],
    )
    def test_a_certificate_without_a_known_name(self, certificate: ClientCertificate) -> None:
        decision = ask(gate(), CORP.header(), certificate=certificate)
        assert outcome(decision) == (401, "invalid-credential")

    @pytest.mark.parametrize(
        ("certificate", "is_known"),
        [
            (ClientCertificate(dns=("BATCH.Corp.Example",)), True),
            (ClientCertificate(dns=("batch.corp.example",)), True),
            (ClientCertificate(dns=("*.corp.example",)), False),
            (ClientCertificate(dns=("bat\u212ah.corp.example",)), False),
            (ClientCertificate(uris=("spiffe://CORP/batch",)), False),
        ],
    )
    def test_dns_names_have_no_case_and_uris_have(
        self, certificate: ClientCertificate, *, is_known: bool
    ) -> None:
        identities = (
            CertificateIdentity(
                id="batch", groups=(), uri=None, dns="batch.corp.example", origin=ir.origin()
            ),
            CertificateIdentity(
                id="uri", groups=(), uri="spiffe://corp/batch", dns=None, origin=ir.origin()
            ),
        )
        mtls = MtlsProvider(name="mesh", ca="", identities=identities, origin=ir.origin())
        anyone = ir.rule(subjects=(FromProvider(provider="mesh"),))
        here = gate(identity=Identity(mtls=mtls), access=(ir.access(allow=(anyone,)),))
        assert ask(here, certificate=certificate).forwarded is is_known

    def test_the_scheme_may_have_any_case(self) -> None:
        for scheme in ("Bearer", "bearer", "BEARER", "bEARER"):
            assert ask(gate(), ("Authorization", f"{scheme} {CORP.token()}")).forwarded

    def test_without_token_providers_authorization_is_no_credential(self) -> None:
        here = gate(identity=Identity(api_keys=ir.api_keys(bank=())), attributes=Attributes())
        decision = ask(here, ("Authorization", "Basic eDp5"))
        assert outcome(decision) == (401, "credential-required")

    def test_anonymous_in_so_many_words(self) -> None:
        here = gate(access=(ir.access(allow=(ir.rule(subjects=(IsAnonymous(),)),)),))
        assert ask(here).forwarded
        assert outcome(ask(here, CORP.header())) == (403, "no-allow-rule")

    def test_time_is_given(self) -> None:
        request = Request(
            host=ir.HOST, path=ir.INFER, headers=(CORP.header(exp=int(ir.NOW.timestamp()) + 5),)
        )
        assert decide(gate(), request, now=ir.NOW + timedelta(seconds=35)).forwarded
        late = decide(gate(), request, now=ir.NOW + timedelta(seconds=36))
        assert outcome(late) == (401, "invalid-credential")

    def test_assumed(self) -> None:
        request = Request(host=ir.HOST, path=ir.INFER, headers=(("x-api-key", "wrong"),))
        assumed = AssumedIdentity(
            provider="corp", id="alice", claims={"groups": ["a"], "region": "DE"}
        )
        decision = decide(gate(), request, now=ir.NOW, assume=assumed)
        assert decision.forwarded
        assert decision.principal is not None
        assert (decision.principal.groups, decision.region) == (("a",), "de")
        unknown = replace(assumed, provider="partners")
        assert decide(gate(), request, now=ir.NOW, assume=unknown).code == "invalid-credential"


class TestAttributes:
    def only_from(self, *regions: str) -> Gate:
        allow = replace(ALLOW_ALL_KNOWN, regions=regions)
        return gate(access=(ir.access(allow=(allow,)),))

    def test_the_first_source_that_says_one_decides(self) -> None:
        here = self.only_from("de")
        region = ("x-region", "fr")
        assert ask(here, CORP.header(region="DE"), region, peer="10.1.1.1").forwarded
        assert ask(here, CORP.header(region="mars"), peer="192.0.2.1").region == "mars"
        assert ask(here, CORP.header(region=""), region, peer="10.1.1.1").region == "fr"
        assert ask(here, CORP.header(region=None), region, peer="10.1.1.1").region == "fr"
        assert ask(here, CORP.header(), region, peer="192.0.2.1").region == "de"

    @pytest.mark.parametrize("odd", [5, True, ["de"], {"is": "de"}])
    def test_a_claim_that_is_no_text_is_refused(self, odd: object) -> None:
        decision = ask(self.only_from("de"), CORP.header(region=odd), peer="192.0.2.1")
        assert outcome(decision) == (401, "invalid-credential")
        assert decision.region is None

    def test_the_longest_prefix_decides(self) -> None:
        assert ask(self.only_from("fr"), CORP.header(), peer="192.0.2.200").forwarded

    def test_unknown_matches_no_rule_that_names_regions(self) -> None:
        assert outcome(ask(self.only_from("de"), CORP.header())) == (403, "no-allow-rule")
        deny = ir.rule("d", regions=("de",))
        here = gate(access=(ir.access(deny=(deny,), allow=(ALLOW_ALL_KNOWN,)),))
        assert ask(here, CORP.header()).forwarded

    def test_another_providers_claim_says_nothing(self) -> None:
        allow = ir.rule(subjects=(FromProvider(provider="other"),))
        here = gate(access=(ir.access(allow=(allow,)),))
        assert ask(here, OTHER.header(region="de")).region is None

    def test_client_address_behind_trusted_hops(self) -> None:
        forwarded = ("X-Forwarded-For", "192.0.2.1, 203.0.113.9")
        assert ask(gate(), CORP.header(), forwarded).region is None
        assert ask(gate(trusted_hops=2), CORP.header(), forwarded).region == "de"


class TestRules:
    def test_default_deny(self) -> None:
        assert outcome(ask(gate(access=(ir.access(),)), CORP.header())) == (403, "no-allow-rule")

    def test_a_model_without_any_rules_admits_nobody(self) -> None:
        assert outcome(ask(gate(access=()), CORP.header())) == (403, "no-allow-rule")

    def test_deny_goes_before_allow(self) -> None:
        deny = ir.rule("deny", subjects=(IsPrincipal(provider="corp", id="alice"),))
        here = gate(access=(ir.access(deny=(deny,), allow=(ALLOW_ALL_KNOWN,)),))
        decision = ask(here, CORP.header())
        assert (*outcome(decision), decision.rule) == (403, "denied-by-rule", "deny")
        assert ask(here, CORP.header(sub="bob")).forwarded

    def test_the_first_allow_rule_names_itself_and_its_limit(self) -> None:
        limit = RequestLimit(count=3, seconds=60)
        rules = (
            ir.rule("staff", subjects=(STAFF,), limit=limit),
            ir.rule("everybody", subjects=(FromProvider(provider="corp"),)),
        )
        here = gate(access=(ir.access(allow=rules),))
        staff = ask(here, CORP.header(groups=["staff"]))
        assert (staff.rule, staff.limit) == ("staff", limit)
        other = ask(here, CORP.header(groups="guests"))
        assert (other.rule, other.limit) == ("everybody", None)

    def test_every_condition_must_hold(self) -> None:
        allow = replace(
            ALLOW_ALL_KNOWN, regions=("de",), purposes=("credit",), operations=("infer",)
        )
        here = gate(access=(ir.access(allow=(allow,)),))
        fine = (CORP.header(region="de"), ("x-purpose", "Credit"))
        assert ask(here, *fine).forwarded
        assert outcome(ask(here, fine[0])) == (403, "no-allow-rule")
        assert outcome(ask(here, CORP.header(), fine[1])) == (403, "no-allow-rule")
        metadata = ir.route(governed=ir.governance(operation="metadata"))
        assert ask(replace(here, listeners=gate(metadata).listeners), *fine).code == "no-allow-rule"

    def test_groups_belong_to_their_provider(self) -> None:
        allow = ir.rule(subjects=(InGroup(provider="partners", group="staff"),))
        here = gate(access=(ir.access(allow=(allow,)),))
        decision = ask(here, CORP.header(groups=["staff"]))
        assert outcome(decision) == (403, "no-allow-rule")

    def test_shadow_rules_are_told_and_change_nothing(self) -> None:
        everything = ir.rule("shadow-deny")
        allow = ir.rule("shadow-allow", subjects=(STAFF,))
        here = gate(
            access=(
                ir.access(
                    allow=(ALLOW_ALL_KNOWN,), shadow_deny=(everything,), shadow_allow=(allow,)
                ),
            )
        )
        decision = ask(here, CORP.header(groups=["staff"]))
        assert decision.forwarded
        assert decision.shadow == ("deny shadow-deny", "allow shadow-allow")

    def test_a_stranger_learns_nothing_of_versions(self) -> None:
        here = gate(ir.route(action=Refuse(code="no-eligible-version")))
        assert outcome(ask(here)) == (401, "credential-required")
        assert outcome(ask(here, OTHER.header())) == (403, "no-allow-rule")
        assert outcome(ask(here, CORP.header())) == (503, "no-eligible-version")


class TestVersions:
    def test_identity_chooses_the_row(self) -> None:
        beta = Match(path=PathMatch(kind="exact", value=ir.INFER), groups=(STAFF,), regions=("de",))
        here = gate(
            ir.route("beta", match=beta, action=ir.forward(v2=1)),
            ir.route("split", action=ir.forward(v1=1)),
        )
        met = ask(here, CORP.header(groups=["staff"], region="de"))
        assert (met.version, met.route) == ("v2", "beta")
        assert ask(here, CORP.header(groups=["staff"], region="fr")).version == "v1"
        assert ask(here, CORP.header(region="de")).version == "v1"

    def test_sticky_key_in_order(self) -> None:
        action = Forward(
            shares=ir.shares(v1=5000, v2=5000),
            sticky=(StickyHeader(name="x-subject"), StickyPrincipal()),
        )
        here = gate(ir.route(action=action))
        by_subject = ask(here, CORP.header(), ("X-Subject", "s-1"))
        again = ask(here, ("x-api-key", "key-bank"), ("x-subject", "s-1"))
        assert by_subject.split_key == again.split_key
        assert by_subject.version == again.version
        by_principal = ask(here, CORP.header())
        assert by_principal.split_key == ask(here, CORP.header(region="de")).split_key

    def test_chance_names_all_that_may_answer(self) -> None:
        web = Forward(
            shares=(
                Share(cluster="a", version="", weight=1),
                Share(cluster="b", version="", weight=0),
                Share(cluster="c", version="", weight=2),
            )
        )
        decision = ask(gate(ir.ordinary(action=web)), path="/")
        assert (decision.cluster, decision.possible) == ("a", ("a", "c"))
        assert decision.split_key is None

    def test_a_share_without_backend(self) -> None:
        nothing = Forward(shares=(Share(cluster="", version="", weight=1),))
        assert outcome(ask(gate(ir.ordinary(action=nothing)), path="/")) == (500, "no-backend")

    def test_mirrors_are_named(self) -> None:
        action = replace(ir.forward(), mirrors=(Mirror(cluster="c-v2", per_million=1_000_000),))
        assert ask(gate(ir.route(action=action)), CORP.header()).mirrors == ("c-v2",)

    @pytest.mark.parametrize(
        ("redirect", "location"),
        [
            (Redirect(status=302, scheme="https"), f"https://{ir.HOST}/old/x?q=1"),
            (Redirect(status=302, host="new.test", port=443), "https://new.test/old/x?q=1"),
            (
                Redirect(status=302, path=PathRewrite(kind="prefix", value="/new")),
                f"https://{ir.HOST}:8443/new/x?q=1",
            ),
            (
                Redirect(status=302, path=PathRewrite(kind="full", value="/")),
                f"https://{ir.HOST}:8443/?q=1",
            ),
        ],
    )
    def test_redirects(self, redirect: Redirect, location: str) -> None:
        here = gate(ir.ordinary(path="/old", action=redirect))
        decision = ask(here, path="/old/x?q=1")
        assert (decision.status, decision.location, decision.forwarded) == (302, location, False)


class TestBodies:
    PATH = "/v1/chat/completions"

    def here(self) -> Gate:
        def row(name: str, *, stream: bool) -> object:
            match = Match(
                path=PathMatch(kind="exact", value=self.PATH),
                body_model=("gpt-x",),
                body_stream=stream,
            )
            operation = "stream" if stream else "infer"
            return ir.route(name, match=match, governed=ir.governance(operation=operation))  # type: ignore[arg-type]

        return gate(
            row("stream", stream=True),
            row("infer", stream=False),
            ir.refusing("unknown-model", self.PATH),
        )

    def ask(self, body: object, *headers: tuple[str, str]) -> Decision:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = ("content-type", "application/json")
        return ask(self.here(), kind, *headers, path=self.PATH, body=sent)

    @pytest.mark.parametrize(
        ("body", "operation"),
        [
            ({"model": "gpt-x", "stream": True}, "stream"),
            ({"model": "gpt-x", "stream": False}, "infer"),
            ({"model": "gpt-x", "stream": None}, "infer"),
            ({"model": "gpt-x"}, "infer"),
            (b'{"model": "other", "model": "gpt-x"}', "infer"),
        ],
    )
    def test_the_body_chooses_the_operation(self, body: object, operation: str) -> None:
        assert self.ask(body, CORP.header()).operation == operation

    @pytest.mark.parametrize(
        "body",
        [
            {"model": "gpt-y"},
            {"model": 5},
            {"model": "gpt-x", "stream": 1},
            {"model": "gpt-x", "stream": "true"},
            ["gpt-x"],
            b"",
            b"{",
            b'{"model": "gpt-x", "model": 5}',
        ],
    )
    def test_a_body_that_names_no_model(self, body: object) -> None:
        assert outcome(self.ask(body, CORP.header())) == (404, "unknown-model")

    def test_credentials_are_judged_before_the_model_is_known(self) -> None:
        bad = ("Authorization", "Bearer x")
        assert outcome(self.ask({"model": "gpt-y"}, bad)) == (401, "invalid-credential")
        wrong = ("x-api-key", "wrong")
        assert outcome(self.ask({"model": "gpt-y"}, wrong)) == (401, "invalid-credential")
        assert outcome(self.ask({"model": "gpt-x"})) == (401, "credential-required")

    def test_a_body_above_the_bound(self) -> None:
        body = {"model": "gpt-x", "x": "y" * 5000}
        assert outcome(self.ask(body, CORP.header())) == (413, "payload-too-large")
        bad = ("Authorization", "Bearer x")
        assert outcome(self.ask(body, bad)) == (401, "invalid-credential")


def test_steps_are_numbered_in_order_and_end_with_the_answer() -> None:
    decision = ask(gate(), CORP.header())
    numbers = [step.number for step in decision.steps]
    assert numbers == sorted(numbers)
    assert decision.steps[-1].outcome == "version v1"
    refused = ask(gate(), CORP.header(region="x"), host="other.test", sni=None)
    assert refused.steps[-1].outcome == refused.code == "unknown-host"
