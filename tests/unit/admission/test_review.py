"""One change, judged: what refuses, what warns, what is let through, and what is never held up."""

from __future__ import annotations

from typing import Any

import pytest

from gatereeve.admission import admission_review, world_subset
from gatereeve.admission.review import review, stamp
from gatereeve.core.refs import Ref
from tests.support.reviews import body, codes, judge, plain, warned
from tests.support.worlds import world_of

GATE = """
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: public}
spec:
  region: de
  http: {port: 8080}
  https: {port: 8443}
  governance: {breakGlass: {users: [otto], maxHours: 4}}
---
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {name: shop}
spec:
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}
  hosts: [shop.example, api.example]
  paths: [/]
  backends: {selector: {all: true}}
  addresses: [{cidr: 10.0.0.0/8}]
---
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {name: other}
spec:
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: other}}
  hosts: [api.example]
  paths: [/]
  backends: {selector: {all: true}}
  addresses: [{cidr: 10.0.0.0/8}]
"""

MODEL = """
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: offers, namespace: shop}
spec: {owner: olga, purpose: offers, riskClass: limited, protocol: json}
"""

VERSION = """
apiVersion: gatereeve.dev/v1alpha1
kind: ModelVersion
metadata: {name: offers-1, namespace: shop}
spec:
  model: offers
  version: "1"
  author: mia
  artifact: {digest: "sha256:%s"}
  region: de
  backend: {service: offers, port: 80}
""" % ("0" * 64)

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: offers, namespace: shop}
spec: {ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: offers-1, namespace: shop, labels: {kubernetes.io/service-name: offers}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.7]}]
ports: [{port: 9000}]
---
apiVersion: v1
kind: Service
metadata: {name: hidden, namespace: shop}
spec: {ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: hidden-1, namespace: shop, labels: {kubernetes.io/service-name: hidden}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.7]}]
ports: [{port: 9000}]
---
apiVersion: v1
kind: Service
metadata: {name: plain, namespace: shop}
spec: {ports: [{port: 80}]}
"""

DIGEST = world_of(VERSION).model_versions["shop", "offers-1"].digest


def approval(approver: str = "olga", digest: str = DIGEST, more: str = "", name: str = "a") -> str:
    return f"""
apiVersion: gatereeve.dev/v1alpha1
kind: Approval
metadata: {{name: {name}, namespace: shop, creationTimestamp: "2026-11-01T00:00:00Z"}}
spec:
  subject: {{name: offers-1, digest: "{digest}"}}
  role: owner
  decision: approve
  approver: {approver}
  reason: looked at it closely
  {more}
"""


def ingress(
    service: str = "plain",
    host: str = "shop.example",
    path: str = "/x",
    name: str = "web",
    namespace: str = "shop",
    cls: str = "gatereeve",
    created: str = "2026-11-01T00:00:00Z",
) -> str:
    return f"""
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: "{created}"}}
spec:
  ingressClassName: {cls}
  rules:
    - host: {host}
      http: {{paths: [{{path: "{path}", pathType: Prefix, backend: {{service: {{name: {service}, port: {{number: 80}}}}}}}}]}}
