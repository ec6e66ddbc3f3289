"""Edits of a document that leave YAML behind, and something else than was meant.

`_ANY` fits every kind; `_WORDS` are the fields of one kind, misspelled, of a wrong type, or saying
nothing. An edit changes the document in place, or returns the documents that stand in its stead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Document = dict[str, Any]
Edit = Callable[[Document], "list[Any] | None"]


def _drop(*path: str) -> Edit:
    def edit(document: Document) -> None:
        here = document
        for step in path[:-1]:
            here = here.get(step, {})
        here.pop(path[-1], None)

    return edit


def _put(value: Any, *path: str | int) -> Edit:
    def edit(document: Document) -> None:
        here: Any = document
        *way, last = path
        for step in way:
            here = here[step]
        if isinstance(here, list) or last in here:
            here[last] = value  # type: ignore[index]  # of the holder

    return edit


def _rename(old: str, new: str, *path: str | int) -> Edit:
    def edit(document: Document) -> None:
        here: Any = document
        for step in path:
            here = here[step]
        if old in here:
            here[new] = here.pop(old)

    return edit


def _word(change: Callable[[str], object], *path: str) -> Edit:
    def edit(document: Document) -> None:
        here = document
        for step in path[:-1]:
            here = here.get(step, {})
        if path[-1] in here:
            here[path[-1]] = change(here[path[-1]])

    return edit


def _as_list(kind: str, items: str, *, mapping: bool = False) -> Edit:
    def edit(document: Document) -> list[Any]:
        inner: Any = {"a": document} if mapping else [document]
        return [{"apiVersion": "v1", "kind": kind, items: inner}]

    return edit


_ANY: dict[str, Edit] = {
    **{f"no-{name}": _drop(name) for name in ("kind", "apiVersion", "spec", "metadata")},
    "no-name": _drop("metadata", "name"),
    "no-namespace": _drop("metadata", "namespace"),
    "kind-typo": _word(lambda v: v[:-1], "kind"),
    "kind-case": _word(str.lower, "kind"),
    "kind-plural": _word(lambda v: f"{v}s", "kind"),
    "kind-list": _word(lambda v: [v], "kind"),
    "kind-null": _put(None, "kind"),
    "version-typo": _word(lambda v: v.replace("1", "2"), "apiVersion"),
    "version-bare": _word(lambda v: v.split("/")[-1], "apiVersion"),
    "version-other-group": _word(lambda v: f"x{v}", "apiVersion"),
    "version-null": _put(None, "apiVersion"),
    "spec-null": _put(None, "spec"),
    "spec-empty": _put({}, "spec"),
    "spec-list": _put([], "spec"),
    "spec-text": _put("x", "spec"),
    "spec-case": _rename("spec", "Spec"),
    "spec-in-metadata": lambda d: d["metadata"].update(spec=d.pop("spec", None)),
    "metadata-null": _put(None, "metadata"),
    "metadata-case": _rename("metadata", "Metadata"),
    "name-typo": _word(lambda v: f"{v}x", "metadata", "name"),
    "name-case": _word(str.upper, "metadata", "name"),
    "name-number": _put(7, "metadata", "name"),
    "name-null": _put(None, "metadata", "name"),
    "name-space": _word(lambda v: f"{v} ", "metadata", "name"),
    "namespace-typo": _word(lambda v: f"{v}x", "metadata", "namespace"),
    "namespace-case": _word(str.upper, "metadata", "namespace"),
    "namespace-space": _word(lambda v: f"{v} ", "metadata", "namespace"),
    "namespace-null": _put(None, "metadata", "namespace"),
    "namespace-list": _word(lambda v: [v], "metadata", "namespace"),
    "namespace-look-alike": _word(lambda v: v.replace("a", "\u0430"), "metadata", "namespace"),
    "namespace-key-typo": _rename("namespace", "nameSpace", "metadata"),
    "in-a-list-of-no-items": _as_list("List", "item"),
    "in-a-list-that-is-a-mapping": _as_list("List", "items", mapping=True),
    "in-a-list-of-another-kind": _as_list("Listing", "items"),
    "in-a-lower-case-list": _as_list("list", "items"),
    "wrapped": lambda d: [{"document": d}],
    "twice-and-empty": lambda d: [d, {**d, "spec": {}}],
    "empty-and-twice": lambda d: [{**d, "spec": {}}, d],
    "twice-and-null": lambda d: [d, {**d, "spec": None}],
    "unknown-field": lambda d: d.get("spec", {}).update(someField=1) if isinstance(d.get("spec"), dict) else None,
    "unknown-top": lambda d: d.update(somefield=1),
}  # fmt: skip


def of(what: str) -> dict[str, Edit]:
    """Every edit of a document of this kind. what: as in a file's name, `deny` for instance."""
    return {**_ANY, **_WORDS.get(what, {})}


_SUBJECTS: tuple[str | int, ...] = ("spec", "deny", 0, "subjects")

