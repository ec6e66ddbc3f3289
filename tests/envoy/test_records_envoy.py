"""What a gate of ours reports about each kind of request, from the real Envoy to the record."""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from collections.abc import AsyncIterator

import pytest
import xxhash

from gatereeve.core import records, refusals
from gatereeve.core.refs import ConfigHash
from gatereeve.decide.request import Request
from gatereeve.ir import access, clusters, gates, identity, routes
from tests.differential.real import GATE, Answer, RealGate
from tests.support import ir_builders as ir

pytestmark = pytest.mark.envoy

ISSUER = ir.Issuer()
STAFF, PARTNERS = ir.Issuer().name, "partners"
CONFIG = ConfigHash("sha256:" + "c" * 64)


def rules() -> access.Access:
    return ir.access(
        deny=(
            ir.rule(
                "lending/credit/deny[0]",
                subjects=(access.IsPrincipal(provider=STAFF, id="mallory"),),
            ),
        ),
        allow=(
            ir.rule(
                "lending/credit/allow[0]",
                subjects=(access.InGroup(provider=STAFF, group="underwriters"),),
            ),
            ir.rule(
                "lending/credit/allow[1]",
                subjects=(access.FromProvider(provider=PARTNERS),),
                limit=access.RequestLimit(count=1, seconds=3600),
            ),
        ),
        shadow_deny=(
            ir.rule("lending/next/deny[0]", subjects=(access.FromProvider(provider=STAFF),)),
        ),
        shadow_allow=(
            ir.rule("lending/next/allow[0]", subjects=(access.FromProvider(provider=PARTNERS),)),
        ),
    )


def a_gate(real: RealGate) -> gates.Gate:
    """Two versions behind a split by header, a dead one, a refusing row, an ordinary one."""
    split = dataclasses.replace(
        ir.forward(v1=9000, v2=1000),
        sticky=(routes.StickyHeader(name="x-applicant"), routes.StickyPrincipal()),
    )
    dead = routes.Forward(shares=(routes.Share(cluster="c-dead", version="3", weight=1),))
    rows = (
        ir.route("split", action=split),
        ir.route("dead", path="/dead", action=dead),
        ir.route("none", path="/none", action=routes.Refuse(code="no-eligible-version")),
        ir.ordinary("web", path="/web"),
        ir.refusing("unknown-path", "/", "prefix"),
    )
    host = ir.host(*rows, tls="any")
    listener = ir.listener(host, name="http", protocol="http", port=real.ports.http)
    made = ir.gate(
        access=(rules(),),
        identity=identity.Identity(
            jwt=(ISSUER.provider(),), api_keys=ir.api_keys(acme=("partners",), globex=())
        ),
        attributes=identity.Attributes(
            region=(
                identity.ClaimSource(provider=STAFF, claim=("country",)),
                identity.CidrSource(entries=(("127.0.0.0/8", "de"),)),
            ),
            purpose=(identity.ClaimSource(provider=STAFF, claim=("why",)),),
        ),
        listeners=(listener,),
        clusters=tuple(
            _cluster(name, version, port)
            for name, version, port in (
                ("c-v1", "v1", real.ports.servers[0]),
                ("c-v2", "v2", real.ports.servers[1]),
                ("c-dead", "3", 9),
                ("web", "", real.ports.servers[2]),
            )
        ),
    )
    return dataclasses.replace(made, name=GATE, hash=CONFIG)


def _cluster(name: str, version: str, port: int) -> clusters.Cluster:
    made = ir.cluster(name, version, model=ir.MODEL if version else "")
    (group,) = made.endpoints.groups
    (endpoint,) = group.endpoints
    moved = dataclasses.replace(group, endpoints=(dataclasses.replace(endpoint, port=port),))
    return dataclasses.replace(
        made,
        endpoints=dataclasses.replace(made.endpoints, groups=(moved,)),
        max_connections=100,
        max_pending=100,
        max_requests=100,
    )


@pytest.fixture
async def real() -> AsyncIterator[RealGate]:
    async with RealGate() as made:
        await made.publish(a_gate(made))
        yield made


def asking(path: str = ir.INFER, *headers: tuple[str, str], method: str = "POST") -> Request:
    return Request(
        scheme="http", host=ir.HOST, path=path, method=method, headers=headers, peer="127.0.0.1"
    )


def token(**claims: object) -> tuple[str, str]:
    ours: dict[str, object] = {
        "groups": ["underwriters", "staff"],
        "exp": int(time.time()) + 86_400,
    }
    return ISSUER.header(**(ours | claims))


async def told(real: RealGate, request: Request) -> tuple[Answer, records.RequestRecord]:
    (answer,) = await real.send_all([request])
    assert answer.record_id is not None
    record = real.records.by_id[answer.record_id]
    assert (record.status, record.code) == (answer.status, answer.code)
    assert record.config == CONFIG
    if answer.code is not None:
        body = json.loads(answer.body)
        assert (body["code"], body["record_id"]) == (record.code, record.record_id)
        assert refusals.lookup(answer.code).status == answer.status
    return answer, record