"""


ALL = (GATE, MODEL, VERSION, SERVICE)


# approvals


def test_the_author_does_not_approve() -> None:
    refused = judge(approval("mia"), *ALL)

    assert codes(refused) == {"approval-self"}
    assert judge(approval("olga"), *ALL).response.allowed


def test_the_author_does_not_approve_in_another_spelling() -> None:
    assert codes(judge(approval("MIA"), MODEL, VERSION)) == {"approval-self"}
    assert codes(judge(approval('"mi\\u0430"'), MODEL, VERSION)) == {"person-refused"}
    assert codes(judge(approval('"mia\\u2060"'), MODEL, VERSION)) == {"person-refused"}


def test_an_approval_is_of_the_version_as_it_is_now() -> None:
    refused = judge(approval(digest="sha256:" + "b" * 64), *ALL)

    assert codes(refused) == {"version-changed"}
    assert DIGEST in admission_review.write_review(refused.response).decode()


def test_an_approval_may_come_before_its_version() -> None:
    early = judge(approval(), GATE, MODEL)

    assert early.response.allowed
    assert warned(early) == {"version-not-found"}


def test_an_approval_that_was_right_once_is_not_refused_for_being_applied_again() -> None:
    stale = approval(digest="sha256:" + "b" * 64)

    assert judge(stale, *ALL, stale, old=stale).response.allowed


def test_approvals_are_judged_where_there_is_no_gate_yet() -> None:
    assert codes(judge(approval("mia"), MODEL, VERSION)) == {"approval-self"}


def test_breaking_the_glass() -> None:
    glass = "breakGlass: {until: '2026-11-01T02:00:00Z'}"

    counts = judge(approval("otto", more=glass), *ALL)
    assert counts.response.allowed
    assert "break-glass-active" in warned(counts)
    assert codes(judge(approval("mallory", more=glass), *ALL)) == {"break-glass-refused"}
    long = "breakGlass: {until: '2026-11-01T05:00:00Z'}"
    assert codes(judge(approval("otto", more=long), *ALL)) == {"break-glass-refused"}


# versions and other documents


def test_a_new_version_is_told_what_it_lacks() -> None:
    verdict = judge(VERSION.replace("offers-1", "offers-2").replace('"1"', '"2"'), *ALL)

    assert verdict.response.allowed
    assert "version-unapproved" in warned(verdict)


def test_a_second_version_of_the_same_name_is_refused() -> None:
    assert codes(judge(VERSION.replace("offers-1", "again"), *ALL)) == {"version-duplicate"}


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (VERSION.replace("model: offers", "model: none"), "model-not-found"),
        (
            (
                "apiVersion: gatereeve.dev/v1alpha1\nkind: AccessPolicy\n"
                "metadata: {name: p, namespace: shop}\n"
                "spec: {models: [none], allow: [{subjects: [{anonymous: true}]}]}\n"
            ),
            "model-not-found",
        ),
        (
            (
                "apiVersion: gatereeve.dev/v1alpha1\nkind: Rollout\n"
                "metadata: {name: r, namespace: shop}\n"
                "spec: {model: offers, split: [{version: '9', weight: 1}]}\n"
            ),
            "rollout-version-dropped",
        ),
    ],
)
def test_references_that_lead_nowhere_warn(document: str, code: str) -> None:
    verdict = judge(document, *ALL)

    assert verdict.response.allowed
    assert code in warned(verdict)


def test_a_document_that_says_nothing_is_refused() -> None:
    empty = (
        "apiVersion: gatereeve.dev/v1alpha1\nkind: AccessPolicy\n"
        "metadata: {name: p, namespace: shop}\nspec: {models: [offers]}\n"
    )
    assert codes(judge(empty, *ALL)) == {"policy-empty"}


def test_unknown_fields_are_refused_with_their_place() -> None:
    verdict = judge(MODEL.replace("owner: olga", "owner: olga, onwer: x"), *ALL)

    assert codes(verdict) == {"unknown-field"}
    assert verdict.response.causes[0].field == "spec.onwer"


# routes


def test_a_route_past_a_models_policy_is_refused() -> None:
    assert codes(judge(ingress("hidden"), *ALL)) == {"hidden-path-to-model"}


def test_a_route_to_the_service_behind_a_model_is_governed_like_one_to_the_model() -> None:
    """It is admitted, because it changes nothing: the policy of the model holds there, too."""
    verdict = judge(ingress("offers"), *ALL)

    assert verdict.response.allowed
    assert "tls-unavailable" in warned(verdict)


def test_a_host_without_a_grant_is_refused() -> None:
    assert codes(judge(ingress(host="bank.example"), *ALL)) == {"host-not-granted"}
    assert judge(ingress(host="bank.example", cls="nginx"), *ALL).response.allowed


def test_who_comes_second_is_warned_and_told_who_was_first() -> None:
    first = ingress(host="api.example", created="2026-10-01T00:00:00Z")
    late = ingress(host="api.example", name="late", namespace="other", service="plain")

    verdict = judge(late, *ALL, first)
    assert verdict.response.allowed
    assert "route-conflict" in warned(verdict)
    assert any("Ingress shop/web" in text for text in verdict.response.warnings)


@pytest.mark.parametrize("path", ["/y", "/x/deeper"])
def test_different_matches_do_not_conflict(path: str) -> None:
    first = ingress(host="api.example", created="2026-10-01T00:00:00Z")
    late = ingress(host="api.example", name="late", namespace="shop", path=path)

    assert "route-conflict" not in warned(judge(late, *ALL, first))


def test_an_older_route_that_takes_something_over_says_so() -> None:
    """Renaming and re-creating must work; who loses is told in the answer and in their status."""
    mine = ingress(host="api.example", created="2026-10-01T00:00:00Z", path="/y")
    theirs = ingress(host="api.example", name="late", namespace="other")
    took = ingress(host="api.example", created="2026-10-01T00:00:00Z", path="/x")

    verdict = judge(took, *ALL, mine, theirs, old=mine)
    assert verdict.response.allowed
    assert "route-conflict" in warned(verdict)


def test_a_backend_in_another_namespace_warns_without_a_reference_grant() -> None:
    route = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: other}
spec:
  parentRefs: [{name: web, namespace: shop}]
  hostnames: [api.example]
  rules: [{backendRefs: [{group: gatereeve.dev, kind: Model, name: offers, namespace: shop}]}]
"""
    gateway = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: shop}
