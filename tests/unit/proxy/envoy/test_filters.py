"""The chain: every filter file stands in ORDER once, and what enforces is closed by itself."""

from __future__ import annotations

import pathlib

from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as hcm_pb2,
)

from gatereeve.ir import identity
from gatereeve.ir.identity import Attributes, Identity
from gatereeve.proxy.envoy import filters, invariants, names
from gatereeve.proxy.envoy.filters import removal
from gatereeve.proxy.envoy.identity_matchers import IdentityMatchers
from gatereeve.proxy.xds import snapshot as snap
from tests.support import ir_builders as ir
from tests.unit.proxy.envoy import built


def _manager() -> hcm_pb2.HttpConnectionManager:
    gate = ir.gate(
        identity=Identity(
            jwt=(ir.Issuer().provider(),), api_keys=ir.api_keys(acme=()), mtls=ir.mtls(batch=())
        ),
        attributes=Attributes(
            region=(
                identity.HeaderSource(name="x-region", trusted=("10.0.0.0/8",)),
                identity.CidrSource(entries=(("10.0.0.0/8", "de"),)),
            )
        ),
    )
    plain = built.message(built.snapshot(gate), snap.LDS, "http")
    manager = hcm_pb2.HttpConnectionManager()
    plain.filter_chains[0].filters[0].typed_config.Unpack(manager)
    return manager


def test_order_names_every_file_of_the_folder_once() -> None:
    folder = pathlib.Path(filters.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", *filters.PARTS}
    order = [module.__name__.rpartition(".")[2] for module in filters.ORDER]
    assert sorted(order) == sorted(files)


def test_identity_comes_before_attributes_before_the_route_before_enforcement() -> None:
    chain = [f.name for f in _manager().http_filters]
    wanted = [
        names.GATE,
        names.WILDCARD,
        names.JWT,
        names.API_KEYS,
        names.CERTIFICATE_URI,
        names.attribute_filter("region", 0),
        names.attribute_filter("region", 1),
        names.BODY,
        names.SELECTION,
        names.STAGES,
        names.ENFORCE,
        names.ALLOW,
        names.LIMIT,
        names.ROUTER,
    ]
    assert [name for name in chain if name in wanted] == wanted


def test_no_filter_is_optional_and_none_that_enforces_is_disabled() -> None:
    manager = _manager()
    assert not any(f.is_optional for f in manager.http_filters)
    assert invariants.check_chain(manager) == []


def test_a_filter_that_does_not_enforce_by_itself_is_told() -> None:
    manager = _manager()
    for one in manager.http_filters:
        if one.name == names.ENFORCE:
            one.disabled = True
    assert any("not closed" in problem for problem in invariants.check_chain(manager))


def test_enforcement_out_of_order_is_told() -> None:
    manager = _manager()
    kept = [f for f in manager.http_filters if f.name != names.ALLOW]
    del manager.http_filters[:]
    manager.http_filters.extend(kept)
    assert any("do not enforce in order" in p for p in invariants.check_chain(manager))


def test_what_changes_with_keys_is_discovered_so_that_no_listener_drains() -> None:
    first, second = (
        ir.gate(identity=Identity(api_keys=ir.api_keys(**{name: ()}))) for name in ("a", "b")
    )
    one, other = built.snapshot(first), built.snapshot(second)
    changed = snap.diff(one, other)
    assert set(changed) == {snap.ECDS}
    assert changed[snap.ECDS].changed == (names.API_KEYS,)


def test_what_models_are_told_keeps_the_order_of_credentials() -> None:
    """A token without groups must not get those of an API key that came with it."""
    matchers = IdentityMatchers(
        identity=Identity(jwt=(ir.Issuer().provider(),), api_keys=ir.api_keys(acme=())),
        attributes=Attributes(),
    )
    packed = removal.handing_on(None, matchers, ("groups", "record"))
    made = header_mutation_pb2.HeaderMutationPerRoute()
    packed.Unpack(made)
    added = [m.append.header for m in made.mutations.request_mutations]
    assert [(h.key, h.value) for h in added] == [
        ("x-gatereeve-groups", "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:corp:groups)%"),
        ("x-gatereeve-groups",
         "%CEL('corp' in metadata.filter_metadata['envoy.filters.http.jwt_authn'] ? '[]' : '')%"),
        ("x-gatereeve-groups", "%DYNAMIC_METADATA(gatereeve.apikey:groups)%"),
        ("x-gatereeve-record", "%STREAM_ID%"),
    ]  # fmt: skip
