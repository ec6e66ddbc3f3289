"""Which gate serves which class: parameters, lists, annotations, defaults, and classes of others."""

from __future__ import annotations

import pytest

from gatereeve.compile.routes.classes import classes_of
from tests.support.worlds import world_of


def gate(name: str, classes: str, port: int) -> str:
    return f"""
    apiVersion: gatereeve.dev/v1alpha1
    kind: Gate
    metadata: {{name: {name}}}
    spec: {{region: de, http: {{port: {port}}}, classes: [{classes}]}}
    """


ONE = (gate("one", "listed", 8080),)
TWO = (*ONE, gate("two", "other", 8081))


def ingress_class(spec: str, meta: str = "", name: str = "listed") -> str:
    return f"""
    apiVersion: networking.k8s.io/v1
    kind: IngressClass
    metadata: {{name: {name}{meta}}}
    spec: {{{spec}}}
    """


def gateway_class(spec: str, meta: str = "", name: str = "listed") -> str:
    return f"""
    apiVersion: gateway.networking.k8s.io/v1
    kind: GatewayClass
    metadata: {{name: {name}{meta}}}
    spec: {{{spec}}}
    """


OURS = "controller: gatereeve.dev/gate"
TO_TWO = "parameters: {apiGroup: gatereeve.dev, kind: Gate, name: two}"
ANNOTATED = ", annotations: {gatereeve.dev/gate: two}"


@pytest.mark.parametrize(
    ("texts", "served", "code"),
    [
        (ONE, "one", None),
        ((*ONE, ingress_class(OURS)), "one", None),
        ((*TWO, ingress_class(OURS)), "one", None),  # listed
        ((*TWO, ingress_class(f"{OURS}, {TO_TWO}")), "two", None),  # parameters before lists
        ((*TWO, ingress_class(f"{OURS}, parameters: {{apiGroup: gatereeve.dev, kind: Gate, name: three}}")),
         None, "parameters-invalid"),
        ((*TWO, ingress_class(f"{OURS}, {TO_TWO}".replace("two}", "two, namespace: x}"))),
         None, "parameters-invalid"),  # a Gate stands in no namespace
        ((*TWO, ingress_class(f"{OURS}, parameters: {{kind: Gate, name: two}}")), None, "parameters-invalid"),
        ((*TWO, ingress_class("controller: example.com/other")), None, "class-foreign"),
    ],
)  # fmt: skip
def test_the_class_that_a_gate_lists(
    texts: tuple[str, ...], served: str | None, code: str | None
) -> None:
    classes = classes_of(world_of(*texts))
    assert classes.ingress.get("listed") == served
    assert [f.code for f in classes.findings] == ([] if code is None else [code])


@pytest.mark.parametrize(
    ("texts", "served", "code"),
    [
        ((*ONE, gateway_class("controllerName: gatereeve.dev/gate", name="x")), "one", None),  # the only gate
        ((*TWO, gateway_class("controllerName: gatereeve.dev/gate", name="x")), None, "class-unknown"),
        ((*TWO, gateway_class("controllerName: gatereeve.dev/gate", ANNOTATED, name="x")), "two", None),
        ((*TWO, gateway_class("controllerName: gatereeve.dev/gate, parametersRef: {group: gatereeve.dev, kind: Gate, name: two}", name="x")),
         "two", None),
        ((*ONE, gateway_class("controllerName: example.com/other", name="x")), None, None),
    ],
)  # fmt: skip
def test_a_class_that_no_gate_lists(
    texts: tuple[str, ...], served: str | None, code: str | None
) -> None:
    classes = classes_of(world_of(*texts))
    assert classes.gateway.get("x") == served
    assert [f.code for f in classes.findings] == ([] if code is None else [code])


def test_a_foreign_class_of_one_kind_leaves_the_other_kind_alone() -> None:
    classes = classes_of(world_of(*ONE, ingress_class("controller: example.com/other")))
    assert (classes.ingress.get("listed"), classes.gateway.get("listed")) == (None, "one")


DEFAULT = ', annotations: {ingressclass.kubernetes.io/is-default-class: "true"}'


@pytest.mark.parametrize(
    ("texts", "default"),
    [
        ((), None),
        ((ingress_class(OURS, DEFAULT),), "one"),
        ((ingress_class("controller: example.com/other", DEFAULT),), None),
        ((ingress_class(OURS, DEFAULT), ingress_class(OURS, DEFAULT, name="also")), None),
    ],
)
def test_the_default_class(texts: tuple[str, ...], default: str | None) -> None:
    assert classes_of(world_of(*ONE, *texts)).default == default
