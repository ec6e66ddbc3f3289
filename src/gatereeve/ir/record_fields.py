"""What a gate reports about each request: the names shared by the Envoy builders and by `intake`.

A gate reports over the access-log service (`HTTPAccessLogEntry`). Most of a record stands in that
entry by itself (times, addresses, flags, `request_id`, attempts); the rest is under the names here.
Where each field of `core.records.RequestRecord` comes from:

| field | where in the entry |
|---|---|
| `record_id` | `request.request_id`, the same as the answer's `x-request-id` and body |
| `code` | `response.response_headers[CODE_HEADER]`; absent when the gate did not answer itself |
| `path` | dynamic metadata `GATE_NAMESPACE`, key `PATH_KEY`, when it is there; else `request.path` |
| `config` | dynamic metadata `GATE_NAMESPACE`, key `CONFIG_KEY`; absent before the first filter |
| model, protocol, operation, audit, policy, route_rule, requested_version | tag `ROUTE_TAG` |
| `version` | tag `VERSION_TAG`: of the server that answered, so a fallback shows itself |
| `caller` | see `CALLERS`; anonymous when none of them is there |
| `region`, `purpose` | tags `region_tag(0)`, `region_tag(1)`, …: the lowest number decides; lower case |
| `rule` | `rule_of` a policy id, see `RULES` |
| `shadow` | `SHADOW_DENY_ID` and `SHADOW_ALLOW_ID`, through `shadow_of` |
| `split_key` | xxHash64 (seed 0) of the first sticky key that is there, see `STICKY_KEY`; none for a header with a comma, which may have been sent twice |

Constants and pure functions of text only: no Envoy type, no parser.
"""

from __future__ import annotations

from typing import Final

LOG_NAME: Final = "gatereeve"
"""The access log's name, in the stream's identifier."""

CODE_HEADER: Final = "x-gatereeve-code"
"""Response header of every answer the gate gives in a model's stead: the refusal code.

Removed from what servers answer, so it cannot be forged from behind.
"""

ROUTE_TAG: Final = "route"
"""Custom tag: one JSON object about the route that was chosen; absent when none was.

Keys, all optional but `row`: `row` (the route's name), `model`, `protocol`, `operation`, `audit`,
`policy`, `route_rule`, `requested`, and `sticky`, a list of `header`, `principal`, `address` in
order, there only when a hash chose between versions.
"""

VERSION_TAG: Final = "version"
"""Custom tag: the version of the server that was chosen last; absent for ordinary Services."""

GATE_NAMESPACE: Final = "gatereeve"
"""Dynamic metadata of ours."""

CONFIG_KEY: Final = "config"
"""In `GATE_NAMESPACE`: content hash of the gate's configuration, `sha256:…`."""

STICKY_KEY: Final = "sticky"
"""In `GATE_NAMESPACE`: value of the sticky header, when the route hashes one and it was sent."""

PATH_KEY: Final = "path"
"""In `GATE_NAMESPACE`: the path that was asked for, without its query, when the route rewrites it."""

CALLERS: Final = ("jwt", "apikey", "mtls")
"""Methods in order of precedence; the first that proves an identity names the caller.

jwt: tags `id_tag(provider)` and `groups_tag(provider)` (a JSON list); the issuer is `iss` in
`JWT_NAMESPACE` under the provider's name. apikey, mtls: `APIKEY_NAMESPACE`, `MTLS_NAMESPACE` with
`provider`, `id` and `groups`.
"""

JWT_NAMESPACE: Final = "envoy.filters.http.jwt_authn"
APIKEY_NAMESPACE: Final = "gatereeve.apikey"
MTLS_NAMESPACE: Final = "gatereeve.mtls"

RBAC_NAMESPACE: Final = "envoy.filters.http.rbac"
"""Dynamic metadata of Envoy's RBAC filters; the keys below stand in it."""

STAGE_RESULT: Final = "stage_shadow_engine_result"
"""`allowed`, or `denied` when one of the stages before the allow rules refused."""

STAGE_ID: Final = "stage_shadow_effective_policy_id"
"""Which stage and policy refused: `STAGES`, then `|`, a number, `|`, the name."""

ALLOW_RESULT: Final = "allow_enforced_engine_result"
ALLOW_ID: Final = "allow_enforced_effective_policy_id"
"""The allow rule that matched: a number, `@` when it admitted a caller without a credential, `!` when
it has a limit, then `|` and its name."""

RULES: Final = (STAGE_ID, ALLOW_ID)
"""Where `rule` is: the deny rule of `STAGE_ID` when it starts with `DENY_STAGE`, else `ALLOW_ID`."""

SHADOW_DENY_RESULT: Final = "shadow_deny_shadow_engine_result"
SHADOW_DENY_ID: Final = "shadow_deny_shadow_effective_policy_id"
SHADOW_ALLOW_RESULT: Final = "shadow_allow_shadow_engine_result"
SHADOW_ALLOW_ID: Final = "shadow_allow_shadow_effective_policy_id"

ORDINARY: Final = "ordinary"
"""The allow policy of rows that ask for nothing: not a rule of a document, so no record names it."""

DENY_STAGE: Final = "4"

STAGES: Final = {
    "0": "ambiguous-path",
    "1": "ambiguous-header",
    "2": "invalid-credential",
    "3": "credential-required",
    DENY_STAGE: "denied-by-rule",
    "5": "no-eligible-version",
    "9": "unknown-path",
}
"""The stages before the allow rules, in the order in which they speak, with their refusal codes."""


def id_tag(provider: str) -> str:
    """Custom tag with the caller's id as a JWT provider proved it."""
    return f"id/{provider}"


def groups_tag(provider: str) -> str:
    """Custom tag with the caller's groups as a JWT provider proved them: a JSON list."""
    return f"groups/{provider}"


def region_tag(source: int) -> str:
    """Custom tag with what the source of this number says the region is."""
    return f"region/{source}"


def purpose_tag(source: int) -> str:
    """Custom tag with what the source of this number says the purpose is."""
    return f"purpose/{source}"


def stage_policy(stage: str, index: int, name: str) -> str:
    """A policy id of the stages: sorts by stage, then by index."""
    return f"{stage}|{index:04d}|{name}"


def rule_policy(index: int, name: str, *, limited: bool = False, anonymous: bool = False) -> str:
    """A policy id of the allow or shadow rules: sorts by index."""
    return f"{index:04d}{'@' if anonymous else ''}{'!' if limited else ''}|{name}"


def rule_of(policy_id: str) -> str:
    """The rule's name in a policy id made here: what stands behind the numbers."""
    head, _, rest = policy_id.partition("|")
    return rest.partition("|")[2] if head in STAGES else rest


def shadow_of(deny_id: str | None, allow_id: str | None, *, allow_denied: bool) -> tuple[str, ...]:
    """What policies in shadow mode would have done, as the record keeps it.

    deny_id: `SHADOW_DENY_ID` when `SHADOW_DENY_RESULT` is `denied`, else None. allow_id:
    `SHADOW_ALLOW_ID` when `SHADOW_ALLOW_RESULT` is `allowed`, else None. allow_denied: whether
    `SHADOW_ALLOW_RESULT` is `denied`.
    """
    found = []
    if deny_id is not None:
        found.append(f"deny {rule_of(deny_id)}")
    if allow_id is not None:
        found.append(f"allow {rule_of(allow_id)}")
    elif allow_denied:
        found.append("no-allow-rule")
    return tuple(found)
