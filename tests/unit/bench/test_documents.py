"""The generated documents: all of them are used, none is questioned, and they say what they should."""

from datetime import UTC, datetime

from bench import credentials, documents

from gatereeve.compile import compiler
from gatereeve.core import findings

AT = datetime(2030, 1, 1, tzinfo=UTC)
MODELS = 6


def _setup() -> documents.GateSetup:
    return credentials.make().setup(https=8443, backend=9000)


def test_six_documents_for_each_model() -> None:
    world = documents.world(documents.folder(MODELS, _setup()), AT)
    assert world.findings == ()
    assert world.broken == ()
    kinds = (world.models, world.model_versions, world.access_policies, world.services)
    assert [len(kind) for kind in (*kinds, world.endpoint_slices)] == [MODELS] * 5
    assert len(world.http_routes) == len(world.ingresses) == MODELS // 2


def test_every_model_is_served_on_its_own_host() -> None:
    world = documents.world(documents.folder(MODELS, _setup()), datetime.now(UTC))
    compiled = compiler.compile(world)
    assert [
        finding for finding in compiled.findings if finding.severity is findings.Severity.ERROR
    ] == []
    (gate,) = compiled.ir.gates
    assert gate.listeners[0].protocol == "https"
    hosts = [host.host for host in gate.listeners[0].hosts]
    assert hosts == [documents.host_of(index) for index in range(MODELS)]


def test_the_same_documents_each_time() -> None:
    setup = _setup()
    assert documents.folder(MODELS, setup) == documents.folder(MODELS, setup)


def test_only_the_last_of_many_rules_admits_the_probe() -> None:
    text = documents.model_text(0, _setup(), rules=20)
    world = documents.world({"gate.yaml": documents.gate_text(_setup()), "m.yaml": text}, AT)
    (policy,) = world.access_policies.values()
    assert len(policy.spec.allow) == 20
    assert not policy.spec.deny
    naming = [
        number
        for number, rule in enumerate(policy.spec.allow)
        if any(subject.principal == f"corp/{documents.PROBE}" for subject in rule.subjects)
    ]
    assert naming == [19]
    assert policy.spec.allow[19].limits is not None


def test_denied_differs_in_the_policy_only() -> None:
    setup = _setup()
    allowed, denied = (documents.model_text(0, setup, denied=d) for d in (False, True))
    (policy,) = documents.world({"m.yaml": denied}, AT).access_policies.values()
    assert [rule.name for rule in policy.spec.deny] == ["out"]
    parts = zip(allowed.split("---\n"), denied.split("---\n"), strict=True)
    assert [one == other for one, other in parts] == [True] * 5 + [False]


def test_files_lie_in_folders_of_a_hundred() -> None:
    assert documents.policy_file(0) == "models/000/model-00000.yaml"
    assert documents.policy_file(1234) == "models/012/model-01234.yaml"
