"""How a request ended, from Envoy's response flags and code details. Pure, on plain values.

Source: Envoy v1.40, "Access logging" (%RESPONSE_FLAGS%) and "Response code details".
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from gatereeve.core import records

FLAGS: Final = {
    "failed_local_healthcheck": "LH",
    "no_healthy_upstream": "UH",
    "upstream_request_timeout": "UT",
    "local_reset": "LR",
    "upstream_remote_reset": "UR",
    "upstream_connection_failure": "UF",
    "upstream_connection_termination": "UC",
    "upstream_overflow": "UO",
    "no_route_found": "NR",
    "delay_injected": "DI",
    "fault_injected": "FI",
    "rate_limited": "RL",
    "unauthorized_details": "UAEX",
    "rate_limit_service_error": "RLSE",
    "downstream_connection_termination": "DC",
    "upstream_retry_limit_exceeded": "URX",
    "stream_idle_timeout": "SI",
    "invalid_envoy_request_headers": "IH",
    "downstream_protocol_error": "DPE",
    "upstream_max_stream_duration_reached": "UMSDR",
    "response_from_cache_filter": "RFCF",
    "no_filter_config_found": "NFCF",
    "duration_timeout": "DT",
    "upstream_protocol_error": "UPE",
    "no_cluster_found": "NC",
    "overload_manager": "OM",
    "dns_resolution_failure": "DF",
    "downstream_remote_reset": "DR",
}
"""Fields of `ResponseFlags` and the short names Envoy's documentation gives them."""

_CALLER_LEFT: Final = frozenset({"DC", "DR"})
_MODEL_FAILED: Final = frozenset(
    {"UH", "UT", "LR", "UR", "UF", "UC", "UO", "URX", "SI", "UMSDR", "DT", "UPE", "NC", "DF"}
)
_CODES_OF_MODELS: Final = frozenset({"bad-gateway", "upstream-unavailable", "upstream-timeout"})
"""Refusal codes that say that the model failed, not that the gate refused."""


def flags_of(common: Any) -> tuple[str, ...]:
    """The short names of the flags that are set in `AccessLogCommon`, in the protocol's order."""
    if not common.HasField("response_flags"):
        return ()
    return tuple(
        FLAGS.get(field.name, field.name)
        for field, value in common.response_flags.ListFields()
        if value
    )


def outcome_of(
    status: int, code: str | None, flags: Collection[str], details: str
) -> records.Outcome:
    """1. The gate answered. 2. The caller left. 3. The model failed. 4. Else it answered.

    code: the refusal code that the caller got. details: the response code details.
    """
    if code is not None:  # 1
        return "broken" if code in _CODES_OF_MODELS else "refused"
    if not _CALLER_LEFT.isdisjoint(flags):  # 2
        return "reset"
    cut = "reset_after_response_started" in details
    if status == 0 or cut or not _MODEL_FAILED.isdisjoint(flags):  # 3
        return "broken"
    # An error that no upstream gave is the gate's, even without a code.
    return "served" if status < 400 or details.startswith("via_upstream") else "refused"  # 4
