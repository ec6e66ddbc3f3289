"""The fixtures themselves: who acts is who the API server sees, and what it refuses is told."""

from __future__ import annotations

import pytest

from tests.apiserver.conftest import AsUser
from tests.cluster import users
from tests.cluster.api import Api
from tests.cluster.controlplane import ControlPlane

REVIEW = "{apiVersion: authentication.k8s.io/v1, kind: SelfSubjectReview}"


@pytest.mark.parametrize("user", users.USERS, ids=lambda user: user.name)
def test_everybody_is_who_they_are(root: Api, apiserver: ControlPlane, user: users.User) -> None:
    with apiserver.api(user.name) as api:
        told = api.request(
            "POST",
            "/apis/authentication.k8s.io/v1/selfsubjectreviews",
            body={"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
        ).ok()["status"]["userInfo"]

    assert told["username"] == user.name
    assert set(told["groups"]) == {*user.groups, "system:authenticated"}


def test_a_stranger_is_refused_with_a_reason(as_user: AsUser) -> None:
    answer = as_user("mallory").apply(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a: b}}"
    )

    assert answer.status == 403
    assert answer.reason == "Forbidden"
    assert 'User "mallory" cannot patch' in answer.message


def test_warnings_are_told(admin: Api) -> None:
    answer = admin.apply("""
        apiVersion: networking.k8s.io/v1
        kind: Ingress
        metadata: {name: a, annotations: {kubernetes.io/ingress.class: nginx}}
        spec: {defaultBackend: {service: {name: a, port: {number: 80}}}}
    """)

    assert answer.status == 201
    assert len(answer.warnings) == 1
    assert 'annotation "kubernetes.io/ingress.class" is deprecated' in answer.warnings[0]


def test_kubectl_acts_as_anybody(apiserver: ControlPlane) -> None:
    said = apiserver.kubectl("auth", "whoami", user="mira").stdout

    assert "ml-team" in said


def test_an_impersonated_user_is_who_admission_sees(apiserver: ControlPlane) -> None:
    with apiserver.api("admin", impersonate="eve", groups=["guests"]) as api:
        answer = api.all_of("v1", "ConfigMap")

    assert 'User "eve" cannot list' in answer.message
