"""The guards in a real API server: what each of the named people may do, and the ways around."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.cluster import waiting
from tests.cluster.api import Answer, Api
from tests.cluster.controlplane import ControlPlane
from tests.support import guarded
from tests.support.guarded import TLS, TO_MODEL, approval, gateway, http_route, ingress, version

CONTROLLER = "system:serviceaccount:gatereeve-system:gatereeve-controller"
CHANGED_BY = "gatereeve.dev/changed-by"

Act = Callable[[str], Api]


@pytest.fixture(scope="module", autouse=True)
def _guards(root: Api, crds: None, gateway_crds: None) -> Iterator[None]:
    with guarded.guarded(root, guarded.generated()):
        yield


@pytest.fixture
def act(apiserver: ControlPlane) -> Iterator[Act]:
    """`act("mira")` acts as that user in the namespace lending; what is made is deleted afterwards."""
    made: dict[str, Api] = {}

    def user(name: str) -> Api:
        return made.setdefault(name, apiserver.api(name, namespace="lending"))

    yield user
    admin = user("admin")
    for api in made.values():
        if api is not admin:
            admin.made += api.made
    admin.tidy()
    for api in made.values():
        api.close()


def refused(answer: Answer, code: str) -> bool:
    return answer.status in (403, 422) and code in answer.message


# routes


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (ingress(), ""),
        (ingress(path="/v1/deeper"), ""),
        (ingress(host="a.b.lending.example.com", path="/v2"), ""),
        (ingress(host="*.lending.example.com"), ""),
        (ingress(host="shop.example.com"), "host-not-granted"),
        (ingress(host="lending.example.com"), "host-not-granted"),
        (ingress(host=""), "host-not-granted"),
        (ingress(host="*.example.com"), "host-not-granted"),
        (ingress(path="/"), "host-not-granted"),
        (ingress(path="/v1beta"), "host-not-granted"),
        (ingress(path="/v1;x"), "path-refused"),
        (ingress(path="/v1//x", kind="ImplementationSpecific"), "path-refused"),
        (ingress(path="/v1/../x", kind="ImplementationSpecific"), "path-refused"),
        (ingress(path="/v1/%2fx", kind="ImplementationSpecific"), "path-refused"),
        (ingress(path="/v1/(.*)", kind="ImplementationSpecific"), "path-refused"),
        (
            ingress(
                spec="ingressClassName: gatereeve,"
                " defaultBackend: {service: {name: other, port: {number: 80}}}"
            ),
            "host-not-granted",
        ),
        (ingress(tls="[{secretName: c, hosts: [bank.example.com]}]"), "host-not-granted"),
        (ingress(tls=TLS), ""),
        (
            ingress(annotations="{nginx.ingress.kubernetes.io/configuration-snippet: deny}"),
            "annotation-refused",
        ),
        (
            ingress(annotations="{nginx.ingress.kubernetes.io/auth-url: 'http://x'}"),
            "annotation-refused",
        ),
        (ingress(annotations="{nginx.ingress.kubernetes.io/ssl-redirect: 'true'}"), "annotation-"),
        (ingress(annotations="{nginx.ingress.kubernetes.io/ssl-redirect: 'false'}"), ""),
        (
            ingress(annotations="{nginx.ingress.kubernetes.io/proxy-body-size: 8m}"),
            "annotation-refused",
        ),
        (ingress(annotations="{nginx.ingress.kubernetes.io/proxy-body-size: '0'}"), ""),
        (ingress(annotations="{nginx.ingress.kubernetes.io/proxy-read-timeout: '60'}"), ""),
        (
            ingress(annotations='{nginx.ingress.kubernetes.io/proxy-read-timeout: "8\\u0001"}'),
            "annotation-refused",
        ),
        (ingress(annotations="{kubernetes.io/ingress.class: nginx}"), "ingress.class"),
        (ingress(host="shop.example.com", spec="ingressClassName: nginx"), ""),
        (ingress(backend=TO_MODEL, tls=TLS), ""),
        (ingress(backend=TO_MODEL), "tls-unavailable"),
        (ingress(backend="{service: {name: credit, port: {number: 80}}}"), "tls-unavailable"),
    ],
)
def test_an_ingress_of_a_developer(act: Act, document: str, code: str) -> None:
    answer = act("mira").apply(document)

    assert refused(answer, code) if code else answer.accepted, answer


@pytest.mark.parametrize("api_version", ["v1", "v1beta1"])
@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({}, ""),
        ({"hosts": "[a.lending.example.com]"}, ""),
        ({"hosts": "[shop.example.com]"}, "host-not-granted"),
        ({"hosts": "[credit.example.com, shop.example.com]"}, "host-not-granted"),
        ({"hosts": "[]"}, "host-not-granted"),
        ({"hosts": "[]", "parent": "{name: web, namespace: infra, sectionName: one}"}, ""),
        ({"hosts": "['*.example.com']"}, "host-not-granted"),
        ({"rules": "[{backendRefs: [{name: other, port: 80}]}]"}, "host-not-granted"),
        ({"rules": "[{matches: [{path: {type: Exact, value: /v3}}]}]"}, "host-not-granted"),
        (
            {"rules": "[{matches: [{path: {type: RegularExpression, value: /v1}}]}]"},
            "host-not-granted",
        ),
        ({"rules": "[{matches: [{path: {value: '/v1;x'}}]}]"}, "path-refused"),
        ({"hosts": "[shop.example.com]", "parent": "{name: foreign}"}, ""),
    ],
    ids=str,
)
def test_an_http_route_of_a_developer(
    act: Act, given: dict[str, str], code: str, api_version: str
) -> None:
    answer = act("mira").apply(http_route(**given, version=api_version))

    assert refused(answer, code) if code else answer.accepted, answer


def test_who_may_not_route_to_models_cannot_reach_one_by_any_name(act: Act, root: Api) -> None:
    """An `edit` of the namespace may make Ingresses, as in most clusters."""
    root.apply(
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,"
        " metadata: {name: editors}, subjects: [{kind: User, name: mallory,"
        " apiGroup: rbac.authorization.k8s.io}], roleRef: {kind: ClusterRole, name: editors,"
        " apiGroup: rbac.authorization.k8s.io}}"
    ).ok()
    root.apply(
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: editors},"
        " rules: [{apiGroups: [networking.k8s.io, gateway.networking.k8s.io],"
        " resources: [ingresses, ingresses/status, httproutes], verbs: [get, create, patch, update]},"
        " {apiGroups: [gatereeve.dev], resources: [models/status, gates/status, modelversions/status],"
        " verbs: [patch, update]}, {apiGroups: [''], resources: [namespaces, namespaces/status,"
        " namespaces/finalize], verbs: [get, patch, update, create]}]}"
    ).ok()
    mallory = act("mallory")
    waiting.until(lambda: mallory.apply(ingress()).accepted, "mallory may make Ingresses")

    for backend in (TO_MODEL, "{service: {name: credit, port: {number: 80}}}"):
        assert refused(mallory.apply(ingress(backend=backend, tls=TLS)), "not-permitted")
    for backend in (
        "{group: gatereeve.dev, kind: Model, name: credit}",
        "{name: credit, port: 80}",
    ):
        rules = f"[{{matches: [{{path: {{value: /v1}}}}], backendRefs: [{backend}]}}]"
        for api_version in ("v1", "v1beta1"):
            answer = mallory.apply(http_route(rules=rules, version=api_version))
            assert refused(answer, "not-permitted"), answer

    # Through the status of a route, and through what protects a namespace: labels and annotations.
    changed = {
        "metadata": {
            "annotations": {"nginx.ingress.kubernetes.io/server-snippet": "return 200;"},
        }
    }
    answer = mallory.patch(ingress(), changed, subresource="status")
    assert refused(answer, "annotation-refused"), answer
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    for subresource in ("", "status", "finalize"):
        change = {**shop, "metadata": {"name": "shop", "labels": {"team": "lending"}}}
        answer = (
            mallory.replace(
                {**change, "spec": {"finalizers": ["kubernetes"]}}, subresource="finalize"
            )
            if subresource == "finalize"
            else mallory.patch(shop, change, subresource=subresource)
        )
        assert refused(answer, "label-guarded"), (subresource, answer)
    new = {"apiVersion": "v1", "kind": "Namespace",
           "metadata": {"name": "trojan", "labels": {"team": "lending"}}}  # fmt: skip
    assert refused(mallory.create(new), "label-guarded")
    assert mallory.patch(shop, {"metadata": {"labels": {"colour": "blue"}}}).accepted


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"namespace": "lending", "host": "credit.example.com"}, ""),
        ({"namespace": "lending", "host": "shop.example.com"}, "host-not-granted"),
        ({"namespace": "shop"}, "host-not-granted"),
        ({"namespace": "elsewhere"}, "namespace-unguarded"),
        ({"namespace": "lending", "tls": "{mode: Passthrough}", "protocol": "TLS"}, ""),
    ],
    ids=str,
)
def test_a_gateway_of_the_platform_team(act: Act, given: dict[str, str], code: str) -> None:
    answer = act("petra").apply(gateway(**given))

    assert refused(answer, code) if code else answer.accepted, answer


# decisions


@pytest.mark.parametrize(
    ("user", "document", "code"),
    [
        ("max", approval("max"), ""),
        ("rosa", approval("rosa", "risk"), ""),
        ("piet", approval("piet", "privacy"), ""),
        ("max", approval("rosa", "risk"), "approver-not-you"),
        ("max", approval("max", "risk"), "approver-not-named"),
        ("piet", approval("piet", "risk"), "approver-not-named"),
        ("mira", approval("mira"), "forbidden"),
        ("pipeline", approval("pipeline"), "forbidden"),
        ("petra", approval("petra"), "forbidden"),
        ("admin", approval("admin"), "approver-not-named"),
    ],
)
def test_who_approves(act: Act, user: str, document: str, code: str) -> None:
    answer = act(user).create(document)

    assert refused(answer, code) if code else answer.accepted, answer


def test_a_decision_stays_as_it_was_made_and_is_withdrawn_by_its_maker(act: Act) -> None:
    document = approval("rosa", "risk")
    act("rosa").create(document).ok()
    turned = {"spec": {"decision": "reject"}}

    assert refused(act("rosa").patch(document, turned), "immutable")
    assert refused(act("admin").patch(document, turned), "immutable")
    assert refused(act("piet").delete(document), "approver-not-you")
    assert act("rosa").delete(document).accepted


@pytest.mark.parametrize(
    ("user", "hours", "code"),
    [("selma", 1, ""), ("selma", 3, "break-glass-refused"), ("max", 1, "break-glass-refused")],
)
def test_breaking_the_glass(act: Act, user: str, hours: int, code: str) -> None:
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415 - only here

    until = (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer = act(user).create(approval(user, more=f", breakGlass: {{until: '{until}'}}"))

    assert refused(answer, code) if code else answer.accepted, answer


# versions, models


@pytest.mark.parametrize(
    ("user", "document", "code"),
    [
        ("pipeline", version(author="mira"), ""),
        ("mira", version(author="mira"), "forbidden"),
        ("admin", version(author="mira"), "author-not-you"),
        ("admin", version(author="admin"), ""),
        ("pipeline", version(namespace="elsewhere"), "forbidden"),
    ],
)
def test_who_brings_versions(act: Act, user: str, document: str, code: str) -> None:
    answer = act(user).apply(document)

    assert refused(answer, code) if code else answer.accepted, answer


def test_a_version_is_immutable_for_everybody(act: Act) -> None:
    act("pipeline").apply(version()).ok()

    for user in ("pipeline", "admin"):
        answer = act(user).patch(version(), {"spec": {"region": "us"}})
        assert refused(answer, "immutable"), answer
    forced = version().replace("region: de", "region: us")
    assert refused(act("pipeline").apply(forced, manager="gatereeve", force=True), "immutable")


def test_lowering_the_risk_is_for_risk_approvers(act: Act) -> None:
    act("mira").apply(guarded.model()).ok()
    lower, higher = {"spec": {"riskClass": "limited"}}, {"spec": {"riskClass": "high"}}

    assert refused(act("mira").patch(guarded.model(), lower), "risk-lowered")
    assert act("rosa").patch(guarded.model(), lower).accepted
    assert act("mira").patch(guarded.model(), higher).accepted


# the guards' own footing


def test_statuses_are_the_controllers_only(act: Act) -> None:
    act("mira").apply(guarded.model()).ok()
    forged = {"status": {"conditions": [
        {"type": "Routed", "status": "True", "reason": "Forged", "message": "",
         "lastTransitionTime": "2026-11-27T00:00:00Z"}]}}  # fmt: skip

    for user in ("admin", "mira"):
        answer = act(user).patch(guarded.model(), forged, subresource="status")
        assert answer.status == 403, answer
    applied = {**guarded_model(), **forged}
    del applied["spec"]
    answer = act("admin").apply(applied, subresource="status", manager="gatereeve")
    assert refused(answer, "status-forged"), answer


def guarded_model() -> dict[str, object]:
    import yaml  # noqa: PLC0415 - only here

    loaded: dict[str, object] = yaml.safe_load(guarded.model())
    return loaded


def test_who_changed_a_document_cannot_be_forged(act: Act) -> None:
    document = guarded.model()
    forged = document.replace("name: credit,", f"name: credit, annotations: {{{CHANGED_BY}: max}},")

    def changed_by() -> object:
        return act("admin").get(document).ok()["metadata"]["annotations"][CHANGED_BY]

    act("mira").apply(forged).ok()
    assert changed_by() == "mira"
    act("max").patch(document, {"spec": {"purpose": "other"}}).ok()
    assert changed_by() == "max"
    for change in (
        {"metadata": {"annotations": {CHANGED_BY: "rosa"}}},
        {"metadata": {"annotations": {CHANGED_BY: None}}},
        {"metadata": {"labels": {"a": "b"}}},
    ):
        act("mira").patch(document, change).ok()
        assert changed_by() == "mira", change
        act("max").patch(document, {"metadata": {"labels": {"a": None}}}).ok()
    # Whoever only removes a finalizer did not change what it says.
    act("admin").patch(document, {"metadata": {"finalizers": ["example.com/f"]}}).ok()
    assert changed_by() in ("max", "mira")
    act("admin").patch(document, {"metadata": {"finalizers": []}}).ok()


def test_the_status_of_an_ingress_is_no_way_to_sign_for_others(act: Act) -> None:
    act("mira").apply(ingress()).ok()
    change = {"metadata": {"annotations": {CHANGED_BY: "max", "a": "b"}}}

    act("admin").patch(ingress(), change, subresource="status").ok()
    kept = act("admin").get(ingress()).ok()["metadata"]["annotations"]
    assert kept == {CHANGED_BY: "admin", "a": "b"}


def test_labels_with_odd_names_leave_the_guards_standing(root: Api) -> None:
    """Whatever a HostGrant selects by stays a literal in the policy that guards it."""
    documents = guarded.DOCUMENTS.replace(
        "{team: lending}}\n  hosts", "{team: lending, '\"😀\\n': x}}\n  hosts"
    )
    assert documents != guarded.DOCUMENTS
    for one in guarded.generated(documents):
        answer = root.apply(one, query={"dryRun": "All"})
        assert answer.accepted, answer.message


def test_parameters_are_not_changed_by_hand(act: Act) -> None:
    parameters = {"apiVersion": "gatereeve.dev/v1alpha1", "kind": "GuardParameters",
                  "metadata": {"name": "gatereeve", "namespace": "lending"}}  # fmt: skip
    change = {"spec": {"grants": [{"host": "*", "paths": ["/"]}]}}

    for user in ("mira", "petra", "max", "pipeline", "ada", "mallory"):
        assert act(user).patch(parameters, change).status == 403
        assert act(user).delete(parameters).status == 403
    assert act(CONTROLLER).patch(parameters, {"metadata": {"labels": {"a": "b"}}}).accepted


@pytest.mark.parametrize("user", ["petra", "mira", "max", "rosa", "pipeline", "ada", CONTROLLER])
def test_nobody_named_may_change_the_guards_or_take_more_rights(act: Act, user: str) -> None:
    api = act(user)
    admission = "/apis/admissionregistration.k8s.io/v1"
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    for path in (
        f"{admission}/validatingadmissionpolicies/gatereeve-ingresses",
        f"{admission}/validatingadmissionpolicybindings/gatereeve-ingresses",
        f"{admission}/mutatingadmissionpolicies/gatereeve-changers",
        f"{rbac}/clusterroles/gatereeve-developer",
        f"{rbac}/clusterrolebindings/gatereeve-platform",
        f"{rbac}/namespaces/lending/rolebindings/gatereeve-approver",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/approvals.gatereeve.dev",
    ):
        assert api.request("DELETE", path).status == 403, path
        media = "application/merge-patch+json"
        assert api.request("PATCH", path, body={"metadata": {}}, media=media).status == 403, path
    for verb, group, resource in (
        ("bind", "rbac.authorization.k8s.io", "clusterroles"),
        ("escalate", "rbac.authorization.k8s.io", "clusterroles"),
        ("impersonate", "", "users"),
        ("impersonate", "", "groups"),
        ("impersonate", "", "serviceaccounts"),
        ("create", "", "serviceaccounts/token"),
        ("get", "", "secrets"),
    ):
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                  "spec": {"resourceAttributes": {"verb": verb, "group": group,
                           "resource": resource.partition("/")[0],
                           "subresource": resource.partition("/")[2], "namespace": "lending"}}}  # fmt: skip
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        assert not api.request("POST", path, body=review).ok()["status"]["allowed"], (
            verb,
            resource,
        )


def test_rights_do_not_aggregate_into_edit(act: Act, apiserver: ControlPlane) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "more", "labels": {
                "rbac.authorization.k8s.io/aggregate-to-edit": "true"}},
            "rules": [{"apiGroups": ["gatereeve.dev"], "resources": ["approvals"],
                       "verbs": ["create"]}]}  # fmt: skip
    assert act("admin").create(role, query={"dryRun": "All"}).accepted  # may change the guards
    with apiserver.api("admin") as admin:
        admin.apply(
            "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,"
            " metadata: {name: role-makers}, subjects: [{kind: User, name: mallory,"
            " apiGroup: rbac.authorization.k8s.io}], roleRef: {kind: ClusterRole, name: role-makers,"
            " apiGroup: rbac.authorization.k8s.io}}"
        ).ok()
        admin.apply(
            "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name:"
            " role-makers}, rules: [{apiGroups: [rbac.authorization.k8s.io], resources:"
            " [clusterroles], verbs: [create, escalate]}]}"
        ).ok()
        mallory = act("mallory")
        waiting.until(
            lambda: refused(mallory.create(role), "aggregation-refused"), "the role is refused"
        )
        admin.tidy()


def test_a_namespace_that_goes_is_not_held_up(act: Act, root: Api) -> None:
    """Parameters go first, then somebody removes the finalizer of an Ingress."""
    document = ingress().replace("name: credit,", "name: credit, finalizers: [example.com/lb],")
    act("mira").apply(document).ok()
    parameters = guarded.parameters_of("lending")
    act("mira").delete(document).ok()
    root.delete(parameters).ok()
    try:
        waiting.until(
            lambda: refused(act("mira").apply(ingress().replace("credit,", "fresh,")), "no params"),
            "nothing new comes in without parameters",
        )
        assert act("mira").patch(document, {"metadata": {"finalizers": []}}).accepted
    finally:
        root.apply(parameters).ok()
        waiting.until(
            lambda: act("mira").apply(ingress(), query={"dryRun": "All"}).accepted,
            "the parameters are back",
        )


def test_the_platform_team_changes_what_grants_select(act: Act) -> None:
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}

    assert act("petra").patch(shop, {"metadata": {"labels": {"team": "other"}}}).accepted
    assert act("petra").patch(shop, {"metadata": {"labels": {"team": "shop"}}}).accepted
    assert act("mira").patch(shop, {"metadata": {"labels": {"team": "lending"}}}).status == 403


def test_auditors_read_everything_of_ours_and_write_nothing(act: Act) -> None:
    ada = act("ada")

    for kind in ("Gate", "HostGrant", "Model", "ModelVersion", "Approval", "GuardParameters"):
        assert ada.all_of("gatereeve.dev/v1alpha1", kind, everywhere=True).accepted, kind
    assert ada.all_of("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy").accepted
    assert ada.apply(guarded.model()).status == 403
    assert ada.all_of("v1", "Secret", everywhere=True).status == 403