async def test_a_token_and_all_that_was_decided(real: RealGate) -> None:
    request = asking(
        ir.INFER + "?q=SECRET", token(country="FR", why="Scoring"), ("x-applicant", "applicant-7")
    )
    answer, record = await told(real, request)
    value = xxhash.xxh64_intdigest(b"applicant-7", seed=0)
    version = "v1" if value % 10_000 < 9000 else "v2"
    assert record == with_fields(
        record,
        gate=GATE,
        node=f"gate/{GATE}-test",
        outcome="served",
        status=200,
        scheme="http",
        host=ir.HOST,
        method="POST",
        path=ir.INFER,
        protocol="kserve-v2",
        source_ip="127.0.0.1",
        caller=records.Caller(
            provider=STAFF,
            id="alice",
            method="jwt",
            issuer=ISSUER.issuer,
            groups=("underwriters", "staff"),
        ),
        region="fr",
        purpose="scoring",
        operation="infer",
        model=ir.MODEL,
        version=version,
        route_rule="split",
        rule="lending/credit/allow[0]",
        shadow=("deny lending/next/deny[0]", "no-allow-rule"),
        split_key=f"{value:016x}",
        policy="sha256:p",
        audit="recorded",
        cluster=f"c-{version}",
        upstream=f"127.0.0.1:{answer.server}",
        attempts=1,
        flags=(),
    )
    line = records.encode(record).decode()
    for secret in ("SECRET", "Bearer", "applicant-7", "eyJ"):
        assert secret not in line


def with_fields(record: records.RequestRecord, **fields: object) -> records.RequestRecord:
    """`record` with other values in some fields."""
    values = {name: getattr(record, name) for name in record.__struct_fields__}
    return records.RequestRecord(**{**values, **fields})


async def test_a_key_and_its_limit(real: RealGate) -> None:
    key = ("x-api-key", "key-acme")
    _, first = await told(real, asking(ir.INFER, key))
    _, second = await told(real, asking(ir.INFER, key))
    assert (first.outcome, first.rule, first.region) == ("served", "lending/credit/allow[1]", "de")
    assert first.caller == records.Caller(
        provider=PARTNERS, id="acme", method="apikey", groups=("partners",)
    )
    assert first.shadow == ("allow lending/next/allow[0]",)
    assert first.split_key == xxhash.xxh64_hexdigest(b"acme", seed=0)
    assert (second.outcome, second.code, second.status) == ("refused", "rate-limited", 429)
    assert (second.rule, second.model) == ("lending/credit/allow[1]", ir.MODEL)


@pytest.mark.parametrize(
    ("headers", "code", "rule"),
    [
        ((), "credential-required", None),
        ((("x-api-key", "wrong"),), "invalid-credential", None),
        ((token(exp=1),), "invalid-credential", None),
        ((token(sub="mallory"),), "denied-by-rule", "lending/credit/deny[0]"),
        ((token(groups=["guests"]),), "no-allow-rule", None),
    ],
)
async def test_refusals_of_identity_and_rules(
    real: RealGate, headers: tuple[tuple[str, str], ...], code: str, rule: str | None
) -> None:
    _, record = await told(real, asking(ir.INFER, *headers))
    assert (record.outcome, record.code, record.rule) == ("refused", code, rule)
    assert (record.model, record.version, record.attempts) == (ir.MODEL, None, 0)


@pytest.mark.parametrize(
    ("path", "outcome", "code"),
    [
        ("/dead", "broken", "upstream-unavailable"),
        ("/none", "refused", "no-eligible-version"),
        ("/nowhere", "refused", "unknown-path"),
    ],
)
async def test_refusals_of_routes(real: RealGate, path: str, outcome: str, code: str) -> None:
    _, record = await told(real, asking(path, token()))
    assert (record.outcome, record.code) == (outcome, code)


async def test_an_unknown_host(real: RealGate) -> None:
    request = dataclasses.replace(asking(), host="other.test")
    _, record = await told(real, request)
    assert (record.outcome, record.code, record.host) == ("refused", "unknown-host", "other.test")


async def test_an_ordinary_route_has_no_model(real: RealGate) -> None:
    _, record = await told(real, asking("/web/x", method="GET"))
    assert (record.outcome, record.model, record.rule, record.policy) == (
        "served",
        None,
        None,
        None,
    )
    assert (record.cluster, record.version) == ("web", None)


async def test_a_request_refused_before_it_has_an_id_is_recorded_under_one_of_ours(
    real: RealGate,
) -> None:
    answer = await real.send(asking("/v2%2fmodels", token()))
    await real.send_all([asking("/web")])  # of the same worker, so the record before it is there
    (record,) = (r for r in real.records.by_id.values() if r.code == "malformed-request")
    assert (answer.status, answer.code, answer.record_id) == (400, "malformed-request", None)
    assert (record.outcome, record.status, record.model) == ("refused", 400, None)
    assert str(uuid.UUID(record.record_id)) == record.record_id
