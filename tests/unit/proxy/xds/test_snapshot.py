"""Resources and snapshots: determinism, needs, differences."""

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2

from gatereeve.proxy.xds import snapshot as snap
from tests.features import xds_messages as msg


def test_the_order_in_which_a_map_was_filled_does_not_show() -> None:
    def filled(*keys: str) -> bytes:
        found = msg.cluster("a")
        for key in keys:
            found.metadata.filter_metadata[key].fields["x"].string_value = key
            found.typed_extension_protocol_options[key].type_url = key
        return snap.resource_of(found).body

    keys = [f"key-{number}" for number in range(20)]
    assert filled(*keys) == filled(*reversed(keys))


def test_version_is_the_content() -> None:
    assert snap.resource_of(msg.secret("k", "1")) == snap.resource_of(msg.secret("k", "1"))
    assert (
        snap.resource_of(msg.secret("k", "1")).version
        != snap.resource_of(msg.secret("k", "2")).version
    )


def test_a_nameless_message_cannot_be_served() -> None:
    with pytest.raises(ValueError, match="without a name"):
        snap.resource_of(cluster_pb2.Cluster())


def test_shuffled_messages_make_equal_snapshots() -> None:
    messages = [msg.cluster("a"), msg.cluster("b"), msg.endpoints("a", 1), msg.routes(x=200)]
    one, other = msg.snapshot("v", *messages), msg.snapshot("v", *reversed(messages))
    assert one == other
    for type_url in snap.TYPES:
        assert snap.type_version(one.of(type_url)) == snap.type_version(other.of(type_url))


def test_needs() -> None:
    assert snap.needs_of(msg.cluster("a")) == ((snap.EDS, "a"),)
    assert snap.needs_of(msg.listener("l", 1, routes="r")) == ((snap.RDS, "r"),)
    assert snap.needs_of(msg.endpoints("a", 1)) == ()
    named = msg.cluster("a")
    named.eds_cluster_config.service_name = "service"
    context = tls_pb2.UpstreamTlsContext()
    certificates = context.common_tls_context.tls_certificate_sds_secret_configs
    certificates.add(name="ours", sds_config=msg.over_ads())
    certificates.add(name="of-the-bootstrap")
    trust = context.common_tls_context.combined_validation_context
    trust.validation_context_sds_secret_config.name = "trust"
    trust.validation_context_sds_secret_config.sds_config.CopyFrom(msg.over_ads())
    named.transport_socket.typed_config.CopyFrom(msg.packed(context))
    assert set(snap.needs_of(named)) == {
        (snap.EDS, "service"),
        (snap.SDS, "ours"),
        (snap.SDS, "trust"),
    }


def test_diff() -> None:
    old = msg.snapshot("v1", msg.secret("same"), msg.secret("k", "1"), msg.secret("gone"))
    new = msg.snapshot("v2", msg.secret("same"), msg.secret("k", "2"), msg.routes(x=200))
    assert snap.diff(old, new) == {
        snap.SDS: snap.TypeDiff(added=(), changed=("k",), removed=("gone",)),
        snap.RDS: snap.TypeDiff(added=("routes",), changed=(), removed=()),
    }
    assert snap.diff(new, new) == {}
    assert set(snap.diff(None, new)) == {snap.SDS, snap.RDS}
