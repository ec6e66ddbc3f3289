"""The bootstrap: nothing that takes traffic, limits set, the same text each time."""

import dataclasses
import json
import pathlib
import re

import pytest

from gatereeve.proxy import bootstrap

SETTINGS = bootstrap.BootstrapSettings(
    gate="public",
    replica="1",
    xds=bootstrap.Upstream(socket=pathlib.Path("/run/xds.sock")),
    admin=pathlib.Path("/run/admin.sock"),
)


def test_it_takes_no_traffic() -> None:
    made = bootstrap.build(SETTINGS)
    assert not made.static_resources.listeners
    assert {cluster.name for cluster in made.static_resources.clusters} == {
        bootstrap.XDS_CLUSTER,
        bootstrap.ACCESS_LOG_CLUSTER,
    }
    assert made.admin.address.WhichOneof("address") == "pipe"
    assert made.admin.address.pipe.mode == 0o600


def test_it_names_the_gate() -> None:
    made = bootstrap.build(SETTINGS)
    assert (made.node.id, made.node.cluster) == ("gate/public-1", "public")


def test_xds_is_delta_over_ads_with_large_messages() -> None:
    made = bootstrap.build(SETTINGS)
    ads = made.dynamic_resources.ads_config
    assert ads.api_type == ads.DELTA_GRPC
    limit = ads.grpc_services[0].envoy_grpc.max_receive_message_length.value
    assert limit == bootstrap.MAX_MESSAGE_BYTES
    for config in (made.dynamic_resources.cds_config, made.dynamic_resources.lds_config):
        assert config.HasField("ads")
        assert config.initial_fetch_timeout.seconds == 15


def test_connections_and_memory_are_bounded() -> None:
    made = bootstrap.build(dataclasses.replace(SETTINGS, connections=7))
    monitors = {monitor.name: monitor for monitor in made.overload_manager.resource_monitors}
    assert set(monitors) == {
        "envoy.resource_monitors.fixed_heap",
        "envoy.resource_monitors.global_downstream_max_connections",
    }
    assert len(made.overload_manager.actions) == 3


def test_the_text_is_the_same_each_time() -> None:
    text = bootstrap.to_json(bootstrap.build(SETTINGS))
    assert text == bootstrap.to_json(bootstrap.build(SETTINGS))
    assert json.loads(text)["layered_runtime"] == {
        "layers": [
            {
                "name": "static",
                "static_layer": {
                    "re2.max_program_size.error_level": 1_000_000,
                    "envoy.reloadable_features.strict_chunk_parsing": True,
                },
            }
        ]
    }


def test_a_remote_controller_needs_tls() -> None:
    plain = dataclasses.replace(SETTINGS, xds=bootstrap.Upstream(hosts=(("controller", 1),)))
    with pytest.raises(ValueError, match="mutual TLS"):
        bootstrap.build(plain)


@pytest.mark.parametrize(
    ("name", "counted"),
    [
        ("cluster.model/lending/credit/v1.upstream_rq_total", True),
        ("cluster.model/lending/credit/v1.membership_healthy", True),
        ("cluster.model/lending/credit/v1.outlier_detection.ejections_active", True),
        ("cluster.model/lending/credit/v1.circuit_breakers.default.rq_open", True),
        ("cluster.model/lending/credit/v1.lb_healthy_panic", False),
        ("cluster.model/lending/credit/v1.update_success", False),
        ("cluster.model/lending/credit/v1.outlier_detection.ejections_enforced_total", False),
        ("cluster_manager.cds.version_text", True),
        ("cluster_manager.cds.update_success", True),
        ("http.https.rds.https/01.version_text", True),
        ("listener_manager.total_listeners_warming", True),
    ],
)
def test_statistics_that_nobody_reads_are_not_kept(name: str, *, counted: bool) -> None:
    patterns = bootstrap.build(SETTINGS).stats_config.stats_matcher.exclusion_list.patterns
    assert counted != any(re.fullmatch(p.safe_regex.regex, name) for p in patterns)