_WORDS: dict[str, dict[str, Edit]] = {
    "model": {
        "risk-typo": _put("minimial", "spec", "riskClass"),
        "protocol-typo": _put("jsn", "spec", "protocol"),
        "owner-list": _put(["o"], "spec", "owner"),
        "risk-key-typo": _rename("riskClass", "riskclass", "spec"),
        "prohibited": _put("prohibited", "spec", "riskClass"),
    },
    "version": {
        "model-typo": _put("kk", "spec", "model"),
        "model-case": _put("K", "spec", "model"),
        "model-key-typo": _rename("model", "modle", "spec"),
        "backend-typo": _put("behin", "spec", "backend", "service"),
        "port-typo": _put("htp", "spec", "backend", "port"),
        "port-zero": _put(0, "spec", "backend", "port"),
        "backend-null": _put(None, "spec", "backend"),
        "backend-key-typo": _rename("backend", "backends", "spec"),
        "both": _word(lambda v: v, "spec", "backend"),
        "endpoints-empty": lambda d: d["spec"].update(endpoints=d["spec"].pop("backend") and []),
        "region-typo": _put("dee", "spec", "region"),
        "digest-short": _put("sha256:0", "spec", "artifact", "digest"),
        "version-number": _put(1.0, "spec", "version"),
    },
    "allow": {
        "allow-typo": _rename("allow", "alow", "spec"),
        "models-typo": _put(["kk"], "spec", "models"),
        "subjects-empty": _put([], "spec", "allow", 0, "subjects"),
        "subject-typo": _put([{"provder": "partners"}], "spec", "allow", 0, "subjects"),
        "mode-typo": lambda d: d["spec"].update(mode="shadw"),
    },
    "deny": {
        "deny-typo": _rename("deny", "denny", "spec"),
        "deny-case": _rename("deny", "Deny", "spec"),
        "deny-null": _put(None, "spec", "deny"),
        "models-typo": _put(["kk"], "spec", "models"),
        "models-case": _put(["K"], "spec", "models"),
        "models-empty": _put([], "spec", "models"),
        "models-text": _put("k", "spec", "models"),
        "models-key-typo": _rename("models", "model", "spec"),
        "models-null": _put(None, "spec", "models"),
        "subjects-typo": _rename("subjects", "subject", "spec", "deny", 0),
        "subjects-null": _put(None, *_SUBJECTS),
        "subjects-text": _put("corp/mallory", *_SUBJECTS),
        "principal-key-typo": _put([{"principle": "corp/mallory"}, {"principle": "partners/globex"}], *_SUBJECTS),
        "provider-typo": _put([{"principal": "crop/mallory"}, {"principal": "partner/globex"}], *_SUBJECTS),
        "provider-case": _put([{"principal": "Corp/mallory"}, {"principal": "Partners/globex"}], *_SUBJECTS),
        "provider-missing": _put([{"principal": "mallory"}, {"principal": "globex"}], *_SUBJECTS),
        "provider-as-provider": _put([{"provider": "crop"}, {"provider": "partner"}], *_SUBJECTS),
        "group-of-nobody": _put([{"group": "crop/mallory"}, {"group": "partner/globex"}], *_SUBJECTS),
        "purpose-list-text": lambda d: d["spec"]["deny"][0].update(purposes="marketing"),
        "operations-typo": lambda d: d["spec"]["deny"][0].update(operations=["infr"]),
        "mode-typo": lambda d: d["spec"].update(mode="enforced"),
        "selector-of-nothing": lambda d: d["spec"].update(selector={"matchLabels": {"a": "b"}}, models=None),
        "selector-and-models": lambda d: d["spec"].update(selector={"all": True}),
    },
    "service": {
        "no-ports": _put([], "spec", "ports"),
        "port-name-typo": _put("htp", "spec", "ports", 0, "name"),
        "port-text": _put("eighty", "spec", "ports", 0, "port"),
        "external-name": lambda d: d["spec"].update(type="ExternalName", externalName="localhost"),
    },
    "slice": {
        "no-label": _drop("metadata", "labels"),
        "label-typo": _put("behin", "metadata", "labels", "kubernetes.io/service-name"),
        "label-empty": _put("", "metadata", "labels", "kubernetes.io/service-name"),
        "label-key-typo": _rename("kubernetes.io/service-name", "kubernetes.io/servicename", "metadata", "labels"),
        "no-ports": _drop("ports"),
        "ports-empty": _put([], "ports"),
        "port-null": _put(None, "ports", 0, "port"),
        "port-name-typo": _put("htp", "ports", 0, "name"),
        "family-typo": _put("IPv6", "addressType"),
        "family-missing": _drop("addressType"),
        "no-endpoints": _drop("endpoints"),
        "endpoints-null": _put(None, "endpoints"),
        "not-ready": lambda d: d["endpoints"][0].update(conditions={"ready": False}),
        "address-text": _put(["nowhere"], "endpoints", 0, "addresses"),
    },
    "grant": {
        "hosts-typo": _rename("hosts", "host", "spec"),
        "hosts-empty": _put([], "spec", "hosts"),
        "selector-typo": _rename("namespaceSelector", "namespaceselector", "spec"),
        "selector-empty": _put({}, "spec", "namespaceSelector"),
        "paths-wrong": lambda d: d["spec"].update(paths=["x"]),
        "backends-typo": lambda d: d["spec"].update(backends="service"),
        "addresses-typo": lambda d: d["spec"].update(addresses=[{"cdir": "10.0.0.0/8"}]),
    },
    "route": {
        "class-typo": _put("gatereve", "spec", "ingressClassName"),
        "host-case": _word(lambda v: v, "spec", "rules"),
        "model-typo": _put("kk", "spec", "rules", 0, "http", "paths", 0, "backend", "resource", "name"),
        "resource-kind-typo": _put("Modle", "spec", "rules", 0, "http", "paths", 0, "backend", "resource", "kind"),
        "to-the-service": _put({"service": {"name": "behind", "port": {"name": "http"}}}, "spec", "rules", 0, "http", "paths", 0, "backend"),
        "path-type-typo": _put("prefix", "spec", "rules", 0, "http", "paths", 0, "pathType"),
        "backend-null": _put(None, "spec", "rules", 0, "http", "paths", 0, "backend"),
    },
}  # fmt: skip
