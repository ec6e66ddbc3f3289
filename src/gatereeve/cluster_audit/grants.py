"""Bindings that give rights that bypass governance.

Only bound roles are reported. Subjects of the control plane (`system:` users and groups, service accounts
of kube-system) are ignored, except for groups of all users. Rights that our controllers need have a finding
of their own. Findings: grant-….
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gatereeve.api import plain_objects as plain
from gatereeve.api.plain_objects import RawDoc
from gatereeve.api.yaml import Plain
from gatereeve.cluster_audit.dangers import DANGERS, Danger, is_everything
from gatereeve.cluster_audit.inventory import Inventory
from gatereeve.cluster_audit.labels import selects
from gatereeve.core.findings import Finding
from gatereeve.core.report import finding

_GROUP = "rbac.authorization.k8s.io"
EVERYBODY = frozenset(
    {"system:authenticated", "system:unauthenticated", "system:anonymous", "system:serviceaccounts"}
)
_AGGREGATES = "rbac.authorization.k8s.io/aggregate-to-"
_BUILT_IN = "kubernetes.io/bootstrapping"
_SHOWN = 4

_OUR_ACCOUNT, _OUR_DEPLOYMENT = "gatereeve-controller", "gatereeve-controllers"
_OUR_ROLES = frozenset({"gatereeve-controller", "gatereeve-controller-documents"})
"""As in the chart; the names are fixed (decision 37)."""
_OUR_RIGHTS = frozenset({"grant-status", "grant-secrets"})
"""Rights that the controllers need. Other rights of theirs are reported as for every subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Role:
    """The dangerous rights of a role, including aggregated rules, in the order of the table."""

    everything: bool
    dangers: tuple[tuple[Danger, bool], ...]
    """Each with whether it is limited to named objects."""


def find_risks(inventory: Inventory, model_namespaces: frozenset[str]) -> Iterator[Finding]:
    """Yield a finding for each dangerous right of each binding.

    model_namespaces: namespaces with governed or likely models.
    """
    roles, accounts = _read_roles(inventory), _find_our_accounts(inventory)
    for binding in inventory.of((_GROUP, "ClusterRoleBinding"), (_GROUP, "RoleBinding")):
        yield from _check_binding(binding, roles, accounts, model_namespaces)
    for doc in inventory.of((_GROUP, "ClusterRole")):
        yield from _check_aggregation(doc)


def _find_our_accounts(inventory: Inventory) -> frozenset[str]:
    """Return the service accounts of our controllers: by name, and used by their Deployment.

    The name alone is not enough, because other accounts may have it.
    """
    return frozenset(
        f"ServiceAccount {doc.ref.namespace}/{_OUR_ACCOUNT}"
        for doc in inventory.of(("apps", "Deployment"))
        if doc.ref.name == _OUR_DEPLOYMENT
        and plain.get(doc.spec, "spec", "template", "spec", "serviceAccountName") == _OUR_ACCOUNT
    )


def _read_roles(inventory: Inventory) -> Mapping[tuple[str, str, str], _Role]:
    cluster = inventory.of((_GROUP, "ClusterRole"))
    aggregated = [doc for doc in cluster if any(k.startswith(_AGGREGATES) for k in doc.meta.labels)]
    roles = {}
    for doc in (*cluster, *inventory.of((_GROUP, "Role"))):
        rules = list(plain.sequence(doc.spec.get("rules")))
        selectors = plain.sequence(plain.get(doc.spec, "aggregationRule", "clusterRoleSelectors"))
        # In a cluster `rules` has the aggregated rules; in manifests it is empty.
        if selectors and not rules:
            for other in aggregated:
                if any(selects(selector, other.meta.labels) for selector in selectors):
                    rules += plain.sequence(other.spec.get("rules"))
        roles[doc.ref.kind, doc.ref.namespace, doc.ref.name] = _read_role(rules)
    return roles


def _read_role(rules: list[Plain]) -> _Role:
    if any(is_everything(rule) for rule in rules):
        return _Role(everything=True, dangers=())
    dangers = []
    for danger in DANGERS:
        matching = [rule for rule in rules if danger.given_by(rule)]
        if matching:
            named = all(plain.words(plain.get(rule, "resourceNames")) for rule in matching)
            dangers.append((danger, named))
    return _Role(everything=False, dangers=tuple(dangers))


