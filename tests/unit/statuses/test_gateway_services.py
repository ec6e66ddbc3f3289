"""Services of Gateways: ports that stay given, whoever else comes or goes."""

from __future__ import annotations

from gatereeve.api.world import World
from gatereeve.compile import compiler
from gatereeve.statuses import gateway_services
from gatereeve.statuses.gateway_services import GatewayService
from tests.support.statuses import written
from tests.support.worlds import world_of

GATE = """
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: public}
spec: {region: de, http: {port: 8080}, gateways: {namespace: gatereeve, firstPort: 20000, ports: PORTS}}
"""


def gateway(name: str, *ports: int) -> str:
    listed = ", ".join(f"{{name: p{port}, port: {port}, protocol: HTTP}}" for port in ports)
    return f"""
    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {{name: {name}, namespace: shop}}
    spec: {{gatewayClassName: gatereeve, listeners: [{listed}]}}
    """


def world(*texts: str, ports: int = 8, services: tuple[GatewayService, ...] = ()) -> World:
    return world_of(GATE.replace("PORTS", str(ports)), *texts, written(services))


def wanted(made: World) -> tuple[GatewayService, ...]:
    return gateway_services.wanted(made, compiler.compile(made))


def ports_of(services: tuple[GatewayService, ...]) -> dict[str, dict[int, int]]:
    return {service.gateway[1]: dict(service.ports) for service in services}


def test_every_port_of_every_gateway_gets_one() -> None:
    found = ports_of(wanted(world(gateway("a", 80, 8080), gateway("b", 80))))
    assert found["a"].keys() == {80, 8080}
    given = [target for ports in found.values() for target in ports.values()]
    assert len(set(given)) == 3
    assert all(20000 <= target < 20008 for target in given)


def test_what_is_written_is_what_is_wanted() -> None:
    texts = (gateway("a", 80, 8080), gateway("b", 80))
    first = wanted(world(*texts))
    assert wanted(world(*texts, services=first)) == first
    assert not compiler.compile(world(*texts, services=first)).findings


def test_nothing_moves_when_others_come_and_go() -> None:
    names = [f"g{n}" for n in range(8)]
    everybody = wanted(world(*(gateway(name, 80) for name in names)))
    before = ports_of(everybody)
    assert len(before) == 8  # all ports are given
    some = names[3:]
    after = wanted(world(*(gateway(name, 80) for name in some), services=everybody))
    assert ports_of(after) == {name: before[name] for name in some}
    again = wanted(world(*(gateway(n, 80) for n in [*some, "new"]), services=after))
    assert {name: ports_of(again)[name] for name in some} == ports_of(after)


def test_orphans_are_those_of_gateways_that_are_gone() -> None:
    first = wanted(world(gateway("a", 80), gateway("b", 80)))
    made = world(gateway("b", 80), services=first)
    (gone,) = gateway_services.orphans(made, compiler.compile(made))
    assert gone == next(s.ref for s in first if s.gateway == ("shop", "a"))
    theirs = """
    apiVersion: v1
    kind: Service
    metadata: {name: other, namespace: gatereeve}
    spec: {ports: [{port: 80}]}
    """
    made = world(gateway("b", 80), theirs)
    assert gateway_services.orphans(made, compiler.compile(made)) == ()


def test_no_port_left() -> None:
    made = world(gateway("a", 80), gateway("b", 80), ports=1)
    assert list(ports_of(wanted(made))) == ["a"]


def test_two_services_with_one_port() -> None:
    """What two leaders at once may have written: the older keeps it, the other waits and is mended."""
    first = wanted(world(gateway("a", 80), gateway("b", 80)))
    taken = first[0].ports[0][1]
    text = written(first).replace(f"targetPort: {first[1].ports[0][1]}", f"targetPort: {taken}")
    made = world_of(GATE.replace("PORTS", "8"), gateway("a", 80), gateway("b", 80), text)
    compiled = compiler.compile(made)
    (gate,) = compiled.ir.gates
    assert [x.port for x in gate.listeners] == [8080, taken]
    assert [f.code for f in compiled.findings] == ["gateway-pending"]
    mended = ports_of(wanted(made))
    assert mended["a"] == {80: taken}
    assert mended["b"][80] != taken


def test_a_service_of_another_gate_gives_nothing() -> None:
    first = wanted(world(gateway("a", 80)))
    text = written(first).replace("gatereeve.dev/gate: public", "gatereeve.dev/gate: other")
    made = world_of(GATE.replace("PORTS", "8"), gateway("a", 80), text)
    assert [f.code for f in compiler.compile(made).findings] == ["gateway-pending"]