spec:
  gatewayClassName: gatereeve
  listeners: [{name: a, port: 8080, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]
"""
    grant = """
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: g, namespace: shop}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: other}]
  to: [{group: gatereeve.dev, kind: Model}]
"""
    lacking = judge(route, *ALL, gateway)
    assert lacking.response.allowed
    assert "backend-not-granted" in warned(lacking)
    assert "backend-not-granted" not in warned(judge(route, *ALL, gateway, grant))
    beta = route.replace("/v1\n", "/v1beta1\n")
    assert "backend-not-granted" in warned(judge(beta, *ALL, gateway))


# what is never held up


def test_old_faults_do_not_refuse_new_edits() -> None:
    old = ingress(host="bank.example")
    new = old.replace('path: "/x"', 'path: "/y"').replace("plain", "offers")

    assert codes(judge(new, *ALL, old, old=old)) == {
        "host-not-granted"
    }  # another path, not granted
    same_place = old.replace("plain", "offers")
    assert judge(same_place, *ALL, old, old=old).response.allowed


def test_a_finalizer_can_always_be_removed_from_what_goes() -> None:
    old = plain(ingress("hidden"))
    old["metadata"] |= {"deletionTimestamp": "2026-11-01T00:00:00Z", "finalizers": ["a/b"]}
    new = plain(ingress("hidden"))
    new["metadata"] |= {"deletionTimestamp": "2026-11-01T00:00:00Z", "labels": {"a": "b"}}

    assert judge(new, *ALL, old=old).response.allowed
    new["spec"]["rules"][0]["host"] = "bank.example"
    assert not judge(new, *ALL, old=old).response.allowed


def test_statuses_and_managed_fields_are_nobodys_business() -> None:
    old = plain(ingress("hidden"))
    new = plain(ingress("hidden"))
    new["metadata"]["managedFields"] = [{"manager": "x"}]
    new["status"] = {"loadBalancer": {}}

    assert judge(new, *ALL, old=old).response.allowed


def test_a_deletion_is_allowed_and_witnessed_but_not_in_a_dry_run() -> None:
    verdict = judge(None, *ALL, old=approval(), operation="DELETE")
    assert verdict.response.allowed
    assert verdict.deleted == Ref("gatereeve.dev", "Approval", "shop", "a")
    assert judge(None, *ALL, old=approval(), operation="DELETE", dry_run=True).deleted is None


def test_a_collection_that_goes_has_no_name_in_the_request() -> None:
    verdict = judge(None, *ALL, old=approval(), operation="DELETE", name="")
    assert verdict.deleted == Ref("gatereeve.dev", "Approval", "shop", "a")


def with_metadata(**changes: object) -> dict[str, Any]:
    document = plain(MODEL)
    return {**document, "metadata": {**document["metadata"], **changes}}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"namespace": "other"}, "namespace"),
        ({"namespace": ""}, "namespace"),
        ({"name": "else"}, "name"),
        ({"name": ""}, "name"),
        ({"kind": {"group": "gatereeve.dev", "version": "v1alpha1", "kind": "Rollout"}}, "kind"),
        ({"oldObject": with_metadata(name="else")}, "name"),
        ({"oldObject": with_metadata(namespace="other")}, "namespace"),
        ({"oldObject": plain(approval())}, "kind"),
        ({"object": with_metadata(name=["offers"])}, "name"),
        ({"object": with_metadata(namespace=None)}, "namespace"),
        ({"object": {**plain(MODEL), "metadata": "none"}}, "metadata"),
    ],
)
@pytest.mark.parametrize("operation", ["CREATE", "UPDATE"])
def test_a_review_that_contradicts_itself_is_refused(
    changes: dict[str, Any], field: str, operation: str
) -> None:
    asked = admission_review.read_review(body(MODEL, operation=operation, **changes))
    seen = world_subset.index_world(world_of(*ALL))
    for answer in (review(asked, seen).response, stamp(asked)):
        assert not answer.allowed
        assert [cause.code for cause in answer.causes] == ["not-an-object"]
        assert f"the {field} of " in answer.causes[0].message


@pytest.mark.parametrize(
    "changes", [{"name": "else"}, {"namespace": "other"}, {"object": plain(MODEL)}]
)
def test_a_deletion_that_contradicts_itself_is_refused_and_not_witnessed(
    changes: dict[str, Any],
) -> None:
    verdict = judge(None, *ALL, old=MODEL, operation="DELETE", **changes)
    assert not verdict.response.allowed
    assert verdict.deleted is None


def test_a_kind_without_namespaces_has_none_in_the_object() -> None:
    grant = "---".join(GATE.split("---")[1:2])
    assert judge(grant, *ALL, operation="UPDATE").response.allowed
    assert not judge(grant, *ALL, operation="UPDATE", namespace="shop").response.allowed


@pytest.mark.parametrize(
    ("user", "groups"),
    [
        ("system:anonymous", ["system:unauthenticated"]),
        ("system:anonymous", []),
        ("mia", ["system:unauthenticated"]),
        ("System:Anonymous", []),
        ("", []),
    ],
)
def test_callers_without_a_credential_change_nothing_and_are_no_witnessed_person(
    user: str, groups: list[str]
) -> None:
    created = judge(approval(), *ALL, user=user, groups=groups)
    deleted = judge(None, *ALL, old=approval(), operation="DELETE", user=user, groups=groups)
    for verdict in (created, deleted):
        assert codes(verdict) == {"not-authenticated"}
        assert verdict.deleted is None
    assert not stamp(admission_review.read_review(body(MODEL, user=user, groups=groups))).allowed


def test_a_name_that_is_yet_to_be_made_is_no_fault() -> None:
    document = plain(approval())
    document["metadata"] = {"generateName": "a-", "namespace": "shop"}

    assert judge(document, *ALL).response.allowed


# closed on doubt


def test_nothing_comes_in_before_a_world_was_read() -> None:
    verdict = review(admission_review.read_review(body(MODEL)), None)

    assert (verdict.response.allowed, verdict.response.status) == (False, 503)
    gone = review(admission_review.read_review(body(None, old=MODEL, operation="DELETE")), None)
    assert gone.response.allowed


@pytest.mark.parametrize(
    "given",
    [
        {"kind": {"group": "apps", "version": "v1", "kind": "Deployment"}},
        {"kind": {"group": "gatereeve.dev", "version": "v9", "kind": "Model"}},
        {"kind": {"group": "gatereeve.dev", "version": "v1alpha1", "kind": "Gate"}},
        {"operation": "CONNECT"},
        {"operation": "?"},
        {"object": None},
        {"object": {}},
        {"object": {"apiVersion": "gatereeve.dev/v1alpha1", "kind": "Model"}},
        {
            "object": {
                "apiVersion": "gatereeve.dev/v1alpha1",
                "kind": "Model",
                "metadata": 7,
                "spec": [],
            }
        },
        {"object": {"apiVersion": ["x"], "kind": {"a": 1}, "metadata": {"name": "\u0000"}}},
    ],
    ids=str,
)
def test_what_cannot_be_judged_is_refused_in_good_form(given: dict[str, object]) -> None:
    verdict = judge(MODEL, *ALL, **given)

    assert not verdict.response.allowed
    assert verdict.response.causes
    assert b'"allowed":false' in admission_review.write_review(verdict.response)


# stamps


def test_the_webhook_stamps_who_asks_whatever_the_document_says() -> None:
    document = plain(MODEL)
    document["metadata"]["annotations"] = {"gatereeve.dev/changed-by": "somebody", "a": "b"}

    [patch] = stamp(admission_review.read_review(body(document, user="mia"))).patch
    assert (patch.op, patch.path) == ("add", "/metadata/annotations")
    assert patch.value == {"gatereeve.dev/changed-by": "mia", "a": "b"}
    [fresh] = stamp(admission_review.read_review(body(MODEL, user="mia"))).patch
    assert fresh.value == {"gatereeve.dev/changed-by": "mia"}
    assert not stamp(admission_review.read_review(body(None, old=MODEL, operation="DELETE"))).patch


def test_a_selector_over_a_whole_namespace_is_judged_by_some_of_it() -> None:
    many = "---".join(MODEL.replace("offers", f"offers-{n}") for n in range(200))
    policy = (
        "apiVersion: gatereeve.dev/v1alpha1\nkind: AccessPolicy\n"
        "metadata: {name: p, namespace: shop}\n"
        "spec: {selector: {all: true}, allow: [{subjects: [{provider: nobody}]}]}\n"
    )
    assert "provider-unknown" in warned(judge(policy, GATE, many))


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (
            (
                "apiVersion: gatereeve.dev/v1alpha1\nkind: Gate\nmetadata: {name: public}\n"
                "spec: {region: de, https: {port: 8443}, identity: {jwt: [{name: a, issuer: i,"
                " audiences: [m], jwks: {remote: {uri: 'http://id.example/keys'}}}]}}\n"
            ),
            "jwks-unavailable",
        ),
        (ingress("elsewhere"), "external-name-refused"),
        (ingress("gone"), "backend-not-found"),
        (
            ingress().replace(
                "rules:", "tls: [{secretName: opaque, hosts: [shop.example]}]\n  rules:"
            ),
            "tls-secret-invalid",
        ),
        (
            (
                "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
                "metadata: {name: g, namespace: shop}\n"
                "spec: {gatewayClassName: gatereeve, listeners: [{name: a, port: 8443, protocol: HTTPS,"
                " tls: {mode: Passthrough}}]}\n"
            ),
            "listener-invalid",
        ),
        (
            (
                "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
                "metadata: {name: r, namespace: shop}\n"
                "spec: {parentRefs: [{name: nothing}], rules: [{backendRefs: [{kind: Pod, name: p}]}]}\n"
            ),
            "parent-not-found",
        ),
    ],
)
def test_what_the_status_will_say_is_said_at_once(document: str, code: str) -> None:
    """Wrong, and closed in the gate: a warning, because what it needs may come later."""
    more = """
apiVersion: v1
kind: Service
metadata: {name: elsewhere, namespace: shop}
spec: {type: ExternalName, externalName: metadata.internal}
---
apiVersion: v1
kind: Secret
metadata: {name: opaque, namespace: shop}
type: Opaque
data: {}
"""
    verdict = judge(document, *ALL, more)

    assert verdict.response.allowed
    assert code in warned(verdict)