def _check_binding(
    binding: RawDoc,
    roles: Mapping[tuple[str, str, str], _Role],
    accounts: frozenset[str],
    models: frozenset[str],
) -> Iterator[Finding]:
    namespace = binding.ref.namespace
    subjects = _read_subjects(binding)
    if not subjects:
        return
    kind = plain.text(plain.get(binding.spec, "roleRef", "kind"))
    name = plain.text(plain.get(binding.spec, "roleRef", "name"))
    role = roles.get((kind, namespace if kind == "Role" else "", name))
    by = f"{binding.ref} ({kind} {name[:80]})"
    if role is None:
        yield finding(
            binding,
            "grant-unknown",
            "roleRef",
            subjects=_join_subjects(subjects),
            role=f"{kind} {name[:80]}",
        )
        return
    where = f"in namespace {namespace}" if namespace else "in every namespace"
    everybody = tuple(subject for subject in subjects if subject.rpartition(" ")[2] in EVERYBODY)
    ours = name in _OUR_ROLES and set(subjects) <= accounts
    for right in _list_rights(role, namespace, models):
        limit = ", for named objects only" if right.named else ""
        may = f"may {right.may} {where}{limit}, by {by}"
        if ours and right.code in _OUR_RIGHTS:
            yield finding(
                binding, "grant-ours", "roleRef", subjects=_join_subjects(subjects), may=may
            )
            continue
        yield finding(
            binding,
            "grant-to-everybody" if everybody else right.code,
            "roleRef",
            subjects=_join_subjects(everybody or subjects),
            may=may,
            why=right.why,
            remedy=right.hint,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Right:
    """One right of a binding. named: whether it is limited to named objects."""

    code: str
    may: str
    why: str
    hint: str
    named: bool = False


_EVERYTHING = _Right(
    code="grant-everything",
    may="do everything",
    why="this includes approvals, routes and every guard",
    hint="bind it only to cluster administrators, and give others the rights that they need",
)


def _list_rights(role: _Role, namespace: str, models: frozenset[str]) -> tuple[_Right, ...]:
    if role.everything:
        return (_EVERYTHING,)
    return tuple(
        _Right(code=danger.code, may=danger.may, why=danger.why, hint=danger.hint, named=named)
        for danger, named in role.dangers
        if _is_relevant(danger, namespace, models)
    )


def _is_relevant(danger: Danger, namespace: str, models: frozenset[str]) -> bool:
    if not namespace:
        return True
    return danger.scope == "anywhere" or (danger.scope == "models" and namespace in models)


def _read_subjects(binding: RawDoc) -> tuple[str, ...]:
    """Return subjects such as `User x` or `ServiceAccount ns/z`, without those of the control plane."""
    subjects = []
    for subject in plain.sequence(binding.spec.get("subjects")):
        kind, name = (
            plain.text(plain.get(subject, "kind")),
            plain.text(plain.get(subject, "name")),
        )
        if kind == "ServiceAccount":
            namespace = plain.text(plain.get(subject, "namespace")) or binding.ref.namespace
            if namespace != "kube-system":
                subjects.append(f"ServiceAccount {namespace}/{name}")
        elif name and not _is_control_plane(name):
            subjects.append(f"{kind} {name}")
    return tuple(dict.fromkeys(subjects))


def _is_control_plane(name: str) -> bool:
    if name in EVERYBODY or not name.startswith("system:"):
        return False
    return not name.startswith("system:serviceaccount") or ":kube-system" in name


def _join_subjects(subjects: tuple[str, ...]) -> str:
    more = len(subjects) - _SHOWN
    shown = ", ".join(subject[:100] for subject in subjects[:_SHOWN])
    return shown + (f" and {more} more" if more > 0 else "")


def _check_aggregation(doc: RawDoc) -> Iterator[Finding]:
    """Yield roles that add rights to edit, admin or view."""
    targets = sorted(
        key.removeprefix(_AGGREGATES)
        for key, value in doc.meta.labels.items()
        if key.startswith(_AGGREGATES) and value == "true"
    )
    if not targets or _BUILT_IN in doc.meta.labels:
        return
    role = _read_role(list(plain.sequence(doc.spec.get("rules"))))
    rights = ["do everything"] if role.everything else [danger.may for danger, _ in role.dangers]
    if rights:
        yield finding(
            doc,
            "grant-aggregated",
            "metadata.labels",
            doc=doc.ref,
            roles=targets,
            rights="; ".join(rights),
        )
